"""The results a report is of: each with what it can be scored from again, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..benchmarks.task import Task
from ..errors import ClusterbenchError, InputError
from ..metrics.counts import Counts, count
from ..metrics.table import METRICS, compute
from ..metrics.validate import check_labels
from ..progress import Progress, unseen
from ..results.evidence import EvidenceReader
from ..results.found_files import found_results
from ..results.protocol import scored_rows, scored_targets
from ..results.record import ResultRecord, read_result

#: Difference of a recorded score from that of the predictions, from which it is another score.
SAME_SCORE = 1e-9


@dataclass(frozen=True, eq=False)
class ReportRun:
    """One result of a report.

    Attributes:
        path: its file.
        record: what the JSON says.
        scores: metrics by name: of the predictions, or without them of the JSON; empty for a
            failed run.
        task: as built here; None for a failed run, and where `fault` says why there is none.
        clusters: (n_scored,) unsigned integers as small as they can be, None like the task.
        fault: why it cannot be scored again, or that its JSON has other scores; "" for neither.
    """

    path: Path
    record: ResultRecord
    scores: Mapping[str, float]
    task: Task | None = None
    clusters: np.ndarray | None = None
    fault: str = ""

    @property
    def failed(self) -> bool:
        """Whether the run itself failed."""
        return self.record.status == "failed"

    @property
    def targets(self) -> np.ndarray:
        """Classes of the scored rows, (n_scored,) int32; only where there is a task."""
        assert self.task is not None
        return scored_targets(self.task, self.record.protocol)

    @property
    def rows(self) -> np.ndarray:
        """The scored rows of the store, (n_scored,) int64; only where there is a task."""
        assert self.task is not None
        return scored_rows(self.task, self.record.protocol)

    def counts(self) -> Counts:
        """The sparse table of classes and clusters, made anew; only where there is a task."""
        assert self.clusters is not None
        return counts_of(self.targets, self.clusters)


@dataclass(frozen=True, eq=False)
class Collected:
    """All results of a report.

    Attributes:
        runs: in the order of their files, each run once.
        unreadable: files that are no results, and why.
        repeated: files of runs that were there already.
    """

    runs: tuple[ReportRun, ...]
    unreadable: tuple[tuple[Path, str], ...]
    repeated: int


def collect(paths: Sequence[Path], progress: Progress = unseen) -> Collected:
    """Read result files, and those in folders, with their evidence.

    What stands in the way of one result is said of that one. A file with a run that another file
    holds already is counted only; of a failure and a success of one run, the success is taken.

    Args:
        paths: result files, or folders searched for `seed-*.json`.
        progress: called as `progress(done, total)` after each file.

    Raises:
        InputError: a path that is not there, a folder without results, or no result at all.
    """
    files = found_results([Path(path) for path in paths])
    reader = EvidenceReader()
    runs: dict[str, ReportRun] = {}
    unreadable: list[tuple[Path, str]] = []
    repeated = 0
    for number, path in enumerate(files, 1):
        try:
            record = read_result(path)
        except Exception as error:  # whatever one file runs into, the others are shown
            unreadable.append((path, fault_text(path, error)))
            record = None
        if record is not None:
            there = runs.get(record.key)
            repeated += there is not None
            if there is None or (there.failed and record.status == "success"):
                runs[record.key] = _run(path, record, reader)
        progress(number, len(files))
    if not runs:
        path, fault = unreadable[0]
        raise InputError(f"{path}: {fault}; no file given is a result")
    return Collected(tuple(runs.values()), tuple(unreadable), repeated)


def counts_of(targets: np.ndarray, predictions: np.ndarray) -> Counts:
    """The counts of classes and clusters of the same samples."""
    return count(check_labels(targets, "targets"), check_labels(predictions, "predictions"))


def fault_text(path: Path, error: Exception) -> str:
    """What an error says of a file, without its path."""
    if isinstance(error, ClusterbenchError):
        return str(error).removeprefix(f"{path}: ")
    return f"{type(error).__name__}: {error}"


def task_of(runs: Sequence[ReportRun]) -> Task | None:
    """The task that some runs of it were built with; None where it could not be built."""
    return next((run.task for run in runs if run.task is not None), None)


def _run(path: Path, record: ResultRecord, reader: EvidenceReader) -> ReportRun:
    if record.scores is None:
        return ReportRun(path, record, {})
    said = record.scores.metrics
    try:
        evidence = reader.read(path)
        found = compute(counts_of(evidence.targets, evidence.predictions), METRICS)
    except Exception as error:
        return ReportRun(path, record, said, fault=fault_text(path, error))
    clusters = evidence.predictions.astype(np.min_scalar_type(record.k - 1))
    return ReportRun(path, record, found, evidence.task, clusters, _other_scores(said, found))


def _other_scores(said: Mapping[str, float], found: Mapping[str, float]) -> str:
    """The first metric that a JSON has otherwise than its predictions give, "" if none."""
    for name, value in found.items():
        if abs(said.get(name, value) - value) > SAME_SCORE:
            return f"its JSON says {name} {said[name]:.6g}, its predictions give {value:.6g}"
    return ""
