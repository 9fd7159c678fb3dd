"""Compute planned runs; each leaves a whole result or a whole failure."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..files import sha256_file
from . import fitting, pool
from .events import Listener, RunEvent
from .fitting import Assignment, StageError
from .plan import PlannedRun
from .pool import StoppedError
from .predictions import write_predictions
from .ranked_predictions import ranks
from .ranked_scoring import ranked_scores
from .record import (
    Environment,
    ErrorRecord,
    FeaturesRecord,
    MethodRecord,
    PredictionsRecord,
    RankedRecord,
    ResultRecord,
    SplitScores,
    TaskRecord,
    Timings,
    plain,
    utc_now,
    write_result,
)
from .scoring import INTERVALS, floor, split_scores
from .task_features import TaskFeatures

if TYPE_CHECKING:
    from ..features.store import FeatureStore
    from ..methods import Clusterer

_MAX_MESSAGE = 500


def execute(
    runs: Sequence[PlannedRun],
    store: FeatureStore,
    make: Callable[[PlannedRun], Clusterer],
    environment: Environment,
    listen: Listener,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    """Compute runs task by task and yield each with its record, already on disk.

    The features of a task are read once for all its methods and seeds. Small runs of a task go
    side by side on the cores of a CPU (see `pool`), others one after another. A run that fails
    becomes a record with its error, and the rest goes on. Of a success the predictions are
    written first, then the result, so a result never names predictions that are not there.
    `listen` is called by one thread at a time.

    Raises:
        InputError: the store holds other samples than a task was built on, or NaN features.
        StorageError: a result could not be written; what was finished before stays.
    """
    lock, stop = threading.Lock(), threading.Event()

    def tell(event: RunEvent) -> None:
        if stop.is_set():
            raise StoppedError
        with lock:
            listen(event)

    numbered = enumerate(runs, start=1)
    with fitting.recorded_warnings():
        for _, group in itertools.groupby(numbered, key=lambda item: id(item[1].task)):
            items = list(group)
            task = items[0][1].task
            features = TaskFeatures(store, task)
            floors = {run.k: floor(task.eval_targets, run.k) for _, run in items}
            parallel = pool.one_core_each(environment.device, features.train.nbytes)
            where = environment.model_copy(update={"threads": 1}) if parallel else environment

            def compute(
                item: tuple[int, PlannedRun],
                features: TaskFeatures = features,
                floors: dict[int, dict[str, float]] = floors,
                where: Environment = where,
            ) -> tuple[PlannedRun, ResultRecord]:
                position, run = item
                tell(RunEvent("start", run, position, len(runs)))
                start = time.perf_counter()
                progress = _fit_progress(run, position, len(runs), tell)
                record = _compute(run, features, make, floors[run.k], where, progress)
                error = record.error
                tell(
                    RunEvent(
                        "end",
                        run,
                        position,
                        len(runs),
                        status=record.status,
                        seconds=time.perf_counter() - start,
                        message=f"{error.type}: {error.message}" if error else "",
                    )
                )
                return run, record

            if parallel:
                yield from pool.side_by_side(compute, items, stop)
            else:
                yield from map(compute, items)


def _compute(
    run: PlannedRun,
    features: TaskFeatures,
    make: Callable[[PlannedRun], Clusterer],
    random_floor: dict[str, float],
    environment: Environment,
    progress: Callable[[int, int], None],
) -> ResultRecord:
    assignment: Assignment | None = None
    about: Assignment | StageError
    outcome: dict[str, Any]
    try:
        method = _made(run, make)
        n_ranks = ranks(run.task, run.k)
        assignment = fitting.assign(method, features.train, features.evaluation, progress, n_ranks)
        about = assignment
        start = time.perf_counter()
        scores, train_scores = _scores(run, assignment)
        ranked = _ranked(run, assignment)
        timings = Timings(
            fit=assignment.fit_seconds,
            predict=assignment.predict_seconds,
            score=time.perf_counter() - start,
        )
        outcome = {"status": "success", "scores": scores, "train_scores": train_scores}
        outcome["ranked"] = ranked
        write_predictions(
            run.predictions_path, assignment.evaluation, run.task.eval_rows, assignment.ranked
        )
        outcome["predictions"] = PredictionsRecord(
            file=run.predictions_path.name, sha256=sha256_file(run.predictions_path)
        )
    except StageError as error:
        timings = Timings(fit=error.fit_seconds)
        if assignment is not None:
            timings = Timings(fit=assignment.fit_seconds, predict=assignment.predict_seconds)
        outcome = {"status": "failed", "error": _error(error)}
        about = error
    outcome["diagnostics"] = plain(about.diagnostics)
    outcome["warnings"] = about.warnings
    record = _record(run, random_floor, environment, timings, outcome)
    write_result(run.path, record)
    if record.status == "failed":  # predictions of an earlier success belong to nothing now
        run.predictions_path.unlink(missing_ok=True)
    return record


def _made(run: PlannedRun, make: Callable[[PlannedRun], Clusterer]) -> Clusterer:
    try:
        return make(run)
    except Exception as error:
        raise StageError("fit", error) from error


def _scores(run: PlannedRun, assignment: Assignment) -> tuple[SplitScores, SplitScores]:
    task = run.task
    try:
        return (
            split_scores(
                task.eval_targets,
                assignment.evaluation,
                task.n_classes,
                run.k,
                train_targets=task.train_targets,
                intervals=INTERVALS,
            ),
            split_scores(task.train_targets, assignment.train, task.n_classes, run.k),
        )
    except Exception as error:
        raise StageError("score", error) from error


def _ranked(run: PlannedRun, assignment: Assignment) -> RankedRecord | None:
    task = run.task
    if assignment.ranked is None:
        return None
    try:
        return ranked_scores(
            task.eval_targets,
            assignment.ranked,
            run.k,
            hierarchy=task.hierarchy,
            label_sets=task.label_sets,
        )
    except Exception as error:
        raise StageError("score", error) from error


def _error(error: StageError) -> ErrorRecord:
    message = " ".join(str(error.cause).split())[:_MAX_MESSAGE]
    return ErrorRecord(
        stage=error.stage, type=type(error.cause).__name__, message=message, where=error.where
    )


def _record(
    run: PlannedRun,
    random_floor: dict[str, float],
    environment: Environment,
    timings: Timings,
    outcome: dict[str, Any],
) -> ResultRecord:
    task = run.task
    return ResultRecord(
        key=run.key,
        benchmark=task.benchmark,
        dataset=task.dataset,
        index_hash=task.index_hash,
        task=TaskRecord(
            name=task.name,
            manifest_hash=task.manifest_hash,
            n_classes=task.n_classes,
            n_train=len(task.train_rows),
            n_eval=len(task.eval_rows),
            factors={name: float(value) for name, value in task.factors.items()},
        ),
        features=FeaturesRecord(
            encoder=run.features.encoder, identity=run.features.identity, dim=run.features.dim
        ),
        method=MethodRecord(
            name=run.method.name, version=run.method.version, params=dict(run.method.params)
        ),
        seed=run.seed,
        k=run.k,
        random_floor=random_floor,
        timings=timings,
        environment=environment,
        created=utc_now(),
        **outcome,
    )


def _fit_progress(
    run: PlannedRun, position: int, total: int, tell: Listener
) -> Callable[[int, int], None]:
    def progress(done: int, steps: int) -> None:
        tell(RunEvent("fit", run, position, total, done=int(done), steps=int(steps)))

    return progress
