"""Where fits that are killed leave their state, so that the next call goes on from it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..errors import StorageError
from ..files import remove_tree
from .plan import PlannedRun


def checkpoint_path(run: PlannedRun) -> Path:
    """The checkpoint of a fit, a file or a folder, beside the result of its first run."""
    return run.path.with_suffix(".checkpoint")


def forget_checkpoint(run: PlannedRun) -> None:
    """Remove the checkpoint of a run that has its record; one that stays does no harm."""
    with suppress(StorageError):
        remove_tree(checkpoint_path(run))
