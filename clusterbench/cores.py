"""How many cores there are to use."""

from __future__ import annotations

import os


def n_cores() -> int:
    """Cores this process may use, by its affinity where the system knows one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
