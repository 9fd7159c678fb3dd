"""Results of the small world, run once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def kept_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled by the first test that asks for `world`."""
    return tmp_path_factory.mktemp("kept") / "results"


@pytest.fixture
def world(tiny_world: SimpleNamespace, kept_results: Path) -> SimpleNamespace:
    """The small world with `results`: k-means, `modulo` and a reference on two tasks, two seeds."""
    if not kept_results.exists():
        tiny_world.run(methods=["kmeans", "modulo", "nearest-mean"], seeds=2)
        shutil.copytree("results", kept_results)
    else:
        shutil.copytree(kept_results, "results")
    return tiny_world
