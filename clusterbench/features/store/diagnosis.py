"""What is wrong with a store as a whole, and whether it can be made again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...doors import open_regular
from ...errors import InputError
from ...hdf5_files import open_hdf5
from ...limits import BROKEN_LIST, FREE_TEXT
from ...progress import Progress
from .faults import Fault, faults
from .layout import BROKEN, MANIFEST, ORIGIN, PLAN, VIRTUAL, shard_files, shard_name
from .on_disk import is_busy
from .shard_file import plain, shard_fault
from .store import FeatureStore
from .store_manifest import require_folder


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a store, and what it recorded.

    recorded: file name of a shard -> SHA-256. broken: share of its images that were. fields: of its
    identity. virtual: SHA-256 of `features.h5`. Without a manifest that can be read there are
    neither hashes nor fields, and the share is that of what can be read.
    """

    path: Path
    faults: tuple[Fault, ...]
    recorded: dict[str, str]
    broken: float
    fields: dict[str, Any] | None = None
    extracted: bool = True
    virtual: str = ""

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of the damaged shards' files."""
        return tuple(shard_name(f.shard) for f in self.faults if f.shard is not None)

    @property
    def only_virtual(self) -> bool:
        """Whether nothing but the virtual data set is damaged, which needs no images."""
        return {fault.file for fault in self.faults} == {VIRTUAL}


def diagnose(path: Path, progress: Progress | None = None) -> Diagnosis:
    """Everything that is wrong with a store. Raises InputError for what is not one.

    Without a sound manifest shards are held against their own checksums.
    """
    try:
        store = FeatureStore.unchecked(path)
    except InputError as error:
        if not os.path.isfile(path):  # noqa: PTH113 - which takes what is no path at all
            require_folder(path)
        lost = (path / ORIGIN).is_file() and not (path / PLAN).is_file()
        if not (path / MANIFEST).is_file() and not lost:
            raise  # it says what it is instead
        text = str(error).removeprefix(f"{path / MANIFEST}: ")
        if not (path / MANIFEST).is_file():
            text = "is missing; `clusterbench cache repair` writes it again"
        found = [Fault(MANIFEST, None, f"{MANIFEST}: {text}")]
        images = n_broken = 0
        for file in shard_files(path):
            fault = shard_fault(file)
            if fault:
                number = int(file.stem.rpartition("-")[2])
                found.append(Fault(file.name, number, f"{file.name}: {fault}"))
                continue
            with open_hdf5(file) as content:
                if "image_sizes" in content and "broken" in content:
                    images += len(plain(content, "image_sizes", file))
                    n_broken += len(plain(content, "broken", file))
        # The list has those of damaged shards too.
        listed = 0
        if (path / BROKEN).is_file():
            with open_regular(path / BROKEN, BROKEN_LIST) as lines:
                listed = sum(1 for _ in iter(lambda: lines.readline(FREE_TEXT), b""))
        return Diagnosis(path, tuple(found), {}, max(n_broken, listed) / max(1, images))
    recorded = {shard.path.name: shard.file_sha256 for shard in store.shards}
    broken = store.broken / max(1, store.broken + store.n)
    found = faults(store, progress)
    extracted = store.packed or store.manifest["source"] is not None
    virtual = store.manifest["files"][VIRTUAL]
    return Diagnosis(path, tuple(found), recorded, broken, store.fields, extracted, virtual)


def check_repairable(diagnosis: Diagnosis) -> None:
    """InputError for a store that cannot be made again here: packed, or of given features."""
    path = diagnosis.path
    if path.is_file():
        raise InputError(
            f"{path} is packed: it cannot be repaired in place; pack the folder it came from again"
        )
    if not diagnosis.extracted and not diagnosis.only_virtual:
        raise InputError(
            f"{path} was made from features that were given, not from images: of its files only "
            f"{VIRTUAL} can be written again; remove the store and import the features again"
        )
    if is_busy(path):
        raise InputError(f"{path} is being extracted now; repair it when that is done")
