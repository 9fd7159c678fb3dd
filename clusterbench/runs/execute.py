"""Compute planned runs; each leaves a whole result or a whole failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..progress import Progress
from ..results.record import (
    Environment,
    ResultRecord,
)
from ..results.scoring import floor
from . import apart, fitting, pool
from .events import Listener, RunEvent
from .fitting import Fit, StageError
from .marks import Marks, checkpoint_path, forget_checkpoint
from .one_run import compute_run
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
) -> Generator[tuple[PlannedRun, ResultRecord], None, None]:
    """Compute runs and yield each with its record, already on disk.

    Runs are grouped by their training rows, whose features are read once for all tasks, methods
    and seeds; runs of the same method, settings, seed and K on the same training rows are fitted
    once (see `sharing`). Small fits of a group go side by side on the cores of a CPU (see
    `pool`), others one after another. A run that fails becomes a record with its error, and the
    rest goes on; a fit that fails fails each of its runs. Of a success the predictions are
    written first, then the result, so a result never names predictions that are not there.
    `listen` is called by one thread at a time. A method that keeps checkpoints goes on from where
    a call that was killed had come to.

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
    with Marks() as marks, fitting.recorded_warnings():
        for number, batch in enumerate(groups):
            yield from _batch(
                batch, number, features, make, environment, tell, stop, len(runs), marks
            )


def _batch(
    batch: Batch,
    number: int,
    features: SharedFeatures,
    make: Callable[[PlannedRun], Clusterer | Reference],
    environment: Environment,
    tell: Listener,
    stop: threading.Event,
    total: int,
    marks: Marks,
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
        first, last = items[0][1], items[-1][1]
        marks.start(run for _, run in items)
        # Another process that fits the same keeps its own state there; a process apart, which
        # goes on from the state of one that died, is watched by the one that holds the mark.
        checkpoint = checkpoint_path(first)
        keeping = apart.inside or not marks.elsewhere(first)
        for position, run in items:
            tell(RunEvent("start", run, position, total))
            start = time.perf_counter()
            if fitted is None:
                progress = _fit_progress(run, position, total, tell)
                fitted = _fit(run, make, train, progress, checkpoint if keeping else None)
            features = scored[scored_rows_hash(run)]
            record = compute_run(run, fitted, features, floors[_floor_of(run)], where)
            if keeping and run is last:
                forget_checkpoint(first)
            marks.end(run)
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
    checkpoint: Path | None,
) -> Fit | StageError:
    """The fit of a run and of those that share it, or why there is none."""
    from ..references import Reference

    try:
        method = _made(run, make)
        if isinstance(method, Reference):
            return fit_reference(method, train, run.task.train_targets, progress)
        return fitting.fit(method, train, progress, checkpoint)
    except StageError as error:
        return error


def _made(
    run: PlannedRun, make: Callable[[PlannedRun], Clusterer | Reference]
) -> Clusterer | Reference:
    try:
        return make(run)
    except Exception as error:
        raise StageError("fit", error) from error


def _fit_progress(run: PlannedRun, position: int, total: int, tell: Listener) -> Progress:
    def progress(done: int, steps: int) -> None:
        tell(RunEvent("fit", run, position, total, done=int(done), steps=int(steps)))

    return progress
