"""What an execution tells its caller while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .plan import PlannedRun

#: Threads whose names start so are computing runs.
FIT_THREAD = "clusterbench-fit"


@dataclass(frozen=True)
class RunEvent:
    """One step of an execution.

    kind: "start" of a run, "fit" (the method's own progress), "end" of a run.
    position, total: this run is number `position` (from 1) of `total` to compute.
    done, steps: progress of the fit, for "fit".
    status, seconds, message: outcome, for "end"; the message is a failure's error.
    """

    kind: Literal["start", "fit", "end"]
    run: PlannedRun
    position: int
    total: int
    done: int = 0
    steps: int = 0
    status: Literal["success", "failed"] | None = None
    seconds: float = 0.0
    message: str = ""


Listener = Callable[[RunEvent], None]


def ignore(event: RunEvent) -> None:
    """The listener that does nothing."""
    del event
