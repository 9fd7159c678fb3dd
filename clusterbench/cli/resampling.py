"""How resampling is asked for on the command line, and the line that shows how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..labels.matching import naming
from ..progress import Progress

if TYPE_CHECKING:
    from ..metrics import Resampling

_EVERY = 0.2  # seconds between two updates


def asked(
    n_resamples: int, level: float, seed: int, option: str = "--intervals"
) -> Resampling | None:
    """The resampling that options ask for, None for 0 resamples; all are checked in any case.

    Raises InputError naming the option.
    """
    from ..metrics import Resampling

    with naming({"n_resamples": option, "level": "--level", "seed": "--seed"}):
        found = Resampling(n_resamples or 2, level, seed)
    return found if n_resamples else None


@contextmanager
def resampling_line() -> Iterator[Progress | None]:
    """Gives the callback to hand on as `progress`; the line is wiped at the end.

    Nothing is shown in a pipe or for a short wait.
    """
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
