"""Plan, execute and record runs: `run` returns a `RunReport` and leaves one JSON per run."""

from ..results.record import ResultRecord, read_result
from .events import RunEvent
from .plan import PlannedRun, plan
from .reporting.outcome import Outcome
from .reporting.report import RunReport
from .runner import run

__all__ = [
    "Outcome",
    "PlannedRun",
    "ResultRecord",
    "RunEvent",
    "RunReport",
    "plan",
    "read_result",
    "run",
]
