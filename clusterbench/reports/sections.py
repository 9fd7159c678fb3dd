"""Runs sorted into tables: a benchmark on the features of an encoder, tasks by methods."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..benchmarks.task import Task
from ..pages import page_id
from ..results.record import Protocol, ResultRecord
from .collected import ReportRun, task_of


@dataclass(frozen=True)
class Contender:
    """A method or a reference with its settings; what a row of a table is of.

    params: canonical JSON. k: the number of clusters, None where it is that of the task's classes.
    """

    method: str
    version: int
    params: str
    reference: bool
    k: int | None = None

    @classmethod
    def of(cls, record: ResultRecord) -> Contender:
        """The contender of a result."""
        params = json.dumps(record.method.params, sort_keys=True)
        k = None if record.k == record.task.n_classes else record.k
        return cls(record.method.name, record.method.version, params, record.method.reference, k)


@dataclass(frozen=True, eq=False)
class ScoreCell:
    """The runs of a contender on a task, ordered by seed."""

    runs: tuple[ReportRun, ...]

    @cached_property
    def successes(self) -> tuple[ReportRun, ...]:
        """The runs with scores."""
        return tuple(run for run in self.runs if not run.failed)

    @cached_property
    def failures(self) -> tuple[ReportRun, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.failed)

    @property
    def complete(self) -> bool:
        """Whether it has a figure: some run, and none that failed.

        A mean over the seeds that survived could look better than the method is.
        """
        return bool(self.successes) and not self.failures

    def values(self, metric: str) -> tuple[float, ...]:
        """A metric of each success, in the order of the seeds; those without it are left out."""
        found = (run.scores.get(metric) for run in self.successes)
        return tuple(value for value in found if value is not None)


@dataclass(frozen=True, eq=False)
class TaskColumn:
    """A task of a section.

    floor: metrics of random assignments to as many clusters as classes. task: as built here, None
    where it cannot be. cells: the contenders that have runs of it.
    """

    name: str
    label: str
    manifest_hash: str
    n_classes: int
    n_train: int
    n_eval: int
    factors: Mapping[str, float]
    floor: Mapping[str, float]
    task: Task | None
    cells: Mapping[Contender, ScoreCell]


@dataclass(frozen=True, eq=False)
class Section:
    """The runs of one benchmark on one data set's features, under one protocol."""

    benchmark: str
    dataset: str
    encoder: str
    feature_identity: str
    protocol: Protocol
    tasks: tuple[TaskColumn, ...]
    contenders: tuple[Contender, ...]
    labels: Mapping[Contender, str]

    @property
    def title(self) -> str:
        """benchmark on data set."""
        return f"{self.benchmark} on {self.dataset}"

    def key(self, what: str) -> str:
        """An id for something of this section, no other section's."""
        return page_id(what, self.title, self.encoder, self.protocol, self.feature_identity)

    @property
    def runs(self) -> list[ReportRun]:
        """All its runs."""
        return [run for task in self.tasks for cell in task.cells.values() for run in cell.runs]

    @cached_property
    def n_seeds(self) -> int:
        """The most seeds that a method has on a task."""
        return max((len(c.runs) for t in self.tasks for c in t.cells.values()), default=0)


def sections(runs: Iterable[ReportRun]) -> list[Section]:
    """The sections of some runs, in the order in which each first occurs; tasks likewise.

    Methods come in the order of their names, references after them.
    """
    grouped: dict[tuple[str, str, str, str, Protocol], list[ReportRun]] = {}
    for run in runs:
        record = run.record
        where = (
            record.benchmark,
            record.dataset,
            record.features.encoder,
            record.features.identity,
            record.protocol,
        )
        grouped.setdefault(where, []).append(run)
    return [_section(*where, members) for where, members in grouped.items()]


def _section(
    benchmark: str,
    dataset: str,
    encoder: str,
    identity: str,
    protocol: Protocol,
    runs: Sequence[ReportRun],
) -> Section:
    by_task: dict[tuple[str, str], list[ReportRun]] = {}
    for run in runs:
        task = run.record.task
        by_task.setdefault((task.name, task.manifest_hash), []).append(run)
    names = [name for name, _ in by_task]
    found = {Contender.of(run.record) for run in runs}
    contenders = sorted(found, key=lambda c: (c.reference, c.method, c.version, c.params, c.k or 0))
    columns = [
        _column(name, hashed, names.count(name) > 1, members)
        for (name, hashed), members in by_task.items()
    ]
    return Section(
        benchmark,
        dataset,
        encoder,
        identity,
        protocol,
        tuple(sorted(columns, key=_natural)),
        tuple(contenders),
        contender_labels(contenders),
    )


def _natural(column: TaskColumn) -> tuple[list[tuple[int, str]], str]:
    """ratio-4 before ratio-10."""
    parts: list[tuple[int, str]] = []
    for part in column.name.split("-"):
        parts.append((int(part), "") if part.isascii() and part.isdigit() else (-1, part))
    return parts, column.manifest_hash


def _column(name: str, hashed: str, ambiguous: bool, runs: Sequence[ReportRun]) -> TaskColumn:
    cells: dict[Contender, list[ReportRun]] = {}
    for run in runs:
        cells.setdefault(Contender.of(run.record), []).append(run)
    record = next((r.record for r in runs if r.record.k == r.record.task.n_classes), None)
    facts = (record or runs[0].record).task
    return TaskColumn(
        name=name,
        label=f"{name} ({hashed[:8]})" if ambiguous else name,
        manifest_hash=hashed,
        n_classes=facts.n_classes,
        n_train=facts.n_train,
        n_eval=facts.n_eval,
        factors=facts.factors,
        floor=record.random_floor if record is not None else {},
        task=task_of(runs),
        cells={
            contender: ScoreCell(tuple(sorted(members, key=lambda run: run.record.seed)))
            for contender, members in cells.items()
        },
    )


def contender_labels(contenders: Sequence[Contender]) -> dict[Contender, str]:
    """A name for each: its method's, with whatever tells it from others of the same method."""
    by_method: dict[str, list[Contender]] = {}
    for contender in contenders:
        by_method.setdefault(contender.method, []).append(contender)
    labels = {}
    for method, members in by_method.items():
        settings = [json.loads(member.params) for member in members]
        names = sorted({name for params in settings for name in params})
        moving = [n for n in names if len({json.dumps(p.get(n)) for p in settings}) > 1]
        for member, params in zip(members, settings, strict=True):
            marks = [f"{name}={_short(params.get(name))}" for name in moving]
            if len({other.version for other in members}) > 1:
                marks.append(f"version {member.version}")
            if member.k is not None:
                marks.append(f"K={member.k}")
            labels[member] = f"{method} ({', '.join(marks)})" if marks else method
    return labels


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
