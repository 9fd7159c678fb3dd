"""Progress of an extraction on stderr: how many images, how fast, how long it will take."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..features.extract.pipeline import ExtractionProgress

_LINE_SECONDS = 30.0  # between lines where stderr is not a terminal
_SHORT = 5.0  # seconds to wait, of which nothing need be said


class Pace:
    """Images per second since the first report, and what that leaves to wait for.

    The first report comes before the first batch, so that images of earlier runs and the time that
    an encoder takes to load count neither as speed nor as slowness.
    """

    def __init__(self) -> None:
        self._started = 0.0
        self._first: int | None = None

    def rate(self, done: int) -> float:
        """Images per second, 0 before anything was done."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = done, now
        return (done - self._first) / max(now - self._started, 1e-9)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`: as exact as one can wait."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


@contextmanager
def extraction_progress() -> Iterator[Callable[[ExtractionProgress], None] | None]:
    """A bar on a terminal, a line now and then elsewhere; of several processes the first tells."""
    if os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) != "0":
        yield None
    elif sys.stderr.isatty():
        with _extraction_bar() as show:
            yield show
    else:
        yield ExtractionLines(sys.stderr.write)


@contextmanager
def _extraction_bar() -> Iterator[Callable[[ExtractionProgress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    bar = RichProgress(
        TextColumn("images"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: list[Any] = []
    size: list[int] = []
    pace = Pace()

    def show(progress: ExtractionProgress) -> None:
        if not tasks:
            tasks.append(bar.add_task("", total=progress.total, pace="first batch"))
        if size and progress.batch_size != size[-1]:
            bar.console.print(smaller_batch(size[-1], progress.batch_size), highlight=False)
        size[:] = [progress.batch_size]
        rate = pace.rate(progress.done)
        text = _pace(progress, rate) if rate else "first batch"
        bar.update(tasks[0], completed=progress.done, pace=text)

    with bar:
        yield show


class ExtractionLines:
    """Plain lines, for logs and pipes: after the first batch, then at most one in 30 seconds."""

    def __init__(self, write: Callable[[str], Any], seconds: float = _LINE_SECONDS) -> None:
        self.write, self.seconds = write, seconds
        self.pace = Pace()
        self.last: float | None = None
        self.batch_size: int | None = None

    def __call__(self, progress: ExtractionProgress) -> None:
        """Write a line if there is a while to wait, and the last one is long enough ago."""
        rate = self.pace.rate(progress.done)
        if self.batch_size not in (None, progress.batch_size):
            self.write(smaller_batch(self.batch_size or 0, progress.batch_size) + "\n")
        self.batch_size = progress.batch_size
        now = time.monotonic()
        if not rate or (self.last is None and _left(progress, rate) < _SHORT):
            return
        if self.last is not None and now - self.last < self.seconds:
            return
        self.last = now
        self.write(f"{progress.done:,} of {progress.total:,} images, {_pace(progress, rate)}\n")
        sys.stderr.flush()


def _left(progress: ExtractionProgress, rate: float) -> float:
    return (progress.total - progress.done) / rate


def _pace(progress: ExtractionProgress, rate: float) -> str:
    left = duration(_left(progress, rate))
    return f"{rate:,.0f}/s, {left} left, {progress.waiting:.0%} of the time waiting for data"


def smaller_batch(before: int, now: int) -> str:
    """What is said when the device's memory did not hold a batch."""
    return f"out of memory with {before} images at a time; going on with {now}"
