"""Runs whose fit is spread over the processes of a job, each of which holds its share of the rows.

All processes plan the same runs. Those of a method that can share a fit come first and are fitted
by all of them; the first process predicts, scores and writes. The others are done then, and the
first computes what is left by itself. The answer is that of one process, to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ..devices import team
from ..errors import ClusterbenchError, StorageError
from ..files import sha256_json
from ..kmeans.lloyd import Group
from ..kmeans.processes import LostProcessError, all_come, of_first, shard_bounds
from ..results.record import Environment, ResultRecord
from ..results.scoring import floor
from . import fitting
from .events import Listener, RunEvent, ignore
from .fitting import Fit, StageError
from .marks import checkpoint_path, forget_checkpoint
from .one_run import compute_run
from .plan import PlannedRun
from .sharing import Item, batches

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore
    from ..methods import Clusterer
    from ..references import Reference

Make = Callable[[PlannedRun], "Clusterer | Reference"]


def agreed(group: Group, planned: Sequence[PlannedRun], todo: Sequence[bool]) -> list[bool]:
    """Which runs the first process wants computed, in all processes.

    Raises ClusterbenchError where this process plans other runs: it has other data or settings.
    """
    own = np.frombuffer(sha256_json([run.key for run in planned]).encode(), np.uint8)
    if not np.array_equal(of_first(group, own), own):
        raise ClusterbenchError(
            f"process {group.rank} plans other runs than process 0; start all with the same "
            "version, the same command and the same data"
        )
    return [bool(chosen) for chosen in of_first(group, np.array(todo, dtype=np.uint8))]


def can_be_spread(run: PlannedRun, make: Make) -> bool:
    """Whether the run's method can share its fit, and each process would have a row."""
    if run.method.reference or len(run.task.train_rows) < team().size:
        return False
    try:
        return cast("Clusterer", make(run)).shares_fit
    except Exception:  # which makes it a failed run where it is fitted
        return False


def execute_spread(
    runs: Sequence[PlannedRun],
    store: FeatureStore,
    make: Make,
    environment: Environment,
    listen: Listener,
    group: Group,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    """Compute runs with all processes; the first yields each with its record, already on disk.

    A fit that is killed leaves a checkpoint beside its first result, which the next call goes on
    from, with any number of processes.

    Raises:
        InputError: the store holds other samples than a task was built on.
        LostProcessError: another process has ended.
        Exception: that of a fit which failed in this process and not in all.
    """
    first = group.rank == 0
    with fitting.recorded_warnings():
        for batch in batches(runs):
            for task in {id(run.task): run.task for run in batch.runs}.values():
                task.verify(store.index)
            rows = batch.runs[0].task.train_rows
            start, stop = shard_bounds(len(rows), group.size, group.rank)
            share = store.read(rows[start:stop])
            share.flags.writeable = False
            for items in batch.fits:
                checkpoint = checkpoint_path(items[0][1])
                fitted = _fit(items, make, share, group, checkpoint, listen if first else None)
                if first:
                    yield from _finish(items, fitted, store, environment, listen)
                    forget_checkpoint(items[0][1])


def _fit(
    items: Sequence[Item],
    make: Make,
    share: np.ndarray,
    group: Group,
    checkpoint: Path,
    listen: Listener | None,
) -> Fit | StageError:
    position, run = items[0]
    tell = listen or ignore
    tell(RunEvent("start", run, position, 0))

    def progress(done: int, steps: int) -> None:
        tell(RunEvent("fit", run, position, 0, done=int(done), steps=int(steps)))

    try:
        method = cast("Clusterer", make(run))
        return fitting.fit_share(method, share, group, checkpoint, progress)
    except (LostProcessError, StorageError):
        raise
    except StageError as error:
        if not all_come(f"failed/{run.key}"):  # the others wait for this one in vain
            raise error.cause from error
        return error


def _finish(
    items: Sequence[Item],
    fitted: Fit | StageError,
    store: FeatureStore,
    environment: Environment,
    listen: Listener,
) -> Iterator[tuple[PlannedRun, ResultRecord]]:
    """Predict, score and record the runs of one fit."""
    for number, (position, run) in enumerate(items):
        if number > 0:
            listen(RunEvent("start", run, position, 0))
        begun = time.perf_counter()
        features = np.empty((0, store.dim), np.float32)
        if isinstance(fitted, Fit):
            features = store.read(run.scored_rows)
            features.flags.writeable = False
        record = compute_run(run, fitted, features, floor(run.scored_targets, run.k), environment)
        seconds = time.perf_counter() - begun
        if number == 0:
            seconds += record.timings.fit or 0.0
        error = record.error
        listen(
            RunEvent(
                "end",
                run,
                position,
                0,
                status=record.status,
                seconds=seconds,
                message=f"{error.type}: {error.message}" if error else "",
            )
        )
        yield run, record
