"""What a results folder already holds for the runs of a plan."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError, StorageError
from ..files import write_bytes
from ..printable import shown
from ..results.predictions import holds_predictions
from ..results.record import ResultRecord, read_result
from .plan import PlannedRun, State


def survey(run: PlannedRun) -> tuple[State, ResultRecord | None]:
    """The state of one planned run and, if it is whole, its record.

    A result counts as whole only when it is readable, is the result of this very run, and its
    predictions file has the recorded hash. Anything less is "partial" and never blocks a run.
    Raises StorageError where the folder cannot be looked into.
    """
    try:
        if not run.path.exists():
            return ("partial" if run.predictions_path.exists() else "missing"), None
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise StorageError(
            f"cannot look for {shown(run.path)}: {error.strerror}; choose another --results folder"
        ) from error
    try:
        record = read_result(run.path)
    except InputError:
        return "partial", None
    if record.key != run.key or record.recomputed_key() != run.key:
        return "partial", None
    if record.status == "failed":
        return "failed", record
    if not holds_predictions(run.path, record):
        return "partial", None
    return "success", record


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
