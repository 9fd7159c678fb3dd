"""Stores on disk without knowing that they are sound: found, looked at, removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError, StorageError
from ...hdf5_files import DAMAGED_ERRORS, open_hdf5
from .claims import CLAIMS, Claims
from .layout import (
    DAMAGED,
    MANIFEST,
    ORIGIN,
    OWN_FILES,
    PLAN,
    shard_files,
    temporary_files,
    told_plan,
)
from .store import FeatureStore

_DEPTH = 6  # folders below the one that is searched


@dataclass(frozen=True)
class Found:
    """A store as it lies on disk. state: "whole" as far as headers say, or what it is instead."""

    path: Path
    state: str
    encoder: str
    n: int
    dim: int
    dtype: str
    nbytes: int
    identity: str


def find(folder: Path) -> Iterator[Path]:
    """Stores in a folder and below, finished or not, in the order of their paths.

    Links to folders are not followed. Raises InputError for a folder that is not there.
    """
    if is_store(folder):
        yield folder
        return
    if not os.path.isdir(folder):  # noqa: PTH112
        raise InputError(f"{folder}: no such folder")
    yield from _find(folder, _DEPTH)


def is_store(path: Path) -> bool:
    """Whether a folder or file is a store, finished, unfinished or damaged."""
    if os.path.isdir(path):  # noqa: PTH112 - which takes what is no path at all
        # An origin alone: its manifest was lost, or a repair was killed as it began.
        own = [name for name in (MANIFEST, PLAN, ORIGIN) if (path / name).is_file()]
        return bool(own) and (own != [MANIFEST] or bool(shard_files(path)) or _is_ours(path))
    return os.path.isfile(path) and _is_packed(path)  # noqa: PTH113


def _is_ours(path: Path) -> bool:
    """Whether a `store.json` without shards beside it is of this package."""
    try:
        with (path / MANIFEST).open("rb") as file:
            return b"clusterbench" in file.read(200)
    except OSError:
        return False


def look(path: Path) -> Found:
    """What a store says of itself; never raises for a damaged one."""
    try:
        store = FeatureStore.open(path)
    except InputError as error:
        encoder, state = "", str(error)
        plan = path / PLAN
        if plan.is_file() and not (path / MANIFEST).is_file():
            encoder, total = told_plan(path)
            state = f"unfinished: {len(shard_files(path))} of {total} shards"
        else:
            state = f"damaged: {state}"
        return Found(path, state, encoder, 0, 0, "", size(path), "")
    return Found(
        path,
        "whole",
        store.encoder,
        store.n,
        store.dim,
        str(store.fields["dtype"]),
        size(path),
        store.identity,
    )


def size(path: Path) -> int:
    """Bytes on disk of a store's own files."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in own_files(path))


def own_files(path: Path) -> list[Path]:
    """The files of a folder that are the store's, temporary ones of killed processes included."""
    named = [path / name for name in OWN_FILES] + shard_files(path) + temporary_files(path)
    named += sorted(path.glob(f"{DAMAGED}shard-*.h5"))
    return [file for file in named if file.is_file() or file.is_symlink()]


def remove(path: Path) -> tuple[int, list[str]]:
    """Delete a store's own files, and its folder if nothing else is in it.

    The manifest goes first, so that a kill leaves no folder that looks whole. A link to a store
    goes with it. Returns the bytes given free and the names of what was left. Raises InputError
    for what is not a store and for one that is being extracted, StorageError for a file that
    cannot be deleted.
    """
    if not is_store(path):
        raise InputError(f"{path} is not a feature store; nothing was removed")
    freed, place = size(path), path.resolve()
    try:
        left = [] if place.is_file() else _remove_own_files(place)
        if not left:
            place.unlink() if place.is_file() else place.rmdir()
            if path.is_symlink():
                path.unlink()
    except OSError as error:
        raise StorageError(
            f"{path}: {Path(error.filename or path).name} cannot be deleted ({error.strerror})"
        ) from error
    return freed, left


def is_busy(path: Path) -> bool:
    """Whether a process extracts into a folder now."""
    if not (path / CLAIMS).is_file():
        return False
    with Claims(path) as claims:
        return claims.others()


def _remove_own_files(folder: Path) -> list[str]:
    if is_busy(folder):
        raise InputError(f"{folder} is being extracted now; nothing was removed")
    (folder / MANIFEST).unlink(missing_ok=True)
    for file in own_files(folder):
        file.unlink(missing_ok=True)
    return sorted(entry.name for entry in folder.iterdir())


def _find(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            if is_store(path):
                yield path
            elif depth > 0:
                yield from _find(path, depth - 1)
        elif path.suffix == ".h5" and is_store(path):
            yield path


def _is_packed(path: Path) -> bool:
    try:
        with open_hdf5(path) as file:
            return "packed" in file.attrs
    except DAMAGED_ERRORS:
        return False
