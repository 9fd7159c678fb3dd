"""Memory that there is, asked before something large begins."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import InputError

_MEMINFO = Path("/proc/meminfo")
#: Limit, use and what of it is files that could be dropped, by the versions of control groups.
_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_memory() -> int | None:
    """Bytes that may be taken without swapping, within the limit of a container; None if unknown.

    Files in the kernel's cache count as free, as they are dropped for what needs the room.
    """
    free = [bytes_ for bytes_ in (_of_machine(), _of_container()) if bytes_ is not None]
    return min(free, default=None)


def check_memory(needed: float, what: str, instead: str) -> None:
    """Refuse what does not fit.

    Args:
        needed: bytes.
        what: what takes them, for the message.
        instead: what to do about it.

    Raises:
        InputError: less is available, with both numbers.
    """
    free = available_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{what} takes {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are "
            f"available; {instead}"
        )


def _of_machine() -> int | None:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # of systems without that file all memory there is, if they tell
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_container() -> int | None:
    for folder, limit, used, cached in _GROUPS:
        try:
            free = int(Path(folder, limit).read_text()) - int(Path(folder, used).read_text())
            for line in Path(folder, "memory.stat").read_text().splitlines():
                name, _, number = line.partition(" ")
                free += int(number) if name == cached else 0
        except (OSError, ValueError):  # no such file, or "max"
            continue
        return max(free, 0)
    return None
