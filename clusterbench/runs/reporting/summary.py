"""Numbers of a report: for each task and method, mean and standard deviation over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...results.record import Protocol, SplitScores
    from .outcome import Outcome

#: Metrics of a report, in order.
COLUMNS = ("acc", "nmi", "ami", "ari")


@dataclass(frozen=True)
class Heading:
    """What the figures of a table are of."""

    benchmark: str
    dataset: str
    encoder: str
    seeds: tuple[int, ...]
    protocol: Protocol


@dataclass(frozen=True)
class Figure:
    """A metric over seeds, its spread over seeds and its uncertainty over samples apart.

    std: sample standard deviation over seeds; None for a single seed. sample_error: the mean of the
    seeds' standard errors over samples, which that of `mean` does not exceed; None where a result
    has none.
    """

    mean: float
    std: float | None
    values: tuple[float, ...]
    sample_error: float | None = None

    @classmethod
    def of(cls, values: Sequence[float], errors: Sequence[float | None] = ()) -> Figure:
        """Figure of one value per seed and, where they are known, its standard errors."""
        std = statistics.stdev(values) if len(values) > 1 else None
        known = [error for error in errors if error is not None]
        sample_error = statistics.fmean(known) if known and len(known) == len(values) else None
        return cls(statistics.fmean(values), std, tuple(values), sample_error)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "mean": self.mean,
            "std": self.std,
            "values": list(self.values),
            "sample_standard_error": self.sample_error,
        }


@dataclass(frozen=True)
class MethodRow:
    """A method, or a reference, on a task: its figures, only if every planned seed succeeded.

    A mean over the seeds that happened to survive could look better than the method is, so an
    incomplete row has no figures at all. A reference has one seed where no seed changes it.
    """

    method: str
    reference: bool
    n_seeds: int
    n_success: int
    n_failed: int
    figures: dict[str, Figure]

    @property
    def complete(self) -> bool:
        """Whether every planned seed has a successful result."""
        return self.n_success == self.n_seeds

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `metrics` is null for an incomplete row."""
        return {
            "method": self.method,
            "reference": self.reference,
            "complete": self.complete,
            "n_seeds": self.n_seeds,
            "n_success": self.n_success,
            "n_failed": self.n_failed,
            "metrics": {name: figure.to_dict() for name, figure in self.figures.items()}
            if self.complete
            else None,
        }


@dataclass(frozen=True)
class TaskSummary:
    """A task: its size, the floor of a random assignment, and a row per method and reference.

    n_scored: samples that scores are of: the evaluation rows, or under the transductive protocol
    the training rows. k, floor: of the methods; a reference has as many clusters as classes.
    """

    task: str
    n_classes: int
    n_eval: int
    n_scored: int
    k: int
    floor: dict[str, float]
    rows: tuple[MethodRow, ...]

    @property
    def methods(self) -> tuple[MethodRow, ...]:
        """The rows that can be best: those of methods."""
        return tuple(row for row in self.rows if not row.reference)

    def best(self, metric: str) -> float | None:
        """The best mean of a metric among complete rows of methods; None if there is none."""
        from ...metrics import METRICS

        means = [row.figures[metric].mean for row in self.methods if row.complete]
        if not means:
            return None
        return max(means) if METRICS[metric].higher_is_better else min(means)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "task": self.task,
            "n_classes": self.n_classes,
            "n_eval": self.n_eval,
            "n_scored": self.n_scored,
            "k": self.k,
            "random_floor": self.floor,
            "methods": [row.to_dict() for row in self.rows],
        }


def summarise(outcomes: Iterable[Outcome]) -> list[TaskSummary]:
    """One summary per task, tasks and methods in the order of the plan."""
    by_task: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        rows = by_task.setdefault(outcome.run.task.name, {})
        rows.setdefault(outcome.run.method.name, []).append(outcome)
    return [_task(name, rows) for name, rows in by_task.items()]


def _task(name: str, rows: dict[str, list[Outcome]]) -> TaskSummary:
    outcomes = [outcome for row in rows.values() for outcome in row]
    run = outcomes[0].run  # of a method, where there is one: references are planned after them
    outcomes = [outcome for outcome in outcomes if outcome.run.k == run.k]
    floors = [outcome.record.random_floor for outcome in outcomes if outcome.record is not None]
    return TaskSummary(
        task=name,
        n_classes=run.task.n_classes,
        n_eval=len(run.task.eval_rows),
        n_scored=len(run.scored_rows),
        k=run.k,
        floor=floors[0] if floors else {},
        rows=tuple(_row(method, row) for method, row in rows.items()),
    )


def _row(method: str, outcomes: list[Outcome]) -> MethodRow:
    scores = [o.record.scores for o in outcomes if o.record is not None and o.record.scores]
    figures = {}
    if len(scores) == len(outcomes):
        figures = {
            name: Figure.of(
                [split.metrics[name] for split in scores],
                [_sample_error(split, name) for split in scores],
            )
            for name in COLUMNS
        }
    return MethodRow(
        method=method,
        reference=outcomes[0].run.method.reference,
        n_seeds=len(outcomes),
        n_success=len(scores),
        n_failed=sum(outcome.status == "failed" for outcome in outcomes),
        figures=figures,
    )


def _sample_error(scores: SplitScores, metric: str) -> float | None:
    return scores.intervals.metrics[metric].standard_error if scores.intervals else None
