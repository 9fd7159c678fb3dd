"""Where a training has come to, in files, so that one that was killed goes on to the same weights.

Each process writes the state of its own heads to a file of safetensors:

    FOLDER/step-000012000-heads-0-8.safetensors

with what is the same for all heads in its metadata. A step counts once the files of all heads are
there, whatever the number of processes that wrote them or go on from them; older ones are removed
then.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..files import atomic_path
from .one_of_many import OneOfMany, Single
from .training_log import Epoch

_FORMAT = "clusterbench-heads-checkpoint/1"
_NAME = re.compile(r"step-(\d{9})-heads-(\d+)-(\d+)\.safetensors")
#: Steps between two questions to the other processes whether a state is due.
_ASK_EVERY = 20


@dataclass(frozen=True)
class Kept:
    """A state of some heads: tensors by name, what all heads share, and the epochs before it."""

    tensors: dict[str, Tensor]
    shared: dict[str, Any]
    history: list[Epoch]


class StateKeeper(Protocol):
    """Keeps the state of a training; all processes ask it at the same steps."""

    def load(self, heads: slice) -> Kept | None:
        """The last state kept, of these heads; None where there is none."""
        ...

    def due(self, step: int) -> bool:
        """Whether a state should be kept after `step` steps in all."""
        ...

    def save(
        self, step: int, heads: slice, tensors: Mapping[str, Tensor], shared: dict[str, Any],
        history: Sequence[Epoch],
    ) -> None:  # fmt: skip
        """Keep a state."""
        ...


class NoKeeper:
    """Keeps nothing."""

    def load(self, heads: slice) -> Kept | None:
        """As `StateKeeper.load`."""
        return None

    def due(self, step: int) -> bool:
        """As `StateKeeper.due`."""
        return False

    def save(
        self, step: int, heads: slice, tensors: Mapping[str, Tensor], shared: dict[str, Any],
        history: Sequence[Epoch],
    ) -> None:  # fmt: skip
        """As `StateKeeper.save`."""


class TrainingFolder:
    """Keeps states in a folder, every few seconds.

    A damaged file is warned of and not gone on from. A folder with a state of another training is
    refused and never written to.

    Args:
        folder: for the files alone; made when the first one is written.
        identity: of all that changes the answer; the same in all processes.
        n_heads: of all processes.
        every: seconds between two states; 0 keeps one after each step.
        mates: the processes that share the heads.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        n_heads: int,
        every: float = 30.0,
        mates: OneOfMany | None = None,
    ) -> None:
        self._folder, self._identity, self._n_heads = Path(folder), identity, n_heads
        self._every, self._mates = every, mates or Single()
        self._written = time.monotonic()

    def load(self, heads: slice) -> Kept | None:
        """As `StateKeeper.load`.

        Raises:
            InputError: the folder is a file, or holds the state of another training.
        """
        if self._folder.exists() and not self._folder.is_dir():
            raise InputError(
                f"{self._folder}: a file stands where a folder of checkpoints should be; "
                "name another, or remove it"
            )
        # All see the folder as it is before anyone writes to it.
        steps = self._complete()
        for step in sorted(steps, reverse=True):
            parts = [part for path in steps[step] if (part := self._read(path)) is not None]
            if len(parts) == len(steps[step]):
                return _joined(parts, heads)
        return None

    def due(self, step: int) -> bool:
        """As `StateKeeper.due`; rank 0's clock decides for all."""
        late = time.monotonic() - self._written >= self._every
        if isinstance(self._mates, Single):
            return late
        if step % _ASK_EVERY:
            return False
        own = torch.tensor(float(late and self._mates.first))
        return bool(self._mates.sum(own) > 0)

    def save(
        self, step: int, heads: slice, tensors: Mapping[str, Tensor], shared: dict[str, Any],
        history: Sequence[Epoch],
    ) -> None:  # fmt: skip
        """As `StateKeeper.save`. Raises StorageError when it cannot be written."""
        from safetensors.torch import save_file

        self._folder.mkdir(parents=True, exist_ok=True)
        on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        metadata = {
            "format": _FORMAT,
            "identity": self._identity,
            "sha256": _digest(on_cpu),
            "shared": json.dumps(shared),
            "history": json.dumps([epoch.to_json() for epoch in history]),
        }
        name = f"step-{step:09d}-heads-{heads.start}-{heads.stop}.safetensors"
        with atomic_path(self._folder / name) as temporary:
            save_file(on_cpu, temporary, metadata)
        self._mates.sum(torch.zeros(()))  # until all have written theirs
        if self._mates.first:
            for found, (other, _, _) in self._files():
                if other < step:
                    found.unlink(missing_ok=True)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the folder, once the result of the training is safe."""
        if self._mates.first:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[tuple[Path, tuple[int, int, int]]]:
        if not self._folder.is_dir():
            return []
        found = []
        for path in sorted(self._folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match:
                step, first, last = map(int, match.groups())
                found.append((path, (step, first, last)))
        return found

    def _complete(self) -> dict[int, list[Path]]:
        """Steps of which the files of all heads are there, with these in order of heads."""
        by_step: dict[int, dict[int, tuple[int, Path]]] = {}
        for path, (step, first, last) in self._files():
            by_step.setdefault(step, {})[first] = (last, path)
        complete = {}
        for step, parts in by_step.items():
            at, paths = 0, []
            while at in parts:
                at, path = parts[at]
                paths.append(path)
            if at == self._n_heads:
                complete[step] = paths
        return complete

    def _read(self, path: Path) -> Kept | None:
        from safetensors import safe_open

        try:
            with safe_open(path, framework="pt") as file:
                metadata = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            whole = metadata["format"] == _FORMAT and metadata["sha256"] == _digest(tensors)
            identity = metadata["identity"]
            shared = json.loads(metadata["shared"])
            history = [Epoch.from_json(fields) for fields in json.loads(metadata["history"])]
        except Exception:  # damaged in one of many ways
            whole = False
        if not whole:
            warnings.warn(
                f"{path}: damaged; the training goes on from an earlier state, or begins anew",
                stacklevel=2,
            )
            return None
        if identity != self._identity:
            raise InputError(
                f"{path.parent}: checkpoints of another training (other rows, settings or "
                "version); name another folder, or remove it"
            )
        return Kept(tensors, shared, history)


def _joined(parts: Sequence[Kept], heads: slice) -> Kept:
    tensors = {
        name: torch.cat([part.tensors[name] for part in parts])[heads] for name in parts[0].tensors
    }
    return Kept(tensors, parts[0].shared, parts[0].history)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
