"""One planned run with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...results.record import ResultRecord
from ..plan import PlannedRun, State


@dataclass(frozen=True, eq=False)
class Outcome:
    """One planned run: what the folder held before, whether it was computed, its record now."""

    run: PlannedRun
    before: State
    to_compute: bool
    computed: bool
    record: ResultRecord | None

    @property
    def status(self) -> State:
        """What the folder holds now."""
        return self.record.status if self.record is not None else self.before

    @property
    def failure(self) -> str:
        """One line about a failed run, "" for any other."""
        if self.record is None or self.record.error is None:
            return ""
        return f"{self.run.title}: {self.record.error.type}: {self.record.error.message}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form: key, task, method, seed, K, path, and the states."""
        return {
            "key": self.run.key,
            "task": self.run.task.name,
            "method": self.run.method.name,
            "reference": self.run.method.reference,
            "seed": self.run.seed,
            "k": self.run.k,
            "path": self.run.path.as_posix(),
            "before": self.before,
            "to_compute": self.to_compute,
            "computed": self.computed,
            "status": self.status,
            "error": self.record.error.message if self.record and self.record.error else None,
        }
