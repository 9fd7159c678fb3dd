"""A line on a terminal while intervals are made; nothing in a pipe or for a short wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY = 0.2  # seconds between two updates


@contextmanager
def resampling_line() -> Iterator[Callable[[int, int], None] | None]:
    """Gives the callback to hand on as `progress`; the line is wiped at the end."""
    if not sys.stderr.isatty():
        yield None
        return
    shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            sys.stderr.write(f"\rresampling {done}/{total}\x1b[K")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
