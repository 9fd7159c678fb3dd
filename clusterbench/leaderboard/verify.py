"""Check one result before it enters the leaderboard: nothing in it is taken on trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..benchmarks import Task, build
from ..datasets import registry
from ..datasets.registry import Dataset
from ..errors import InputError
from ..runs.predictions import read_predictions, rows_hash
from ..runs.record import ResultRecord, read_result, utc_now
from ..runs.scoring import floor, split_scores
from ..runs.survey import holds_predictions
from .models import BoardBenchmark, Entry, TaskDefinition

#: Largest difference between a recorded score and the one computed again.
TOLERANCE = 1e-9


@dataclass
class Verifier:
    """Checks results against tasks that it builds itself, each benchmark and data set once."""

    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], dict[str, Task]] = field(default_factory=dict)
    _definitions: dict[tuple[str, str], BoardBenchmark] = field(default_factory=dict)

    def verify(self, path: Path) -> Entry:
        """The entry of a result file, its scores computed again from its predictions.

        Raises InputError, naming the file, what was found and what was wanted, for: a file that is
        not a result; a failed run; a key that its own fields do not give; an unknown benchmark,
        data set or task; another task definition; other features than the data set's for this
        encoder; missing, changed or unfitting predictions; a score that differs.
        """
        record = read_result(path)
        if record.status == "failed":
            message = record.error.message if record.error else ""
            raise InputError(f"{path}: the run failed ({message}); there is nothing to score")
        if record.recomputed_key() != record.key:
            raise InputError(
                f"{path}: run key {record.key[:12]}, but its fields give "
                f"{record.recomputed_key()[:12]}: the file was edited"
            )
        try:
            task = self._task(record)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        self._check_inputs(path, record, task)
        return _entry(record, _score_again(path, record, task))

    def definition(self, benchmark: str, dataset: str) -> BoardBenchmark:
        """All tasks of a benchmark on a data set, as built here."""
        where = (benchmark, dataset)
        if where not in self._definitions:
            tasks = self._built(benchmark, dataset).values()
            self._definitions[where] = BoardBenchmark(
                benchmark=benchmark, dataset=dataset, tasks=tuple(_definition(t) for t in tasks)
            )
        return self._definitions[where]

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            self._datasets[name] = registry.load(name)
        return self._datasets[name]

    def _built(self, benchmark: str, dataset: str) -> dict[str, Task]:
        where = (benchmark, dataset)
        if where not in self._tasks:
            tasks = build(benchmark, self._dataset(dataset))
            self._tasks[where] = {task.name: task for task in tasks}
        return self._tasks[where]

    def _task(self, record: ResultRecord) -> Task:
        tasks = self._built(record.benchmark, record.dataset)
        if record.task.name not in tasks:
            raise InputError(
                f"benchmark {record.benchmark!r} has no task {record.task.name!r}; "
                f"it has {', '.join(tasks)}"
            )
        return tasks[record.task.name]

    def _check_inputs(self, path: Path, record: ResultRecord, task: Task) -> None:
        if record.index_hash != task.index_hash:
            raise InputError(
                f"{path}: made on index {record.index_hash[:12]}, but data set "
                f"{record.dataset!r} has index {task.index_hash[:12]}"
            )
        if record.task.manifest_hash != task.manifest_hash:
            raise InputError(
                f"{path}: task {task.name!r} had manifest {record.task.manifest_hash[:12]}, this "
                f"version builds {task.manifest_hash[:12]}; run it again"
            )
        dataset = self._dataset(record.dataset)
        if record.features.encoder in dataset.stores:
            identity = dataset.store(record.features.encoder).identity
            if record.features.identity != identity:
                raise InputError(
                    f"{path}: features {record.features.identity[:12]}, but the data set's "
                    f"{record.features.encoder!r} features are {identity[:12]}; run it again"
                )


def _score_again(path: Path, record: ResultRecord, task: Task) -> dict[str, float]:
    assert record.predictions is not None and record.scores is not None
    file = Path(path).parent / record.predictions.file
    if not holds_predictions(path, record):
        found = "is not the file whose hash the result records" if file.exists() else "is missing"
        raise InputError(f"{path}: its predictions file {file.name} {found}")
    predictions, rows = read_predictions(file)
    if rows != rows_hash(task.eval_rows):
        raise InputError(f"{file}: predicts other rows than task {task.name!r} evaluates")
    if len(predictions) != len(task.eval_rows):
        raise InputError(
            f"{file}: {len(predictions)} predictions; the task has {len(task.eval_rows)} rows"
        )
    if not 0 <= predictions.min() <= predictions.max() < record.k:
        raise InputError(
            f"{file}: clusters {predictions.min()}..{predictions.max()}; wanted 0..{record.k - 1}"
        )
    metrics = split_scores(task.eval_targets, predictions, task.n_classes, record.k).metrics
    for name, again in metrics.items():
        recorded = record.scores.metrics.get(name)
        if recorded is not None and abs(recorded - again) > TOLERANCE:
            raise InputError(
                f"{path}: {name} is recorded as {recorded}, its predictions give {again:.12g}"
            )
    for name, again in floor(task.eval_targets, record.k).items():
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


def _entry(record: ResultRecord, metrics: dict[str, float]) -> Entry:
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
        metrics=metrics,
        predictions_sha256=record.predictions.sha256,
        created=record.created,
        submitted=utc_now(),
    )
