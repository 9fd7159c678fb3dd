"""What a results folder already holds for the runs of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import StorageError
from ..files import write_bytes
from ..printable import shown
from ..results.predictions import holds_predictions
from ..results.record import ResultRecord, read_result
from ..results.task_facts import first_difference, has_ranks
from .plan import PlannedRun, State
from .reporting.summary import COLUMNS


def survey(run: PlannedRun) -> tuple[State, ResultRecord | None]:
    """The state of one planned run and, if it is whole, its record.

    A result counts as whole only when it is readable, is the result of this very run, of its task's
    sizes and with the metrics of a report, and its predictions file has the recorded hash. Anything
    less is "partial" and never blocks a run. Raises StorageError where the folder cannot be looked
    into.
    """
    try:
        if not _there(run.path):
            return ("partial" if _there(run.predictions_path) else "missing"), None
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise StorageError(
            f"cannot look for {shown(run.path)}: {error.strerror}; choose another --results folder"
        ) from error
    try:
        record = read_result(run.path)
    except Exception:  # whatever reading it runs into, it is repeated
        return "partial", None
    if record.key != run.key or record.recomputed_key() != run.key:
        return "partial", None
    if first_difference(record, run.task) or not _reported(record):
        return "partial", None
    if record.status == "failed":
        return "failed", record
    if not has_ranks(record, run.task) or not holds_predictions(run.path, record):
        return "partial", None
    return "success", record


def _reported(record: ResultRecord) -> bool:
    """Whether a record has what a report shows of it."""
    held = [record.random_floor, *([record.scores.metrics] if record.scores else [])]
    return all(name in metrics for metrics in held for name in COLUMNS)


def check_replaceable(run: PlannedRun) -> None:
    """Raise StorageError when a folder stands where a run's result or predictions would be."""
    for path in (run.path, run.predictions_path):
        if path.is_dir() and not path.is_symlink():
            raise StorageError(
                f"{path}: is a folder, where a result has to be written; move it away, or choose "
                "another --results folder"
            )


def check_writable(results: Path) -> None:
    """Write and remove an empty file in the results folder, making the folder if need be.

    Raises StorageError when that fails, so that nothing is computed that could not be kept.
    """
    probe = Path(results) / ".write-probe"
    try:
        write_bytes(probe, b"")
        probe.unlink()
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(
            f"cannot write in {results}: {error.strerror}; choose another --results folder"
        ) from error


def count_states(states: Iterable[State]) -> dict[str, int]:
    """How many runs are in each state, in a fixed order, zeros left out."""
    found = list(states)
    order: tuple[State, ...] = ("success", "failed", "partial", "missing")
    return {state: found.count(state) for state in order if state in found}


def _there(path: Path) -> bool:
    """Whether something is there, be it a link to nothing; OSError where nobody can tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
