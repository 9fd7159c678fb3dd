"""What does not fit into memory is refused with both numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clusterbench import cost as memory
from clusterbench.cost import available_memory, check_memory
from clusterbench.errors import InputError


def test_there_is_some_memory_and_no_more_than_the_machine_has() -> None:
    free = available_memory()
    assert free is not None
    assert 1e6 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_what_fits_passes_and_what_does_not_is_named() -> None:
    check_memory(1e6, "nothing much", "")
    with pytest.raises(InputError, match=r"^a map of the world takes 1,000,000,000.0 GB of memory"):
        check_memory(1e18, "a map of the world", "draw a smaller one")


@pytest.mark.parametrize("version", [1, 2])
def test_a_containers_limit_counts_and_its_cached_files_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    files = {
        1: {"memory.limit_in_bytes": "1000", "memory.usage_in_bytes": "700"},
        2: {"memory.max": "1000", "memory.current": "700"},
    }[version]
    cached = "total_inactive_file" if version == 1 else "inactive_file"
    for name, text in (files | {"memory.stat": f"anon 5\n{cached} 200\nrest 9\n"}).items():
        (tmp_path / name).write_text(f"{text}\n")
    groups = [(tmp_path, *names) for _, *names in memory._GROUPS]
    monkeypatch.setattr(memory, "_GROUPS", groups)
    assert available_memory() == 500
    (tmp_path / next(iter(files))).write_text("max\n")
    assert available_memory() > 1e6  # type: ignore[operator]
