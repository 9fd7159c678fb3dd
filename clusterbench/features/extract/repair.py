"""Repairing a store: only what is damaged is made again, from the same images and weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...doors import open_regular
from ...errors import ClusterbenchError, InputError
from ...files import sha256_file, write_bytes
from ...hdf5_files import open_hdf5
from ...limits import FREE_TEXT
from ...progress import Progress
from ..store.faults import Fault, faults
from ..store.identity import differences
from ..store.layout import (
    BROKEN,
    DAMAGED,
    MANIFEST,
    ORIGIN,
    PLAN,
    VIRTUAL,
    shard_files,
    shard_name,
)
from ..store.on_disk import is_busy
from ..store.shard_file import plain, shard_fault
from ..store.store import FeatureStore
from ..store.store_manifest import read_manifest, require_folder, write_manifest
from ..store.virtual_file import write_virtual
from .job import ExtractionJob
from .origin import Origin


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a store, and what it recorded.

    recorded: file name of a shard -> SHA-256. broken: share of its images that were. fields: of its
    identity. virtual: SHA-256 of `features.h5`. Without a manifest that can be read there are neither hashes nor fields, and the share
    is that of what can be read.
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
            with open_regular(path / BROKEN) as lines:
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


def repair_job(
    diagnosis: Diagnosis,
    source: str | None = None,
    weights: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> ExtractionJob:
    """The extraction that makes a store's damaged files again, from its own images and weights.

    Args:
        diagnosis: of the store.
        source: where its images are now; None for where they were.
        weights: where its weights are now; None for where they were.
        device: where the encoder runs.
        workers: decoding processes; None for the cores but one.

    Raises:
        InputError: the store does not say where its images are.
    """
    origin = Origin.read(diagnosis.path).moved(source, weights)
    max_broken = min(1.0, max(0.01, diagnosis.broken + 1e-9))
    return ExtractionJob(
        origin, diagnosis.path, device, workers, max_broken, check_images=True, repairing=True
    )


def repair(diagnosis: Diagnosis, extract: Callable[[], None]) -> tuple[str, ...]:
    """Make what is damaged again and return the names of the files that were written.

    `extract` runs the store's extraction, from its own images and weights; it is called after the
    damaged files are put aside, unless only the virtual data set is damaged. Whatever it raises,
    the store is afterwards as it was, or has fewer damaged shards. Raises what `check_repairable`
    does, and ClusterbenchError when the images are not those the store was made from.
    """
    path = diagnosis.path
    if not diagnosis.faults:
        return ()
    check_repairable(diagnosis)
    names = tuple(dict.fromkeys(fault.file for fault in diagnosis.faults))
    if diagnosis.only_virtual:
        _rewrite_virtual(path, diagnosis.virtual)
        return names
    manifest = None
    if (path / MANIFEST).is_file():
        with open_regular(path / MANIFEST) as file:
            manifest = file.read()
    # Kept until what replaces them is there: one changed byte is better than no shard.
    aside: dict[str, Path] = {}
    try:
        for name in diagnosis.shards:
            if (path / name).is_file():
                aside[name] = (path / name).replace(path / f"{DAMAGED}{name}")
        for name in (MANIFEST, PLAN):
            (path / name).unlink(missing_ok=True)
        extract()
        _require_same(diagnosis)
        _keep_virtual(diagnosis)
    except BaseException:
        _restore(path, aside, manifest)
        raise
    for file in aside.values():
        file.unlink(missing_ok=True)
    return names


def _rewrite_virtual(path: Path, recorded: str) -> None:
    store = FeatureStore.unchecked(path)
    write_virtual(path, store.shards, store.dim, store.dtype, recorded)
    files = {**store.manifest["files"], VIRTUAL: sha256_file(path / VIRTUAL)}
    if files != store.manifest["files"]:  # another version of HDF5 has other bytes for the same
        write_manifest(path, {**store.manifest, "files": files})


def _keep_virtual(diagnosis: Diagnosis) -> None:
    """Write `features.h5` as it was recorded, where the store was made by an older version."""
    store = FeatureStore.unchecked(diagnosis.path)
    if diagnosis.virtual not in ("", store.manifest["files"][VIRTUAL]):
        _rewrite_virtual(diagnosis.path, diagnosis.virtual)


def _require_same(diagnosis: Diagnosis) -> None:
    if diagnosis.fields is None:
        return
    lines = differences(diagnosis.fields, read_manifest(diagnosis.path)["fields"])
    if lines:
        raise ClusterbenchError(
            f"{diagnosis.path}: the images are not those it was made from "
            f"({'; '.join(lines)}); the store is as it was: give those with --source, or extract "
            "into another folder"
        )


def _restore(path: Path, aside: dict[str, Path], manifest: bytes | None) -> None:
    """Put back what was there before; shards that were made again in the meantime stay.

    The plan goes with the manifest: without one, it says how to go on.
    """
    for name, file in aside.items():
        if not file.is_file():  # the extraction was complete
            continue
        if (path / name).is_file():
            file.unlink()
        else:
            file.replace(path / name)
    if manifest is not None:
        write_bytes(path / MANIFEST, manifest)
        (path / PLAN).unlink(missing_ok=True)
