"""How far something is: `progress(done, total)`, called while it goes on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


def unseen(done: int, total: int) -> None:
    """The progress that nobody looks at."""
    del done, total
