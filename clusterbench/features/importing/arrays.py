"""Features in NumPy's files (.npy, .npz) and in HDF5."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from ...errors import InputError
from .matrix import BlockFile, FeatureFile, MappedFile, checked_shape, choose_array

_OBJECTS = "Python objects are not loaded, since that could run code"


@contextmanager
def reading(path: Path, advice: str) -> Iterator[None]:
    """Turn what a library raises about a damaged file into an InputError that names it."""
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except Exception as error:  # a damaged file raises whatever the reading meets first
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: not a readable {path.suffix.lower()} file ({reason[:200]}); {advice}"
        ) from error


def open_npy(path: Path, array: str | None) -> FeatureFile:
    """A .npy file, whose rows are read where they lie; its array has no name."""
    if array is not None:
        raise InputError(f"{path}: holds one array, which has no name; leave --array out")
    with path.open("rb") as handle:
        start = handle.read(6)
    if start != b"\x93NUMPY":  # np.load would take it for a pickle
        raise InputError(f"{path}: not a .npy file, it starts with {start!r}; save it again")
    with path.open("rb") as handle, reading(path, "save it with numpy.save"):
        shape, fortran, dtype = _npy_header(handle)
        offset = handle.tell()
    n, dim = checked_shape(str(path), shape, _kind(path, dtype))
    wanted = offset + n * dim * dtype.itemsize
    if path.stat().st_size < wanted:
        raise InputError(
            f"{path}: has {path.stat().st_size:,} bytes; its header promises {wanted:,}: the file "
            "is cut off"
        )
    kind = dtype.newbyteorder("=").name
    return MappedFile(path, None, n, dim, kind, dtype, offset=offset, fortran=fortran)


def open_npz(path: Path, array: str | None) -> FeatureFile:
    """One array of a .npz archive."""
    headers = {}
    with reading(path, "save it with numpy.savez"), zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                with archive.open(member) as stream:
                    headers[member.removesuffix(".npy")] = _npy_header(stream)
    name = choose_array(path, {key: header[0] for key, header in headers.items()}, array)
    shape, fortran, dtype = headers[name]
    where = f"{path}: {name!r}"
    n, dim = checked_shape(where, shape, _kind(where, dtype))
    if fortran and min(n, dim) > 1:
        raise InputError(f"{where}: is stored column by column; save numpy.ascontiguousarray of it")
    return _NpzArray(path, name, n, dim, dtype.newbyteorder("=").name, dtype)


@dataclass(frozen=True, eq=False)
class _NpzArray(BlockFile):
    dtype: np.dtype

    def blocks(self) -> Iterator[np.ndarray]:
        size = self.dim * self.dtype.itemsize
        with (
            reading(self.path, "save it with numpy.savez"),
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{self.array}.npy") as stream,
        ):
            _npy_header(stream)
            for first in range(0, self.n, self.block_rows):
                rows = min(self.block_rows, self.n - first)
                content = stream.read(rows * size)
                if len(content) < rows * size:
                    raise InputError(f"{self.where}: is cut off in row {first:,} or after")
                yield np.frombuffer(content, self.dtype).reshape(rows, self.dim)


def open_hdf5(path: Path, array: str | None) -> FeatureFile:
    """One dataset of an HDF5 file, in whatever group."""
    with reading(path, "wanted an HDF5 file"), h5py.File(path, "r") as file:
        shapes = {name: data.shape for name, data in hdf5_datasets(file).items()}
        name = choose_array(path, shapes, array)
        dtype = file[name].dtype
    where = f"{path}: {name!r}"
    n, dim = checked_shape(where, shapes[name], _kind(where, dtype))
    return _Hdf5Array(path, name, n, dim, dtype.newbyteorder("=").name)


class _Hdf5Array(BlockFile):
    def blocks(self) -> Iterator[np.ndarray]:
        with reading(self.path, "wanted an HDF5 file"), h5py.File(self.path, "r") as file:
            data = file[self.array]
            rows = self.block_rows
            if data.chunks:  # whole chunks, so that none is decompressed twice
                rows = max(data.chunks[0], rows - rows % data.chunks[0])
            for first in range(0, self.n, rows):
                yield data[first : first + rows]


def hdf5_datasets(file: h5py.File) -> dict[str, Any]:
    """Path in the file -> dataset, of all datasets with an axis."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            found[name] = item

    file.visititems(visit)
    return found


def _kind(where: object, dtype: np.dtype) -> str:
    if dtype.hasobject:
        raise InputError(f"{where}: holds pickled objects; {_OBJECTS}; save an array of floats")
    return str(dtype.newbyteorder("=").name)


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0
    if version >= (2, 0):
        read = np.lib.format.read_array_header_2_0
    return read(stream)
