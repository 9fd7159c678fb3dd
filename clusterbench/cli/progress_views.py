"""Progress on stderr, of all verbs: bars on a terminal, lines now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ..progress import Progress, unseen

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.table import Column
    from typing_extensions import Self

    from ..benchmarks.difficulty.rank_classes import EncoderProgress
    from ..neighbours.kept import Tally
    from ..runs.events import RunEvent
    from ..runs.forecast import Forecast

_LINE_SECONDS = 30.0  # between lines where stderr is not a terminal
_EVERY = 0.2  # seconds between two updates of a line
_WAITING = 20.0  # expected seconds of a run from which they are said
_RANKING_LINES = 10  # for each encoder, where stderr is not a terminal


class ProgressView(Protocol):
    """Shows events while it is open; counts the runs that ended."""

    finished: int
    total: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        ...

    def foretell(self, forecast: Forecast) -> None:
        """Say how long it will take, where that is worth a line."""
        ...


def progress_view() -> ProgressView:
    """The view for this process's stderr."""
    return BarView() if sys.stderr.isatty() else LineView()


class LineView:
    """One plain line per finished run, for logs and pipes."""

    def __init__(self) -> None:
        self.finished = 0
        self.total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        self.total = event.total
        if event.kind == "end":
            self.finished += 1
            sys.stderr.write(f"[{self.finished}/{event.total}] {end_line(event)}\n")
            sys.stderr.flush()

    def foretell(self, forecast: Forecast) -> None:
        """Say how long it will take, where that is worth a line."""
        if worth_saying(forecast):
            sys.stderr.write(f"{time_line(forecast)}\n")
            sys.stderr.flush()


class BarView:
    """A bar over all runs and one for the fit that has gone on longest; failures stay as lines."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.progress import TimeElapsedColumn as Elapsed

        self.finished = 0
        self.total = 0
        self._active: dict[int, RunEvent] = {}
        self._progress = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=_column(34)),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            Elapsed(),
            console=Console(stderr=True),
            transient=True,
        )
        self._all: TaskID = self._progress.add_task("preparing", total=None)
        self._fit: TaskID = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, event: RunEvent) -> None:
        """Show one event."""
        self.total = event.total
        if event.kind == "end":
            self.finished += 1
            self._active.pop(event.position, None)
            if event.status == "failed":
                self._progress.console.print(end_line(event), markup=False, highlight=False)
        else:
            self._active[event.position] = event
        self._progress.update(
            self._all, description="runs", total=event.total, completed=self.finished
        )
        self._show_fit()

    def foretell(self, forecast: Forecast) -> None:
        """Say how long it will take, where that is worth a line."""
        if worth_saying(forecast):
            self._progress.console.print(time_line(forecast), markup=False, highlight=False)

    def _show_fit(self) -> None:
        if not self._active:
            self._progress.update(self._fit, visible=False)
            return
        oldest = next(iter(self._active.values()))
        others = len(self._active) - 1
        title = f"  {oldest.run.title}" + (f" +{others}" if others else "")
        self._progress.update(
            self._fit,
            description=title,
            total=oldest.steps or None,
            completed=oldest.done,
            visible=True,
        )


def worth_saying(forecast: Forecast) -> bool:
    """Whether one would wait for it."""
    return forecast.seconds is not None and forecast.seconds >= _WAITING


def time_line(forecast: Forecast) -> str:
    """How long a run will take, and what to do about one that takes long."""
    if not forecast.long:
        return str(forecast)
    return (
        f"{forecast}. To take less: fewer seeds (--seeds 1), tasks (--task) or methods "
        "(--method), or settings for less work (--preset, --param); Ctrl-C keeps what is finished"
    )


def end_line(event: RunEvent) -> str:
    """How a run ended, on one line."""
    if event.status == "failed":
        return f"{event.run.title}: failed: {event.message}"
    return f"{event.run.title}: done in {event.seconds:.1f} s"


def _column(width: int) -> Column:
    from rich.table import Column

    return Column(width=width, no_wrap=True, overflow="ellipsis")


@contextmanager
def byte_progress(text: str, unit: str = "bytes") -> Iterator[Progress]:
    """A bar with a text in front on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield unseen
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn(text, markup=False), BarColumn(), TaskProgressColumn(), Remaining())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def resampling_line(word: str = "resampling") -> Iterator[Progress | None]:
    """Gives the callback to hand on as `progress`; the line is wiped at the end.

    word: what is under way. Nothing is shown in a pipe or for a short wait.
    """
    if not sys.stderr.isatty():
        yield None
        return
    shown = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            sys.stderr.write(f"\r{word} {done}/{total}\x1b[K")
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


@contextmanager
def ranking_progress() -> Iterator[EncoderProgress]:
    """A bar per encoder on a terminal, ten lines each elsewhere; on stderr."""
    if not sys.stderr.isatty():
        yield _ranking_line
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    bars: dict[str, Any] = {}
    with Bars(console=Console(stderr=True), transient=True) as view:

        def show(encoder: str, done: int, total: int) -> None:
            if encoder not in bars:
                bars[encoder] = view.add_task(encoder)
            view.update(bars[encoder], completed=done, total=total)

        yield show


def _ranking_line(encoder: str, done: int, total: int) -> None:
    if done and done % -(-total // _RANKING_LINES) == 0:
        sys.stderr.write(f"{encoder}: {done} of {total} steps\n")
        sys.stderr.flush()


class ImportLines:
    """Progress on stderr: a line now and then."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Write a line if the last one is long enough ago."""
        now = time.monotonic()
        if now - self.last < _LINE_SECONDS:
            return
        self.last = now
        # The features are read twice: for their hash, and to be written.
        step = "checked" if done <= total else "written"
        share = done / total if done <= total else done / total - 1
        sys.stderr.write(f"{min(share, 1):.0%} of {total:,} bytes {step}\n")
        sys.stderr.flush()


def graphs_line(graphs: Tally) -> str:
    """What became of the nearest neighbours that methods asked for; "" where none did."""
    said = []
    if graphs.made:
        said.append(f"{graphs.made} computed in {graphs.seconds:.1f} s")
    if graphs.found:
        said.append(f"{graphs.found} found")
    if graphs.shared:
        times = "once" if graphs.shared == 1 else f"{graphs.shared:,} times"
        said.append(f"shared {times}")
    return f"graphs of nearest neighbours: {', '.join(said)}" if said else ""
