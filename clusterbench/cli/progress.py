"""Progress of an execution on stderr: bars on a terminal, one line per run elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import TaskID
    from rich.table import Column
    from typing_extensions import Self

    from ..runs.events import RunEvent


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

    def __call__(self, event: RunEvent) -> None: ...


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
        self.total = event.total
        if event.kind == "end":
            self.finished += 1
            sys.stderr.write(f"[{self.finished}/{event.total}] {end_line(event)}\n")
            sys.stderr.flush()


class BarView:
    """A bar over all runs and one for the fit that has gone on longest; failures stay as lines."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        self.finished = 0
        self.total = 0
        self._active: dict[int, RunEvent] = {}
        self._progress = Progress(
            TextColumn("{task.description}", table_column=_column(34)),
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


def end_line(event: RunEvent) -> str:
    """How a run ended, on one line."""
    if event.status == "failed":
        return f"{event.run.title}: failed: {event.message}"
    return f"{event.run.title}: done in {event.seconds:.1f} s"


def _column(width: int) -> Column:
    from rich.table import Column

    return Column(width=width, no_wrap=True, overflow="ellipsis")
