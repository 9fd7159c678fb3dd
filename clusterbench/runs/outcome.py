"""What `run` returns: every planned run with what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..results.record import Protocol, ResultRecord
from .plan import FeatureSource, PlannedRun, State, Strategy
from .survey import count_states


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


@dataclass(frozen=True, eq=False)
class RunReport:
    """All runs of a request. `print(report)` shows the table of means over seeds."""

    benchmark: str
    dataset: str
    features: FeatureSource
    preset: str
    seeds: tuple[int, ...]
    protocol: Protocol
    strategy: Strategy
    results: Path
    dry_run: bool
    outcomes: tuple[Outcome, ...]

    @property
    def records(self) -> list[ResultRecord]:
        """Records of all runs that have one, failures included."""
        return [outcome.record for outcome in self.outcomes if outcome.record is not None]

    @property
    def failures(self) -> list[Outcome]:
        """Runs whose record is a failure."""
        return [outcome for outcome in self.outcomes if outcome.failure]

    @property
    def ok(self) -> bool:
        """Whether every planned run is a success."""
        return all(outcome.status == "success" for outcome in self.outcomes)

    @property
    def n_computed(self) -> int:
        """Runs computed by this call."""
        return sum(outcome.computed for outcome in self.outcomes)

    @property
    def n_reused(self) -> int:
        """Successful runs that were there already and were not computed again."""
        return sum(o.before == "success" and not o.to_compute for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """JSON form: the request, counts, the table of means, and every run."""
        from .reporting.summary import summarise
        from .reporting.top_summary import summarise_ranked

        ranked = summarise_ranked(self.outcomes)
        return {
            "schema": "clusterbench-report/1",
            "benchmark": self.benchmark,
            "dataset": self.dataset,
            "encoder": self.features.encoder,
            "feature_identity": self.features.identity,
            "preset": self.preset,
            "seeds": list(self.seeds),
            "protocol": self.protocol,
            "overwrite_strategy": self.strategy,
            "results": self.results.as_posix(),
            "dry_run": self.dry_run,
            "counts": {
                "planned": len(self.outcomes),
                "computed": self.n_computed,
                "reused": self.n_reused,
                "to_compute": sum(o.to_compute for o in self.outcomes),
                "before": count_states(o.before for o in self.outcomes),
                "now": count_states(o.status for o in self.outcomes),
            },
            "tasks": [
                {**task.to_dict(), "ranked": ranked[task.task].to_dict()}
                if task.task in ranked
                else task.to_dict()
                for task in summarise(self.outcomes)
            ],
            "runs": [outcome.to_dict() for outcome in self.outcomes],
        }

    def __str__(self) -> str:
        from .reporting.table import render_text

        return render_text(self)
