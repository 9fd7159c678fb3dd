"""Feature stores, writing: checksummed shards, then the files that make a folder a store."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike

from ..datasets.index import DatasetIndex
from ..errors import InputError
from ..files import atomic_path, write_bytes, write_json
from .identity import identity_hash
from .store import (
    BROKEN,
    DATASET,
    FORMAT,
    INDEX,
    MANIFEST,
    PLAN,
    VIRTUAL,
    FeatureStore,
    not_finite,
    require_identity,
)

SHARD_ROWS = 65_536
_HASH_ROWS = 4096


def shard_name(number: int) -> str:
    """File name of a shard: `shard-00012.h5`."""
    return f"shard-{number:05d}.h5"


def storage_dtype(dtype: DTypeLike) -> np.dtype:
    """float16 or float32, little-endian; InputError for anything else."""
    found: np.dtype = np.dtype(dtype)
    if found not in (np.float16, np.float32):
        raise InputError(f"features as {found}; wanted float16 or float32")
    little: np.dtype = found.newbyteorder("<")
    return little


def hash_rows(data: h5py.Dataset | np.ndarray, block_rows: int = _HASH_ROWS) -> str:
    """Hex SHA-256 of the rows' raw bytes (little-endian, C order), read block by block."""
    digest = hashlib.sha256()
    for first in range(0, len(data), block_rows):
        digest.update(np.ascontiguousarray(data[first : first + block_rows]).view(np.uint8).data)
    return digest.hexdigest()


def write_shard(
    path: Path,
    features: np.ndarray,
    *,
    start: int,
    identity: str,
    attributes: dict[str, Any] | None = None,
    columns: dict[str, np.ndarray] | None = None,
) -> str:
    """Write one shard atomically and return the SHA-256 of its rows.

    features: (rows, dim) float16 or float32, finite; `start` is the position of its first sample
    in the source index. `columns` are further datasets of the file, `attributes` further
    attributes. The bytes of the file depend on the arguments only.
    """
    features = np.ascontiguousarray(features, dtype=storage_dtype(features.dtype))
    digest = hash_rows(features)
    with atomic_path(path) as temporary, _disk_full(), h5py.File(temporary, "w") as file:
        file.attrs["start"] = start
        file.attrs["rows"] = len(features)
        file.attrs["sha256"] = digest
        file.attrs["identity"] = identity
        for name, value in (attributes or {}).items():
            file.attrs[name] = value
        file.create_dataset(DATASET, data=features)
        for name, column in (columns or {}).items():
            file.create_dataset(name, data=column)
    return digest


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

    `shards` holds {"file", "start", "rows", "sha256"} in order; `source` is the hash and the size
    of the index before broken images were left out, None for features given as an array. Until
    `store.json` is there the folder is not a store, so a kill in between leaves an unfinished
    extraction, never a wrong one.
    """
    lines = [json.dumps(entry, ensure_ascii=False) + "\n" for entry in broken]
    index.save(path / INDEX)
    write_bytes(path / BROKEN, "".join(lines).encode())
    _write_virtual(path, shards, dim, dtype)
    keep = {shard["file"] for shard in shards}
    for stale in path.glob("shard-*.h5"):
        if stale.name not in keep:
            stale.unlink()
    write_json(
        path / MANIFEST,
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
            "shards": shards,
        },
    )
    (path / PLAN).unlink(missing_ok=True)


def write_array(
    path: Path,
    features: np.ndarray,
    index: DatasetIndex,
    encoder: str,
    details: dict[str, Any],
    dtype: DTypeLike | None,
    shard_rows: int | None,
) -> None:
    """The work of `FeatureStore.write`; a store of the same identity is written anew."""
    if features.ndim != 2 or len(features) != index.n or features.shape[1] < 1:
        raise InputError(
            f"features have shape {features.shape}; wanted ({index.n}, dim): one row per sample"
        )
    if dtype is None:
        dtype = features.dtype if features.dtype == np.float16 else np.float32
    target = storage_dtype(dtype)
    rows = SHARD_ROWS if shard_rows is None else shard_rows
    if rows < 1:
        raise InputError(f"shard_rows is {rows}; wanted 1 or more")
    content = hashlib.sha256()
    for first in range(0, index.n, _HASH_ROWS):
        block = _converted(features[first : first + _HASH_ROWS], target, index, first)
        content.update(block.view(np.uint8).data)
    fields = {
        "encoder": encoder,
        "details": details,
        "dtype": target.name,
        "index": index.hash,
        "features": content.hexdigest(),
    }
    identity = identity_hash(fields)
    if (path / MANIFEST).is_file():
        require_identity(FeatureStore.open(path), fields)
        (path / MANIFEST).unlink()
    shards = []
    for number, start in enumerate(range(0, index.n, rows)):
        name = shard_name(number)
        block = _converted(features[start : start + rows], target, index, start)
        digest = write_shard(path / name, block, start=start, identity=identity)
        shards.append({"file": name, "start": start, "rows": len(block), "sha256": digest})
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


def _converted(block: np.ndarray, dtype: np.dtype, index: DatasetIndex, first: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(block, dtype=dtype)
    bad = not_finite(converted)
    if bad is not None:
        sample = index.id(first + bad)
        if np.isfinite(np.asarray(block[bad], dtype=np.float64)).all():
            raise InputError(
                f"features of sample {sample!r} (row {first + bad}) reach "
                f"{np.abs(block[bad]).max():.4g}, too large for {dtype.name}; use float32"
            )
        raise InputError(
            f"features of sample {sample!r} (row {first + bad}) hold NaN or infinity; "
            "wanted finite numbers"
        )
    return converted


def _write_virtual(path: Path, shards: list[dict[str, Any]], dim: int, dtype: np.dtype) -> None:
    # Through HDF5's own calls: `create_virtual_dataset` would put the time into the file.
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    total = sum(shard["rows"] for shard in shards)
    space = h5py.h5s.create_simple((total, dim))
    first = 0
    for shard in shards:
        rows = shard["rows"]
        if rows:
            space.select_hyperslab((first, 0), (rows, dim))
            source = h5py.h5s.create_simple((rows, dim))
            properties.set_virtual(space, shard["file"].encode(), DATASET.encode(), source)
        first += rows
    space.select_all()
    with atomic_path(path / VIRTUAL) as temporary, h5py.File(temporary, "w") as file:
        kind = h5py.h5t.py_create(dtype, logical=True)
        h5py.h5d.create(file.id, DATASET.encode(), kind, space, properties)


@contextmanager
def _disk_full() -> Iterator[None]:
    """HDF5 reports a full disk in its message only; give the error its number back."""
    try:
        yield
    except OSError as error:
        if f"errno = {errno.ENOSPC}" in str(error) and error.errno != errno.ENOSPC:
            raise OSError(errno.ENOSPC, str(error)) from error
        raise
