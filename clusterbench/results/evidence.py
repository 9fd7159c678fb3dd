"""A result with what it can be scored from again: its task, built anew, and its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..benchmarks import Task, build
from ..datasets import registry
from ..datasets.registry import Dataset
from ..errors import InputError
from .predictions import holds_predictions, read_predictions, rows_hash
from .protocol import scored_rows, scored_targets
from .record import ResultRecord, read_result
from .top_predictions import top_evidence


@dataclass(frozen=True, eq=False)
class Evidence:
    """A successful result, its task as built here, and its clusters of the scored rows.

    predictions: (n,) int32 in [0, record.k), of the evaluation rows, or of the training rows of a
        transductive result. ranked: (n, n_ranks) int32, whose first column is `predictions`; None
        for a task that ranks no clusters, and for a reference.
    """

    path: Path
    record: ResultRecord
    task: Task
    predictions: np.ndarray
    ranked: np.ndarray | None = None

    @property
    def targets(self) -> np.ndarray:
        """Classes of the scored rows: (n,) int32."""
        return scored_targets(self.task, self.record.protocol)


@dataclass
class EvidenceReader:
    """Reads results and builds their tasks, each benchmark and data set once."""

    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], dict[str, Task]] = field(default_factory=dict)

    def read(self, path: Path) -> Evidence:
        """The evidence of a result file.

        Raises InputError, naming the file, what was found and what was wanted, for: a file that is
        not a result; a failed run; a key that its own fields do not give; an unknown benchmark,
        data set or task; another task definition; other features than the data set's for this
        encoder; missing, changed or unfitting predictions, ranked ones included.
        """
        path = Path(path)
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
        file, predictions = _predictions(path, record, task)
        ranked = top_evidence(file, record, task, predictions)
        return Evidence(path, record, task, predictions, ranked)

    def tasks(self, benchmark: str, dataset: str) -> dict[str, Task]:
        """All tasks of a benchmark on a data set by name, in order, as built here."""
        where = (benchmark, dataset)
        if where not in self._tasks:
            tasks = build(benchmark, self._dataset(dataset))
            self._tasks[where] = {task.name: task for task in tasks}
        return self._tasks[where]

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            self._datasets[name] = registry.load(name)
        return self._datasets[name]

    def _task(self, record: ResultRecord) -> Task:
        tasks = self.tasks(record.benchmark, record.dataset)
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


def _predictions(path: Path, record: ResultRecord, task: Task) -> tuple[Path, np.ndarray]:
    assert record.predictions is not None
    file = path.parent / record.predictions.file
    if not holds_predictions(path, record):
        found = "is not the file whose hash the result records" if file.exists() else "is missing"
        raise InputError(f"{path}: its predictions file {file.name} {found}")
    predictions, rows = read_predictions(file)
    wanted = scored_rows(task, record.protocol)
    if rows != rows_hash(wanted):
        raise InputError(
            f"{file}: predicts other rows than task {task.name!r} evaluates "
            f"under protocol {record.protocol!r}"
        )
    if len(predictions) != len(wanted):
        raise InputError(f"{file}: {len(predictions)} predictions; the task has {len(wanted)} rows")
    if not 0 <= predictions.min() <= predictions.max() < record.k:
        raise InputError(
            f"{file}: clusters {predictions.min()}..{predictions.max()}; wanted 0..{record.k - 1}"
        )
    return file, predictions
