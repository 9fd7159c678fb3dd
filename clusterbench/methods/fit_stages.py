"""Stages of a fit that have come to their end, in a folder, so that one that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import parse_json
from ..errors import CheckpointError, InputError
from ..files import atomic_path, check_checkpoint_folder, remove
from ..neighbours.kept import Place

_FORMAT = "clusterbench-fit-stage/1"
_SUFFIX = ".safetensors"
#: Seconds between two writings.
EVERY = 30.0


def checkpoint_path(given: Any) -> Path | None:
    """The setting `checkpoint` of a fit; InputError for what is no path."""
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InputError(f"checkpoint={given!r} should be a path, or None")
    return Path(given)


@dataclass(frozen=True)
class Stage:
    """What a stage came to. facts: JSON-able. arrays: by name."""

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class FitStages:
    """What the stages of a fit came to: a file of safetensors for each in a folder.

        FOLDER/NAME.safetensors

    Files are written every half minute, so a short fit writes none. A damaged one is warned of and
    its stage is done again. A folder with the stages of another fit is refused and never written.

    Args:
        folder: for these files, and those of a part that keeps its own (`part`); None keeps
            nothing.
        identity: of all that changes the answer.

    Raises:
        CheckpointError: the folder is a file, cannot be written, or holds another fit's stages.
    """

    def __init__(self, folder: Path | None, identity: str) -> None:
        self._folder = folder
        self._identity = identity
        self._waiting: dict[str, Stage] = {}
        self._written = time.monotonic()
        if self._folder is not None:
            self._check(self._folder)

    def part(self, name: str) -> Path | None:
        """Where a part of the fit may keep its own state."""
        return None if self._folder is None else self._folder / name

    @property
    def graphs(self) -> Place | None:
        """Where graphs of neighbours may be kept."""
        return None if self._folder is None else Place(self._folder / "neighbours")

    def known(self, name: str) -> Stage | None:
        """What a stage came to, if it had ended."""
        if self._folder is None:
            return None
        path = self._folder / (name + _SUFFIX)
        if not path.exists():
            return None
        found = _read(path)
        if found is None or found[0] != self._identity:
            warnings.warn(f"{path}: damaged; this stage of the fit is done again", stacklevel=3)
            return None
        return found[1]

    def keep(
        self, name: str, facts: Mapping[str, Any] | None = None, *, instead: str = "",
        **arrays: np.ndarray,
    ) -> None:  # fmt: skip
        """Keep what a stage came to, in the place of an earlier one that is needed no more.

        Raises StorageError when it cannot be written.
        """
        if self._folder is None:
            return
        self._waiting.pop(instead, None)
        self._waiting[name] = Stage(dict(facts or {}), arrays)
        if time.monotonic() - self._written < EVERY:
            return
        for each, stage in self._waiting.items():
            _write(self._folder / (each + _SUFFIX), self._identity, stage)
        self._waiting.clear()
        if instead:
            remove(self._folder / (instead + _SUFFIX))
        self._written = time.monotonic()

    def _check(self, folder: Path) -> None:
        check_checkpoint_folder(folder)
        for path in sorted(folder.glob("*" + _SUFFIX)):
            if path.is_dir():
                raise CheckpointError(
                    f"{path}: a folder stands where a checkpoint should be; remove it"
                )
            found = _read(path)  # of a damaged one nothing is known
            if found is not None and found[0] != self._identity:
                raise CheckpointError(
                    f"{folder}: checkpoints of another fit (other rows, settings, device or "
                    "version); name another folder, or remove it"
                )


def _write(path: Path, identity: str, stage: Stage) -> None:
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array) for name, array in stage.arrays.items()}
    said = {"format": _FORMAT, "identity": identity, "facts": json.dumps(stage.facts)}
    said["sha256"] = _digest(arrays, said)
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, said)


def _read(path: Path) -> tuple[str, Stage] | None:
    """The identity and the stage of a file; None of a damaged one."""
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as opened:
            said = dict(opened.metadata() or {})
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if (said["format"], said.pop("sha256")) != (_FORMAT, _digest(arrays, said)):
            return None
        facts = parse_json(said["facts"].encode(), str(path))
        return said["identity"], Stage(facts, arrays)
    except Exception:  # damaged in one of many ways
        return None


def _digest(arrays: Mapping[str, np.ndarray], said: Mapping[str, str]) -> str:
    """Hex SHA-256 of arrays and of what is said beside them."""
    digest = hashlib.sha256(json.dumps(sorted(said.items())).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
