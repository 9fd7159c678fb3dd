"""Where a training has come to, in files, so that one that was killed goes on to the same weights.

Each process writes the state of its own heads to a file of safetensors:

    FOLDER/step-000012000-heads-0-8.safetensors

with what is the same for all heads in its metadata. A step counts once the files of all heads are
there, whatever the number of processes that wrote them or go on from them; older ones are removed
then. The same number of processes goes on to the same bits; another one to these up to the rounding
that the number of processes brings (see `one_of_many`).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..doors import parse_json
from ..errors import CheckpointError
from ..files import atomic_path, check_checkpoint_folder, remove, remove_tree
from .one_of_many import OneOfMany, Single
from .training_log import Epoch

_FORMAT = "clusterbench-heads-checkpoint/1"
_NAME = re.compile(r"step-(\d{9})-heads-(\d+)-(\d+)\.safetensors")
_TEMPORARY = re.compile(rf"\.{_NAME.pattern}\..+\.tmp")
#: Steps between two questions to the other processes whether a state is due.
_ASK_EVERY = 20
#: The training takes at least this many times as long as writing its states.
_SPARING = 20


@dataclass(frozen=True)
class _File:
    """A file of the heads first..last-1 after a step."""

    path: Path
    step: int
    first: int
    last: int


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

    A damaged file is warned of and not gone on from, and a step without the files of all heads is
    passed over: the training goes on from an earlier step, or begins anew. A folder with a state
    of another training is refused and never written to.

    Args:
        folder: for the files alone; made when the first one is written.
        identity: of all that changes the answer; the same in all processes.
        every: seconds between two states at least, more where writing them takes long; 0 keeps
            one after each step.
        mates: the processes that share the heads.
    """

    def __init__(
        self, folder: Path, identity: str, every: float = 30.0, mates: OneOfMany | None = None
    ) -> None:
        self._folder, self._identity = Path(folder), identity
        self._every, self._mates = every, mates or Single()
        self._written, self._took = time.monotonic(), 0.0

    def load(self, heads: slice) -> Kept | None:
        """As `StateKeeper.load`; what one process finds decides for all.

        Raises:
            CheckpointError: the folder is a file, or holds the state of another training.
        """
        files, fault = [], None
        try:
            self._check()
            files = self._files()
        except CheckpointError as error:
            fault = error
        if self._any(fault is not None):
            raise fault or CheckpointError(
                f"{self._folder}: cannot be gone on from in another process; name another folder"
            )
        step = math.inf
        while True:
            # The folder as the first process sees it: files may reach other machines later.
            earlier = [file.step for file in files if file.step < step]
            latest = max(earlier, default=-1) if self._mates.first else 0
            step = float(self._mates.sum(torch.tensor(float(latest), dtype=torch.float64)))
            if step < 0:
                return None
            found = self._state([file for file in files if file.step == step], heads)
            if not self._any(found is None):
                return found

    def due(self, step: int) -> bool:
        """As `StateKeeper.due`; the first process's clock decides for all."""
        pause = max(self._every, _SPARING * self._took) if self._every else 0.0
        late = time.monotonic() - self._written >= pause
        if isinstance(self._mates, Single):
            return late
        if self._every and step % _ASK_EVERY:
            return False
        return self._any(late and self._mates.first)

    def save(
        self, step: int, heads: slice, tensors: Mapping[str, Tensor], shared: dict[str, Any],
        history: Sequence[Epoch],
    ) -> None:  # fmt: skip
        """As `StateKeeper.save`. Raises StorageError when it cannot be written."""
        begin = time.monotonic()
        on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        metadata = {
            "format": _FORMAT,
            "identity": self._identity,
            "shared": json.dumps(shared),
            "history": json.dumps([epoch.to_json() for epoch in history]),
        }
        metadata["sha256"] = _digest(on_cpu, metadata)
        name = f"step-{step:09d}-heads-{heads.start}-{heads.stop}.safetensors"
        for last_try in (False, True):
            try:
                with atomic_path(self._folder / name) as temporary:
                    save_file(on_cpu, temporary, metadata)
                break
            except FileNotFoundError:  # removed by one that trained the same, and has ended
                if last_try:
                    raise
        self._any(False)  # until all have written theirs
        if self._mates.first:
            self._tidy(step)
        self._written = time.monotonic()
        self._took = self._written - begin

    def remove(self) -> None:
        """Remove the folder, once the result of the training is safe; StorageError if it fails."""
        if self._mates.first:
            remove_tree(self._folder)

    def _tidy(self, step: int) -> None:
        """Remove earlier states, and temporary files of processes that were killed."""
        for file in self._files():
            if file.step < step:
                remove(file.path)
        for path in self._folder.iterdir():
            if _TEMPORARY.fullmatch(path.name):
                remove(path)

    def _any(self, said: bool) -> bool:
        """Whether one of the processes says so; each waits for the others."""
        return bool(self._mates.sum(torch.tensor(float(said))) > 0)

    def _check(self) -> None:
        """Refuse what is no folder of this training, or cannot be written to."""
        check_checkpoint_folder(self._folder)
        for file in self._files():
            if file.path.is_dir():
                raise CheckpointError(
                    f"{file.path}: a folder stands where a checkpoint should be; remove it"
                )
            try:
                with safe_open(file.path, framework="pt") as opened:
                    said = dict(opened.metadata() or {})
            except Exception:  # damaged, or written over: warned of when it is read
                continue
            if (said.get("format"), said.get("identity")) != (_FORMAT, self._identity):
                raise CheckpointError(
                    f"{self._folder}: checkpoints of another training (other rows, settings, "
                    "device or version); name another folder, or remove it"
                )

    def _files(self) -> list[_File]:
        if not self._folder.is_dir():
            return []
        found = []
        for path in sorted(self._folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match:
                found.append(_File(path, *map(int, match.groups())))
        return found

    def _state(self, files: Sequence[_File], heads: slice) -> Kept | None:
        """The state of some heads, from the whole ones of a step's files, if these have all."""
        parts: list[Kept] = []
        # Where several numbers of processes wrote this step its files overlap: rather its own.
        same = {file: (file.first, file.last) == (heads.start, heads.stop) for file in files}
        at, left = heads.start, sorted(files, key=lambda file: (not same[file], -file.last))
        while at < heads.stop:
            file = next((file for file in left if file.first <= at < file.last), None)
            if file is None:
                return None
            left.remove(file)
            part = self._read(file)
            if part is not None:
                own = slice(at - file.first, min(file.last, heads.stop) - file.first)
                cut = {name: tensor[own] for name, tensor in part.tensors.items()}
                parts.append(Kept(cut, part.shared, part.history))
                at = file.last
        tensors = {
            name: torch.cat([part.tensors[name] for part in parts]) for name in parts[0].tensors
        }
        return Kept(tensors, parts[0].shared, parts[0].history)

    def _read(self, file: _File) -> Kept | None:
        """What a file holds; None of a damaged one."""
        try:
            with safe_open(file.path, framework="pt") as opened:
                said = dict(opened.metadata() or {})
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            hashed = said.pop("sha256")
            whole = (said["format"], hashed) == (_FORMAT, _digest(tensors, said))
            whole &= all(len(tensor) == file.last - file.first for tensor in tensors.values())
            shared = parse_json(said["shared"].encode(), str(file.path))
            history = parse_json(said["history"].encode(), str(file.path))
            epochs = [Epoch.from_json(fields) for fields in history]
        except Exception:  # damaged in one of many ways
            whole = False
        if not whole:
            warnings.warn(
                f"{file.path}: damaged; the training goes on from an earlier state, or begins anew",
                stacklevel=2,
            )
            return None
        return Kept(tensors, shared, epochs)


def _digest(tensors: Mapping[str, Tensor], said: Mapping[str, str]) -> str:
    """Hex SHA-256 of tensors and of what is said beside them."""
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
