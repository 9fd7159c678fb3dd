"""Progress of an extraction on stderr: images/s, the time left, and what limits the speed."""

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


@contextmanager
def extraction_progress() -> Iterator[Callable[[ExtractionProgress], None] | None]:
    """A bar on a terminal, a line now and then elsewhere; of several processes the first tells."""
    if os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) != "0":
        yield None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield Lines(sys.stderr.write)


@contextmanager
def _bar() -> Iterator[Callable[[ExtractionProgress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.progress import TimeRemainingColumn as Remaining

    bar = RichProgress(
        TextColumn("images"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: list[Any] = []
    size: list[int] = []

    def show(progress: ExtractionProgress) -> None:
        if not tasks:  # made here, so that images of earlier runs do not count as speed
            tasks.append(bar.add_task("", total=progress.total, completed=progress.done, rate=""))
        if size and progress.batch_size != size[-1]:
            bar.console.print(smaller_batch(size[-1], progress.batch_size), highlight=False)
        size[:] = [progress.batch_size]
        speed = bar.tasks[0].speed
        rate = f"{speed:,.0f}/s, {progress.waiting:.0%} waiting for data" if speed else ""
        bar.update(tasks[0], completed=progress.done, rate=rate)

    with bar:
        yield show


class Lines:
    """Plain lines, for logs and pipes, at most one in 30 seconds."""

    def __init__(self, write: Callable[[str], Any], seconds: float = _LINE_SECONDS) -> None:
        self.write, self.seconds = write, seconds
        self.started = self.last = time.monotonic()
        self.first: int | None = None
        self.batch_size: int | None = None

    def __call__(self, progress: ExtractionProgress) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = progress.done
        if self.batch_size not in (None, progress.batch_size):
            self.write(smaller_batch(self.batch_size or 0, progress.batch_size) + "\n")
        self.batch_size = progress.batch_size
        if now - self.last < self.seconds:
            return
        self.last = now
        rate = (progress.done - self.first) / max(now - self.started, 1e-9)
        left = (progress.total - progress.done) / rate if rate else float("inf")
        self.write(
            f"{progress.done:,} of {progress.total:,} images, {rate:,.0f}/s, "
            f"{left:,.0f} s left, {progress.waiting:.0%} of the time waiting for data\n"
        )
        sys.stderr.flush()


def smaller_batch(before: int, now: int) -> str:
    """What is said when the device's memory did not hold a batch."""
    return f"out of memory with {before} images at a time; going on with {now}"
