"""A result with what it can be scored from again: its task, built anew, and its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..benchmarks import Task, build
from ..benchmarks.declaration import find
from ..datasets import registry
from ..datasets.registry import Dataset
from ..errors import ClusterbenchError, InputError
from ..printable import shown
from .predictions import predictions_fault, read_predictions, rows_hash
from .protocol import scored_rows, scored_targets
from .record import Protocol, ResultRecord, read_result
from .task_facts import factor_difference, first_difference
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
    """Reads results and builds their tasks, each benchmark and data set once.

    A task that cannot be built stands in the way of its own results only.
    """

    _datasets: dict[str, Dataset] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], dict[str, Task]] = field(default_factory=dict)
    _faults: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _encoders: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)

    def read(self, path: Path, record: ResultRecord | None = None) -> Evidence:
        """The evidence of a result file; `record` is what it holds, if it has been read already.

        Raises InputError, naming the file, what was found and what was wanted, for: a file that is
        not a result; a failed run; a key that its own fields do not give; an unknown benchmark,
        data set or task; another task definition, or another size than the task's; other features
        than the data set's for this encoder, or the data set's under another encoder's name;
        missing, changed or unfitting predictions, ranked ones included.
        """
        path = Path(path)
        record = read_result(path) if record is None else record
        if record.status == "failed":
            message = record.error.message if record.error else ""
            raise InputError(
                f"{path}: the run failed ({shown(message)}); there is nothing to score"
            )
        if record.recomputed_key() != record.key:
            raise InputError(
                f"{path}: run key {record.key[:12]}, but its fields give "
                f"{record.recomputed_key()[:12]}: the file was edited"
            )
        try:
            task = self.task(record.benchmark, record.dataset, record.task.name)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        self._check_inputs(path, record, task)
        assert record.predictions is not None
        file = path.parent / record.predictions.file
        if fault := predictions_fault(path, record):
            raise InputError(f"{path}: its predictions file {file.name} {fault}")
        predictions = scored_predictions(file, task, record.protocol, record.k)
        ranked = top_evidence(file, record, task, predictions)
        return Evidence(path, record, task, predictions, ranked)

    def tasks(self, benchmark: str, dataset: str) -> dict[str, Task]:
        """The tasks of a benchmark on a data set by name, in order, as built here.

        Without those that cannot be built; `unbuilt` names them. Raises InputError for an unknown
        benchmark or data set.
        """
        where = (benchmark, dataset)
        if where not in self._tasks:
            data = self._dataset(dataset)
            faults: dict[str, str] = {}
            try:
                built = build(benchmark, data)
            except Exception:  # one by one, so that it is known which
                built = []
                for declared in find(benchmark).tasks_for(data.name, data.tasks):
                    try:
                        built += build(benchmark, data, [declared.name])
                    except Exception as error:  # whatever a declaration or a manifest makes happen
                        faults[declared.name] = (
                            str(error)
                            if isinstance(error, ClusterbenchError)
                            else f"{type(error).__name__}: {error}"
                        )
            self._tasks[where] = {task.name: task for task in built}
            self._faults[where] = faults
        return self._tasks[where]

    def unbuilt(self, benchmark: str, dataset: str) -> dict[str, str]:
        """Names of the tasks that cannot be built here, and why."""
        self.tasks(benchmark, dataset)
        return self._faults[benchmark, dataset]

    def encoders(self, dataset: str) -> dict[str, tuple[str, int]]:
        """Encoder -> identity and dimensions of each store of a data set that can be opened."""
        if dataset not in self._encoders:
            data, found = self._dataset(dataset), {}
            for encoder in data.stores:
                try:
                    store = data.store(encoder)
                except Exception:  # a damaged store stands in the way of its own results
                    continue
                found[encoder] = (store.identity, store.dim)
            self._encoders[dataset] = found
        return self._encoders[dataset]

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            self._datasets[name] = registry.load(name)
        return self._datasets[name]

    def task(self, benchmark: str, dataset: str, name: str) -> Task:
        """A task as built here; InputError for an unknown one, and one that cannot be built."""
        where = (benchmark, dataset)
        tasks, faults = self.tasks(*where), self.unbuilt(*where)
        if name in faults:
            raise InputError(f"task {name!r} cannot be built here: {faults[name]}")
        if name not in tasks:
            raise InputError(
                f"benchmark {benchmark!r} has no task {name!r}; it has {', '.join(tasks)}"
            )
        return tasks[name]

    def _check_inputs(self, path: Path, record: ResultRecord, task: Task) -> None:
        if record.index_hash != task.index_hash:
            raise InputError(
                f"{path}: made on index {record.index_hash[:12]}, but data set "
                f"{record.dataset!r} has index {task.index_hash[:12]}"
            )
        check_manifest(path, task, record.task.manifest_hash)
        fault = first_difference(record, task) or factor_difference(record, task)
        if fault:
            raise InputError(f"{path}: {fault}: the file was edited; run it again")
        features = record.features
        self.check_features(path, record.dataset, features.encoder, features.identity, features.dim)

    def check_features(
        self, path: Path, dataset: str, encoder: str, identity: str, dim: int | None = None
    ) -> None:
        """InputError unless features are the data set's of that encoder, or of one not here.

        dim: their dimensions; None where they are not stated.
        """
        if encoder in self._dataset(dataset).stores:
            try:
                store = self._dataset(dataset).store(encoder)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
            if identity != store.identity:
                raise InputError(
                    f"{path}: features {identity[:12]}, but the data set's "
                    f"{encoder!r} features are {store.identity[:12]}; run it again"
                )
            if dim is not None and dim != store.dim:
                raise InputError(
                    f"{path}: features.dim is {dim}; the data set's {encoder!r} features "
                    f"have {store.dim} dimensions"
                )
            return
        for known, (its_identity, _) in self.encoders(dataset).items():
            if its_identity == identity:
                raise InputError(
                    f"{path}: features.encoder is {encoder!r}, but these are the data set's "
                    f"{known!r} features: the file was edited"
                )


def check_manifest(path: Path, task: Task, manifest_hash: str) -> None:
    """InputError where a file was made for another definition of a task than is built here."""
    if manifest_hash != task.manifest_hash:
        raise InputError(
            f"{path}: task {task.name!r} had manifest {manifest_hash[:12]}, this "
            f"version builds {task.manifest_hash[:12]}; run it again"
        )


def scored_predictions(file: Path, task: Task, protocol: Protocol, k: int) -> np.ndarray:
    """(n,) int32 in [0, k): the clusters of a predictions file.

    Raises InputError, naming the file, for one that cannot be read, for other rows than the
    protocol scores, and for clusters outside [0, k).
    """
    wanted = scored_rows(task, protocol)
    predictions, rows = read_predictions(file, len(wanted))
    if rows != rows_hash(wanted):
        raise InputError(
            f"{file}: predicts other rows than task {task.name!r} evaluates "
            f"under protocol {protocol!r}"
        )
    if not 0 <= predictions.min() <= predictions.max() < k:
        raise InputError(
            f"{file}: clusters {predictions.min()}..{predictions.max()}; wanted 0..{k - 1}"
        )
    return predictions
