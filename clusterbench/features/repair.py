"""Repairing a store: only what is damaged is made again, from the same images and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .layout import DAMAGED, MANIFEST, PLAN, VIRTUAL, shard_name
from .shard_file import shard_fault
from .stores import unchecked
from .verify import Fault, Progress, faults
from .writer import write_virtual


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a store, and what it recorded: of its shards (file name -> SHA-256), and
    the share of its images that were broken, None where its manifest cannot be read."""

    path: Path
    faults: tuple[Fault, ...]
    recorded: dict[str, str]
    broken: float | None

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the damaged shards' files."""
        return tuple(shard_name(f.shard) for f in self.faults if f.shard is not None)


def diagnose(path: Path, progress: Progress | None = None) -> Diagnosis:
    """Everything that is wrong with a store. Raises InputError for what is not one.

    Without a sound manifest shards are held against their own checksums.
    """
    if not path.exists() or (path.is_dir() and not (path / MANIFEST).is_file()):
        unchecked(path)  # says what it is instead
    try:
        store = unchecked(path)
    except InputError as error:
        if not path.is_dir() or not (path / MANIFEST).is_file():
            raise
        found = [Fault(MANIFEST, None, f"{MANIFEST}: {error}")]
        for file in sorted(path.glob("shard-*.h5")):
            text = shard_fault(file)
            if text:
                number = int(file.stem.rpartition("-")[2])
                found.append(Fault(file.name, number, f"{file.name}: {text}"))
        return Diagnosis(path, tuple(found), {}, None)
    recorded = {shard.path.name: shard.file_sha256 for shard in store.shards}
    broken = store.broken / max(1, store.broken + store.n)
    return Diagnosis(path, tuple(faults(store, progress)), recorded, broken)


def repair(diagnosis: Diagnosis, extract: Callable[[], None]) -> tuple[str, ...]:
    """Make what is damaged again and return the names of the files that were written.

    `extract` runs the store's extraction, from its own images and weights; it is called after the
    damaged files are gone, unless only the virtual data set is, which needs no images. Raises
    InputError for a packed store and for one that was not extracted: nothing says where its
    features came from.
    """
    path = diagnosis.path
    if not diagnosis.faults:
        return ()
    if path.is_file():
        raise InputError(
            f"{path} is packed: it cannot be repaired in place; pack the folder it came from again"
        )
    names = tuple(dict.fromkeys(fault.file for fault in diagnosis.faults))
    if names == (VIRTUAL,):
        store = unchecked(path)
        write_virtual(path, store.manifest["shards"], store.dim, store.dtype)
        return names
    # Kept until what replaces them is there: one changed byte is better than no shard.
    aside = []
    for name in diagnosis.shards:
        if (path / name).is_file():
            aside.append((path / name).replace(path / f"{DAMAGED}{name}"))
    for name in (MANIFEST, PLAN):
        (path / name).unlink(missing_ok=True)
    extract()
    for file in aside:
        file.unlink(missing_ok=True)
    return names
