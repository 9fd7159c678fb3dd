"""Feature stores, writing: the files that make a folder of shards a store."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...errors import InputError, StorageError
from ...files import sha256_file, write_bytes
from ...limits import DIMENSIONS, ROWS, check_name
from ...sources.dataset_index import DatasetIndex
from .identity import identity_hash, require_identity
from .layout import (
    BROKEN,
    DAMAGED,
    FORMAT,
    INDEX,
    MANIFEST,
    PLAN,
    VIRTUAL,
    shard_files,
    shard_name,
    shards_of,
)
from .shard_file import write_shard
from .store_manifest import check_identity, read_manifest, write_manifest
from .values import dtype_name, not_finite, storage_dtype, stored
from .virtual_file import write_virtual

SHARD_ROWS = 65_536
_HASH_ROWS = 4096


def finish_store(
    path: Path,
    *,
    index: DatasetIndex,
    fields: dict[str, Any],
    shard_identity: str,
    shards: list[dict[str, Any]],
    dim: int,
    dtype: np.dtype,
    shard_rows: int,
    source: dict[str, Any] | None = None,
    broken: Iterable[dict[str, str]] = (),
) -> None:
    """Write index, virtual dataset, list of broken images, and last the manifest.

    `shards` holds {"file", "start", "rows", "sha256", "file_sha256"} in order; `source` is the
    hash and the size of the index before broken images were left out, None for features given as
    an array. Until `store.json` is there the folder is not a store, so a kill in between leaves an
    unfinished extraction, never a wrong one.
    """
    lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in broken]
    index.save(path / INDEX)
    write_bytes(path / BROKEN, "".join(lines).encode())
    write_virtual(path, shards_of(path, shards), dim, dtype)
    keep = {shard["file"] for shard in shards}
    for stale in shard_files(path):
        if stale.name not in keep:
            stale.unlink()
    write_manifest(
        path,
        {
            "format": FORMAT,
            "identity": identity_hash(fields),
            "fields": fields,
            "n": index.n,
            "dim": dim,
            "dtype": dtype.name,
            "shard_rows": shard_rows,
            "broken": len(lines),
            "shard_identity": shard_identity,
            "source": source,
            "files": {name: sha256_file(path / name) for name in (INDEX, VIRTUAL, BROKEN)},
            "shards": shards,
        },
    )
    tidy_store(path)


def tidy_store(path: Path) -> None:
    """Remove what a store with its manifest needs no more; a kill may have come before that."""
    for replaced in path.glob(f"{DAMAGED}shard-*.h5"):  # by a repair that was killed
        replaced.unlink()
    (path / PLAN).unlink(missing_ok=True)


def write_array(
    path: Path,
    features: np.ndarray,
    index: DatasetIndex,
    encoder: str,
    details: dict[str, Any],
    dtype: DTypeLike | str | None,
    shard_rows: int | None,
) -> None:
    """The work of `FeatureStore.write`; a store of the same identity is written anew."""
    if len(features.shape) != 2 or len(features) != index.n or features.shape[1] < 1:
        raise InputError(
            f"features have shape {features.shape}; wanted ({index.n}, dim): one row per sample"
        )
    if features.shape[1] > DIMENSIONS:
        raise InputError(f"features have {features.shape[1]:,} dimensions; at most {DIMENSIONS:,}")
    if dtype is None:
        half = np.dtype(features.dtype).newbyteorder("=") == np.float16
        dtype = np.float16 if half else np.float32
    target, name = storage_dtype(dtype), dtype_name(dtype)
    rows = SHARD_ROWS if shard_rows is None else shard_rows
    if not 1 <= rows <= ROWS:
        raise InputError(f"shard_rows is {rows}; wanted 1 to {ROWS:,}")
    check_name(encoder, "the encoder's name")
    content = hashlib.sha256()
    for first in range(0, index.n, _HASH_ROWS):
        block = _converted(features[first : first + _HASH_ROWS], name, index, first)
        content.update(block.view(np.uint8).data)
    fields = {
        "encoder": encoder,
        "details": details,
        "dtype": name,
        "index": index.hash,
        "features": content.hexdigest(),
    }
    try:
        identity = identity_hash(fields)
    except (TypeError, ValueError) as error:  # no JSON, or a NaN
        raise InputError(f"details: {error}; wanted JSON") from error
    check_identity(fields)
    if (path / MANIFEST).is_file():
        # Not opened: its shards may be what is to be mended.
        require_identity(path, read_manifest(path)["fields"], fields)
        (path / MANIFEST).unlink()
    elif (path / PLAN).is_file():
        raise InputError(f"{path} holds an unfinished extraction; choose another folder")
    else:
        require_space(path, index.n * features.shape[1] * target.itemsize)
    shards = []
    for number, start in enumerate(range(0, index.n, rows)):
        file = path / shard_name(number)
        block = _converted(features[start : start + rows], name, index, start)
        digest = write_shard(file, block, start=start, identity=identity)
        shards.append(shard_entry(file, start, len(block), digest))
    finish_store(
        path,
        index=index,
        fields=fields,
        shard_identity=identity,
        shards=shards,
        dim=features.shape[1],
        dtype=target,
        shard_rows=rows,
    )


def shard_entry(file: Path, start: int, rows: int, sha256: str) -> dict[str, Any]:
    """A shard's entry in the manifest, with the hash of its whole file."""
    entry: dict[str, Any] = {"file": file.name, "start": start, "rows": rows, "sha256": sha256}
    return entry | {"file_sha256": sha256_file(file)}


def require_space(folder: Path, wanted: int) -> None:
    """StorageError unless the disk of a folder, there or to be made, has `wanted` bytes free.

    2% more than wanted is asked for, and 1 MB for the files beside the rows.
    """
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    wanted = int(wanted * 1.02) + (1 << 20)
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise StorageError(
            f"{folder}: {free / 1e6:,.1f} MB are free on this disk, {wanted / 1e6:,.1f} MB are "
            "needed; free some space, or choose another place"
        )


def _converted(block: np.ndarray, dtype: str, index: DatasetIndex, first: int) -> np.ndarray:
    converted = stored(np.asarray(block), dtype)
    bad = not_finite(converted)
    if bad is not None:
        sample = index.id(first + bad)
        if np.isfinite(np.asarray(block[bad], dtype=np.float64)).all():
            raise InputError(
                f"features of sample {sample!r} (row {first + bad}) reach "
                f"{np.abs(block[bad]).max():.4g}, too large for {dtype}; "
                + ("scale them down" if dtype == "float32" else "use float32")
            )
        raise InputError(
            f"features of sample {sample!r} (row {first + bad}) hold NaN or infinity; "
            "wanted finite numbers"
        )
    return converted
