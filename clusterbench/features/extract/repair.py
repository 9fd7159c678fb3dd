"""Repairing a store: only what is damaged is made again, from the same images and weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...doors import open_regular
from ...errors import ClusterbenchError, InputError
from ...files import sha256_file, write_bytes
from ...printable import shown
from ..store.diagnosis import Diagnosis, check_repairable
from ..store.identity import differences
from ..store.layout import DAMAGED, MANIFEST, ORIGIN, PLAN, VIRTUAL
from ..store.store import FeatureStore
from ..store.store_manifest import read_manifest, write_manifest
from ..store.virtual_file import write_virtual
from .job import ExtractionJob
from .origin import Origin


def repair_job(
    diagnosis: Diagnosis,
    source: str | None = None,
    weights: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    allow_code: bool = False,
) -> ExtractionJob:
    """The extraction that makes a store's damaged files again, from its own images and weights.

    Args:
        diagnosis: of the store.
        source: where its images are now; None for where they were.
        weights: where its weights are now; None for where they were.
        device: where the encoder runs.
        workers: decoding processes; None for the cores but one.
        allow_code: whether Python that the store names may be run.

    Raises:
        InputError: the store does not say where its images are, or names code that may not be run.
    """
    origin = Origin.read(diagnosis.path).moved(source, weights)
    if not allow_code and (named := origin.code()):
        raise InputError(
            f"{diagnosis.path / ORIGIN}: names {shown(repr(named))}, which would be run; look at "
            "it, and give --allow-code if you trust it"
        )
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
        with open_regular(path / MANIFEST) as opened:
            manifest = opened.read()
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
