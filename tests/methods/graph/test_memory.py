"""What does not fit into memory is refused with both numbers."""

from __future__ import annotations

import os

import pytest

from clusterbench.errors import InputError
from clusterbench.methods.graph.memory import available_memory, check_memory


def test_there_is_some_memory_and_no_more_than_the_machine_has() -> None:
    free = available_memory()
    assert free is not None
    assert 1e6 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_what_fits_passes_and_what_does_not_is_named() -> None:
    check_memory(1e6, "nothing much", "")
    with pytest.raises(InputError, match=r"^a map of the world takes 1,000,000,000.0 GB of memory"):
        check_memory(1e18, "a map of the world", "draw a smaller one")
