"""One shard: an HDF5 file with contiguous rows, written whole and read by offset.

Rows are read with `pread` at the offset that HDF5 gives for the dataset: no library lock, no
shared file position, the same speed as a memory map. HDF5's file locks are never taken.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...doors import open_regular, require_regular
from ...errors import InputError
from ...hdf5_files import DAMAGED_ERRORS, create_hdf5, text_attribute
from ...hdf5_files import open_hdf5 as open_hdf5
from ...printable import shown
from .layout import DATASET, Shard
from .values import storage_dtype

_HASH_ROWS = 4096
_REFERENCE = np.dtype([("length", "<u4"), ("address", "<u8"), ("number", "<u4")])  # of a text
_REPAIR = "`clusterbench cache repair` makes this shard again"


#: Datasets of an extracted shard beside its rows, an entry per image or per broken image.
COLUMNS = ("broken", "image_sha256", "image_sizes", "reasons")
#: Attributes that follow from the shard, and the one that says what made it, as JSON.
ATTRIBUTES = ("start", "rows", "sha256", "columns_sha256", "identity")
MADE_WITH = "made_with"


def write_shard(
    path: Path,
    features: np.ndarray,
    *,
    start: int,
    identity: str,
    attributes: Mapping[str, Any] | None = None,
    columns: Mapping[str, np.ndarray] | None = None,
) -> str:
    """Write one shard atomically and return the SHA-256 of its rows.

    features: (rows, dim) float16 or float32, finite; `start` is the position of its first sample
    in the source index. `columns` are further datasets of the file, `attributes` further
    attributes. The bytes of the file depend on the arguments only. Raises StorageError.
    """
    features = np.ascontiguousarray(features, dtype=storage_dtype(features.dtype))
    columns = columns or {}
    digest = hash_rows(features)
    with create_hdf5(path) as file:
        file.attrs["start"] = start
        file.attrs["rows"] = len(features)
        file.attrs["sha256"] = digest
        file.attrs["columns_sha256"] = hash_columns(columns)
        file.attrs["identity"] = identity
        for name, value in sorted((attributes or {}).items()):
            file.attrs[name] = value
        file.create_dataset(DATASET, data=features)
        for name, column in sorted(columns.items()):
            kind = h5py.string_dtype() if column.dtype.kind == "O" else column.dtype
            file.create_dataset(name, data=column, dtype=kind)
    return digest


def hash_rows(data: h5py.Dataset | np.ndarray, start: int = 0, stop: int | None = None) -> str:
    """Hex SHA-256 of the raw bytes (little-endian, C order) of rows [start, stop)."""
    digest = hashlib.sha256()
    stop = len(data) if stop is None else stop
    for first in range(start, stop, _HASH_ROWS):
        block = np.ascontiguousarray(data[first : min(first + _HASH_ROWS, stop)])
        digest.update(block.view(np.uint8).data)
    return digest.hexdigest()


def hash_columns(columns: Mapping[str, np.ndarray]) -> str:
    """Hex SHA-256 of a shard's other datasets: names, shapes, bytes; texts as JSON."""
    digest = hashlib.sha256()
    for name in sorted(columns):
        column = np.asarray(columns[name])
        digest.update(f"{name}\0{column.shape}\0".encode())
        if column.dtype.kind == "O":
            texts = [v.decode() if isinstance(v, bytes) else str(v) for v in column.tolist()]
            digest.update(json.dumps(texts).encode())
        else:
            digest.update(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def shard_fault(path: Path) -> str | None:
    """Why a shard's contents are not those it was written with, by its own checksums; or None."""
    try:
        with open_hdf5(path) as file:
            rows = plain(file, DATASET, path)
            if len(rows.shape) != 2:
                return f"its rows have shape {rows.shape}"
            found = shard_columns(file, path)
            if hash_rows(rows) != text_attribute(file, "sha256"):
                return "its rows do not hash to its checksum"
            if hash_columns(found) != text_attribute(file, "columns_sha256"):
                return "its image records do not hash to their checksum"
    except DAMAGED_ERRORS as error:
        return reason(error)
    return None


def plain(group: h5py.Group, name: str, path: Path) -> h5py.Dataset:
    """A dataset as `write_shard` writes them: in this very file, contiguous, as large as it says.

    Raises ValueError for another one, such as one whose values lie in another file: HDF5 would
    look for that wherever the file says.
    """
    link = group.get(name, getlink=True)
    data = group[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"{name} is no dataset of the file")
    made = data.id.get_create_plist()
    if made.get_layout() == h5py.h5d.CHUNKED:
        raise ValueError(f"{name} is compressed or in chunks; wanted contiguous values")
    if made.get_layout() != h5py.h5d.CONTIGUOUS or made.get_external_count():
        raise ValueError(f"the values of {name} are not in the file itself")
    size, offset = data.nbytes, data.id.get_offset()
    if offset is None and size:
        raise ValueError(f"{name} was never written")
    there = path.stat().st_size
    if size > there or (offset or 0) + size > there:
        raise ValueError(f"its header asks for {size:,} bytes, it has {there:,}")
    return data


def shard_columns(group: h5py.Group, path: Path) -> dict[str, np.ndarray]:
    """A shard's other datasets by name; ValueError for names and sizes that none of ours has."""
    names = sorted(group)
    if unknown := set(names) - {DATASET, *COLUMNS}:
        raise ValueError(f"it holds {shown(repr(min(unknown)))}, which no shard has")
    found = {}
    for name in names:
        if name != DATASET:
            data = plain(group, name, path)
            _check_texts(data, path)
            found[name] = data[()]
    return found


def made_with(group: h5py.Group) -> dict[str, str]:
    """What a shard says beside what follows from it; ValueError for what none of ours says."""
    if unknown := set(group.attrs) - {*ATTRIBUTES, MADE_WITH}:
        raise ValueError(f"it has the attribute {shown(repr(min(unknown)))}, which no shard has")
    return {MADE_WITH: text_attribute(group, MADE_WITH)} if MADE_WITH in group.attrs else {}


def _check_texts(data: h5py.Dataset, path: Path) -> None:
    """ValueError for texts that are longer together than the file: a few bytes can name one."""
    if data.dtype.kind != "O":
        return
    if h5py.check_string_dtype(data.dtype) is None or data.ndim != 1:
        raise ValueError("its texts are none")
    if not data.size:
        return
    with open_regular(path) as file:
        file.seek(data.id.get_offset())
        held = np.frombuffer(file.read(data.size * _REFERENCE.itemsize), _REFERENCE)
    if len(held) < data.size or int(held["length"].sum(dtype=np.uint64)) > path.stat().st_size:
        raise ValueError("its texts are longer than the file")


def rows_offset(shard: Shard, dim: int, dtype: np.dtype, identity: str) -> int:
    """Byte at which a shard's rows begin; its header is checked.

    Raises InputError for a shard that is missing, truncated, not HDF5, of another shape or dtype,
    or of another identity.
    """
    path = shard.path
    if not os.path.lexists(path):
        raise InputError(
            f"{path}: shard is missing; run the same extraction again: only it is redone"
        )
    require_regular(path)
    try:
        with open_hdf5(path) as file:
            data = plain(file, DATASET, path)
            shape, found, offset = tuple(data.shape), data.dtype, data.id.get_offset()
            whose = text_attribute(file, "identity")
    except DAMAGED_ERRORS as error:
        raise InputError(
            f"{path}: {reason(error)}; `clusterbench cache repair` makes this shard again"
        ) from error
    wanted = (shard.skip + shard.rows, dim)
    # A packed file has the rows of all shards.
    fits = shape == wanted or (not shard.file_sha256 and shape[1:] == wanted[1:])
    if not fits or shape[0] < wanted[0] or found != dtype:
        raise InputError(f"{path}: holds {shape} {found}; wanted {wanted} {dtype}; {_REPAIR}")
    if whose != identity:
        raise InputError(
            f"{path}: identity {whose[:12]}; this store's "
            f"shards have {identity[:12]}: the file belongs to another extraction; {_REPAIR}"
        )
    if offset is None:
        return 0
    return int(offset) + shard.skip * dim * int(dtype.itemsize)


class RowFile:
    """A file opened once, read by offset from any thread; closed when nothing refers to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        with open_regular(path) as file:
            self._descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read_into(self, out: np.ndarray, offset: int) -> None:
        """Fill a C-contiguous array from a byte offset; InputError when the file is too short."""
        view = out.reshape(-1).view(np.uint8).data
        done = 0
        while done < len(view):
            count = _read_at(self._descriptor, view[done:], offset + done)
            if count == 0:
                raise InputError(
                    f"{self.path}: ends at byte {offset + done:,}, it was longer when the store "
                    "was opened; `clusterbench cache repair` makes this shard again"
                )
            done += count


def _read_at(descriptor: int, view: memoryview, offset: int) -> int:
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [view], offset)
    content = _pread(descriptor, len(view), offset)
    view[: len(content)] = content
    return len(content)


def _pread(descriptor: int, count: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    # Windows: a descriptor of its own, so that threads do not share a position.
    with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
        file.seek(offset)
        return file.read(count)


def reason(error: Exception) -> str:
    """What HDF5 means, in words."""
    text = " ".join(str(error).split())
    if "truncated file" in text:
        return "truncated (the file is shorter than its header says)"
    if "signature not found" in text:
        return "not an HDF5 file"
    return f"not a readable shard ({text[:200]})"
