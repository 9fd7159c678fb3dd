"""Check one result before it enters the leaderboard: nothing in it is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..benchmarks import Task
from ..errors import InputError
from ..references import names as reference_names
from ..results.evidence import Evidence, EvidenceReader
from ..results.record import ResultRecord, TopRecord, utc_now
from ..results.scoring import floor, split_scores
from .models import BoardBenchmark, Entry, TaskDefinition
from .top_check import top_again

#: Largest difference between a recorded score and the one computed again.
TOLERANCE = 1e-9


@dataclass
class Verifier:
    """Checks results against tasks that it builds itself, each benchmark and data set once."""

    _reader: EvidenceReader = field(default_factory=EvidenceReader)
    _definitions: dict[tuple[str, str], BoardBenchmark] = field(default_factory=dict)

    def verify(self, path: Path) -> Entry:
        """The entry of a result file, its scores computed again from its predictions.

        Raises InputError, naming the file, what was found and what was wanted, for whatever
        `EvidenceReader.read` refuses, for a score, ranked ones included, that differs, and for a
        reference that does not say so or was not run as one.
        """
        evidence = self._reader.read(path)
        _check_reference(evidence)
        metrics = _score_again(evidence)
        return _entry(evidence.record, metrics, top_again(evidence, TOLERANCE))

    def definition(self, benchmark: str, dataset: str) -> BoardBenchmark:
        """All tasks of a benchmark on a data set, as built here."""
        where = (benchmark, dataset)
        if where not in self._definitions:
            tasks = self._reader.tasks(benchmark, dataset).values()
            self._definitions[where] = BoardBenchmark(
                benchmark=benchmark, dataset=dataset, tasks=tuple(_definition(t) for t in tasks)
            )
        return self._definitions[where]

    def with_train_floors(self, known: BoardBenchmark) -> BoardBenchmark:
        """A benchmark of a leaderboard with the floors of its tasks' training rows."""
        if all(task.train_floor is not None for task in known.tasks):
            return known
        built = self._reader.tasks(known.benchmark, known.dataset)
        floors = {name: floor(task.train_targets, task.n_classes) for name, task in built.items()}
        tasks = (t.model_copy(update={"train_floor": floors[t.name]}) for t in known.tasks)
        return known.model_copy(update={"tasks": tuple(tasks)})


def _check_reference(evidence: Evidence) -> None:
    """The mark is not in the run key, so it is checked against what is known of the names."""
    path, record, task = evidence.path, evidence.record, evidence.task
    method = record.method
    is_reference = method.name in reference_names()
    if method.reference != is_reference:
        known = "a reference, fitted with training labels" if is_reference else "no reference"
        raise InputError(
            f"{path}: method.reference is {str(method.reference).lower()}, "
            f"but {method.name!r} is {known}"
        )
    if is_reference and (record.k != task.n_classes or record.protocol != "train->val"):
        raise InputError(
            f"{path}: reference {method.name!r} with k={record.k}, protocol {record.protocol!r}; "
            f"wanted k={task.n_classes} (its classes), protocol 'train->val'"
        )


def _score_again(evidence: Evidence) -> dict[str, float]:
    path, record, task = evidence.path, evidence.record, evidence.task
    assert record.scores is not None
    metrics = split_scores(evidence.targets, evidence.predictions, task.n_classes, record.k).metrics
    for name, again in metrics.items():
        recorded = record.scores.metrics.get(name)
        if recorded is not None and abs(recorded - again) > TOLERANCE:
            raise InputError(
                f"{path}: {name} is recorded as {recorded}, its predictions give {again:.12g}"
            )
    for name, again in floor(evidence.targets, record.k).items():
        recorded = record.random_floor.get(name)
        if recorded is not None and abs(recorded - again) > TOLERANCE:
            raise InputError(
                f"{path}: random_floor {name} is recorded as {recorded}, the task's is {again:.12g}"
            )
    return metrics


def _definition(task: Task) -> TaskDefinition:
    return TaskDefinition(
        name=task.name,
        manifest_hash=task.manifest_hash,
        n_classes=task.n_classes,
        random_floor=floor(task.eval_targets, task.n_classes),
    )


def _entry(record: ResultRecord, metrics: dict[str, float], ranked: TopRecord | None) -> Entry:
    assert record.predictions is not None
    return Entry(
        key=record.key,
        benchmark=record.benchmark,
        dataset=record.dataset,
        task=record.task.name,
        manifest_hash=record.task.manifest_hash,
        encoder=record.features.encoder,
        feature_identity=record.features.identity,
        method=record.method.name,
        version=record.method.version,
        params=record.method.params,
        seed=record.seed,
        k=record.k,
        protocol=record.protocol,
        reference=record.method.reference,
        metrics=metrics,
        ranked=ranked,
        predictions_sha256=record.predictions.sha256,
        created=record.created,
        submitted=utc_now(),
    )
