"""One process that runs the commands of all cases of a file, and an empty home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from trials import Trials, served


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """`trial("score", path)` -> Trial, in a process of its own."""
    with served(tmp_path_factory.mktemp("output"), tmp_path_factory.mktemp("home")) as trials:
        yield trials
