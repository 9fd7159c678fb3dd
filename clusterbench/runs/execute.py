"""Compute planned runs; each leaves a whole result or a whole failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import sha256_file
from ..progress import Progress
from ..results.predictions import write_predictions
from ..results.protocol import scored_label_sets
from ..results.record import (
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
from ..results.scoring import INTERVALS, floor, split_scores
from ..results.top_predictions import ranks
from ..results.top_scoring import ranked_scores
from . import fitting, pool
from .events import Listener, RunEvent
from .fitting import Fit, Predicted, StageError
from .plan import PlannedRun
from .pool import StoppedError
from .sharing import Batch, Item, batches, scored_rows_hash
from .supervised import fit_reference
from .task_features import SharedFeatures

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore
    from ..methods import Clusterer
    from ..references import Reference

_MAX_MESSAGE = 500


def execute(
    runs: Sequence[PlannedRun],
    store: FeatureStore,
    make: Callable[[PlannedRun], Clusterer | Reference],
    environment: Environment,
    listen: Listener,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    """Compute runs and yield each with its record, already on disk.

    Runs are grouped by their training rows, whose features are read once for all tasks, methods
    and seeds; runs of the same method, settings, seed and K on the same training rows are fitted
    once (see `sharing`). Small fits of a group go side by side on the cores of a CPU (see
    `pool`), others one after another. A run that fails becomes a record with its error, and the
    rest goes on; a fit that fails fails each of its runs. Of a success the predictions are
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

    groups = batches(runs)
    features = SharedFeatures(store, groups)
    with fitting.recorded_warnings():
        for number, batch in enumerate(groups):
            yield from _batch(batch, number, features, make, environment, tell, stop, len(runs))


def _batch(
    batch: Batch,
    number: int,
    features: SharedFeatures,
    make: Callable[[PlannedRun], Clusterer | Reference],
    environment: Environment,
    tell: Listener,
    stop: threading.Event,
    total: int,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    train, scored = features.read(number, batch)
    floors = {
        where: floor(run.scored_targets, run.k)
        for where, run in {_floor_of(run): run for run in batch.runs}.items()
    }
    parallel = pool.one_core_each(environment.device, train.nbytes)
    where = environment.model_copy(update={"threads": 1}) if parallel else environment

    def compute(items: Sequence[Item]) -> Iterator[tuple[PlannedRun, ResultRecord]]:
        """The runs of one fit, one after another; the first of them is told of its progress."""
        fitted: Fit | StageError | None = None
        for position, run in items:
            tell(RunEvent("start", run, position, total))
            start = time.perf_counter()
            if fitted is None:
                fitted = _fit(run, make, train, _fit_progress(run, position, total, tell))
            features = scored[scored_rows_hash(run)]
            record = _compute(run, fitted, features, floors[_floor_of(run)], where)
            error = record.error
            tell(
                RunEvent(
                    "end",
                    run,
                    position,
                    total,
                    status=record.status,
                    seconds=time.perf_counter() - start,
                    message=f"{error.type}: {error.message}" if error else "",
                )
            )
            yield run, record

    if parallel:
        for finished in pool.side_by_side(lambda items: list(compute(items)), batch.fits, stop):
            yield from finished
    else:
        for items in batch.fits:
            yield from compute(items)


def _floor_of(run: PlannedRun) -> tuple[int, int]:
    """Runs with equal ones have the same floor."""
    return id(run.task), run.k


def _fit(
    run: PlannedRun,
    make: Callable[[PlannedRun], Clusterer | Reference],
    train: np.ndarray,
    progress: Progress,
) -> Fit | StageError:
    """The fit of a run and of those that share it, or why there is none."""
    from ..references import Reference

    try:
        method = _made(run, make)
        if isinstance(method, Reference):
            return fit_reference(method, train, run.task.train_targets, progress)
        return fitting.fit(method, train, progress)
    except StageError as error:
        return error


def _compute(
    run: PlannedRun,
    fitted: Fit | StageError,
    features: np.ndarray,
    random_floor: dict[str, float],
    environment: Environment,
) -> ResultRecord:
    assignment: Predicted | None = None
    about: Predicted | StageError
    outcome: dict[str, Any]
    try:
        if isinstance(fitted, StageError):
            raise fitted
        assignment = _assignment(run, fitted, features)
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
        if run.method.reference:
            correct = assignment.evaluation == run.scored_targets
            assignment.diagnostics["accuracy"] = float(correct.mean())
        outcome["ranked"] = ranked
        write_predictions(
            run.predictions_path, assignment.evaluation, run.scored_rows, assignment.ranked
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


def _assignment(run: PlannedRun, fitted: Fit, features: np.ndarray) -> Predicted:
    n_ranks = ranks(run.task, run.k, run.method.reference)
    if run.protocol == "transductive":
        return fitting.transductive(fitted, features, n_ranks)
    return fitting.predict(fitted, features, n_ranks)


def _made(
    run: PlannedRun, make: Callable[[PlannedRun], Clusterer | Reference]
) -> Clusterer | Reference:
    try:
        return make(run)
    except Exception as error:
        raise StageError("fit", error) from error


def _scores(run: PlannedRun, assignment: Predicted) -> tuple[SplitScores, SplitScores | None]:
    """Scores of the scored rows, and of the training rows where they have clusters."""
    task = run.task
    try:
        scores = split_scores(
            run.scored_targets,
            assignment.evaluation,
            task.n_classes,
            run.k,
            train_targets=task.train_targets,
            intervals=INTERVALS,
        )
        if run.protocol == "transductive":
            return scores, scores
        if assignment.train is None:
            return scores, None
        return scores, split_scores(task.train_targets, assignment.train, task.n_classes, run.k)
    except Exception as error:
        raise StageError("score", error) from error


def _ranked(run: PlannedRun, assignment: Predicted) -> RankedRecord | None:
    task = run.task
    if assignment.ranked is None:
        return None
    try:
        return ranked_scores(
            run.scored_targets,
            assignment.ranked,
            run.k,
            hierarchy=task.hierarchy,
            label_sets=scored_label_sets(task, run.protocol),
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
            name=run.method.name,
            version=run.method.version,
            params=dict(run.method.params),
            reference=run.method.reference,
        ),
        seed=run.seed,
        k=run.k,
        protocol=run.protocol,
        random_floor=random_floor,
        timings=timings,
        environment=environment,
        created=utc_now(),
        **outcome,
    )


def _fit_progress(run: PlannedRun, position: int, total: int, tell: Listener) -> Progress:
    def progress(done: int, steps: int) -> None:
        tell(RunEvent("fit", run, position, total, done=int(done), steps=int(steps)))

    return progress
