"""What became of the heads, epoch by epoch: lines of JSON, and TensorBoard's files."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, StorageError
from ..files import write_bytes


@dataclass(frozen=True)
class Epoch:
    """An epoch of all heads.

    epoch: from 1. steps: taken until its end. losses: mean over its steps, of each head. used:
    clusters that were the likeliest of some row of it. entropy: of the mean assignment, in nats.
    seconds: since it began, or since a killed training went on with it.
    """

    epoch: int
    steps: int
    losses: list[float]
    used: list[int]
    entropy: list[float]
    seconds: float

    @property
    def best(self) -> int:
        """The head with the lowest loss; 0 where none is finite."""
        finite = [(loss, h) for h, loss in enumerate(self.losses) if math.isfinite(loss)]
        return min(finite)[1] if finite else 0

    def to_json(self) -> dict[str, Any]:
        """As JSON, in which a number that is not finite is null."""

        def known(values: Sequence[float]) -> list[float | None]:
            return [value if math.isfinite(value) else None for value in values]

        return {**asdict(self), "losses": known(self.losses), "entropy": known(self.entropy)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Epoch:
        """From what `to_json` made."""

        def numbers(values: Sequence[float | None]) -> list[float]:
            return [math.nan if value is None else float(value) for value in values]

        return cls(
            epoch=int(fields["epoch"]),
            steps=int(fields["steps"]),
            losses=numbers(fields["losses"]),
            used=[int(n) for n in fields["used"]],
            entropy=numbers(fields["entropy"]),
            seconds=float(fields["seconds"]),
        )


#: Seconds between two writings: some methods have thousands of epochs of a few steps.
_SECONDS = 1.0


class TrainingLog:
    """A file with a line of JSON for each epoch, replaced as a whole, at most once in a second.

    A training that was killed and goes on leaves the lines of one that was not, but for seconds.

    Args:
        path: the file (.jsonl); its folder is made if need be. None writes none.
        tensorboard: folder for TensorBoard's files; needs the extra `tensorboard`.

    Raises:
        InputError: TensorBoard is asked for and not installed, or `path` is a folder.
        StorageError: no file can be written there.
    """

    def __init__(self, path: Path | None = None, tensorboard: Path | None = None) -> None:
        self._path = None if path is None else _writable(Path(path))
        self._board = None if tensorboard is None else _writer(Path(tensorboard))
        self._shown, self._written = 0, -_SECONDS

    def write(self, epochs: Sequence[Epoch], last: bool = True) -> None:
        """Write what is known of all epochs so far; StorageError when that fails.

        Args:
            epochs: from the first.
            last: whether none follows; if one does, it may bring what is left out now.
        """
        if not last and time.monotonic() - self._written < _SECONDS:
            return
        if self._path is not None:
            lines = (json.dumps(epoch.to_json()) + "\n" for epoch in epochs)
            write_bytes(self._path, "".join(lines).encode())
        if self._board is not None:
            # All epochs of a training that goes on: what a killed one wrote is purged, since some
            # of it may be of steps that are taken again.
            for epoch in epochs[self._shown :]:
                best = epoch.best
                self._board.add_scalar("loss", epoch.losses[best], epoch.steps)
                self._board.add_scalar("clusters used", epoch.used[best], epoch.steps)
                self._board.add_scalar("entropy", epoch.entropy[best], epoch.steps)
                for h, loss in enumerate(epoch.losses):
                    self._board.add_scalar(f"loss/head {h}", loss, epoch.steps)
            self._board.flush()
        self._shown, self._written = len(epochs), time.monotonic()


def _writable(path: Path) -> Path:
    """The path, once its folder is there; found out before hours of training."""
    if path.is_dir():
        raise InputError(f"log={str(path)!r} is a folder; name a file, such as training.jsonl")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: no folder can be made there: {error}") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise StorageError(f"{path.parent}: cannot be written to; name a log elsewhere")
    return path


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "TensorBoard's files need its package: pip install 'clusterbench[tensorboard]'"
        ) from error
    writer: Any = SummaryWriter
    return writer(str(folder), purge_step=0)
