"""Features in NumPy's files (.npy, .npz)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...doors import open_regular
from ...errors import InputError
from ...limits import check_unpacked
from ...numpy_files import ArrayHeader, array_header, open_zip
from ...printable import shown
from .matrix import ArrayEntry, BlockFile, FeatureFile, MappedFile, checked_shape, choose_array

_OBJECTS = "Python objects are not loaded, since that could run code"
_ADVICE = "save it with numpy.savez"


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
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        raise InputError(
            f"{path}: not a readable {path.suffix.lower()} file ({reason}); {advice}"
        ) from error


def open_npy(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """A .npy file, whose rows are read where they lie; its array has no name."""
    if array is not None:
        raise InputError(f"{path}: holds one array, which has no name; leave --array out")
    with open_regular(path) as handle:
        start = handle.read(6)
        if start != b"\x93NUMPY":  # np.load would take it for a pickle
            raise InputError(f"{path}: not a .npy file, it starts with {start!r}; save it again")
        handle.seek(0)
        with reading(path, "save it with numpy.save"):
            header = array_header(handle)
        offset = handle.tell()
    n, dim = checked_shape(str(path), header.shape, _kind(str(path), header.dtype))
    wanted, found = offset + header.nbytes, path.stat().st_size
    if found < wanted:
        raise InputError(
            f"{path}: has {found:,} bytes; its header promises {wanted:,}: the file is cut off"
        )
    kind = header.dtype.newbyteorder("=").name
    return MappedFile(path, None, n, dim, kind, header.dtype, offset=offset, fortran=header.fortran)


def npz_entries(path: Path) -> dict[str, ArrayEntry]:
    """The arrays of a .npz archive, of which only headers are read."""
    return {
        name: ArrayEntry(header.shape, header.dtype.newbyteorder("=").name)
        for name, (header, _, _) in _headers(path).items()
    }


def open_npz(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """One array of a .npz archive."""
    headers = _headers(path)
    shapes = {name: header.shape for name, (header, _, _) in headers.items()}
    name = choose_array(path, shapes, array, used)
    header, size, packed = headers[name]
    where = f"{path}: {shown(repr(name))}"
    n, dim = checked_shape(where, header.shape, _kind(where, header.dtype))
    if size < header.nbytes:
        raise InputError(
            f"{where}: has {size:,} bytes; its header promises {header.nbytes:,}: it is cut off"
        )
    check_unpacked(where, header.nbytes, packed)
    kind = header.dtype.newbyteorder("=").name
    return _NpzArray(path, name, n, dim, kind, header.dtype, header.fortran)


@dataclass(frozen=True, eq=False)
class _NpzArray(BlockFile):
    dtype: np.dtype
    fortran: bool

    @property
    def by_column(self) -> bool:
        return self.fortran

    def blocks(self) -> Iterator[np.ndarray]:
        left, step = self.n * self.dim, self.block_rows * self.dim
        with (
            reading(self.path, _ADVICE),
            open_regular(self.path) as file,
            open_zip(file) as archive,
            archive.open(f"{self.array}.npy") as stream,
        ):
            array_header(stream)
            while left:
                count = min(step, left)
                content = stream.read(count * self.dtype.itemsize)
                if len(content) < count * self.dtype.itemsize:
                    row = (self.n * self.dim - left) // self.dim
                    raise InputError(f"{self.where}: is cut off in row {row:,} or after")
                yield np.frombuffer(content, self.dtype)
                left -= count


def _headers(path: Path) -> dict[str, tuple[ArrayHeader, int, int]]:
    """Name -> header of each array, its bytes unpacked and packed."""
    found = {}
    with reading(path, _ADVICE), open_regular(path) as file, open_zip(file) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        for info in members:
            name = info.filename.removesuffix(".npy")
            if name in found:
                raise InputError(f"{path}: two arrays are named {shown(repr(name))}")
            with archive.open(info) as stream:
                found[name] = (array_header(stream), info.file_size, info.compress_size)
    return found


def _kind(where: str, dtype: np.dtype) -> str:
    if dtype.hasobject:
        raise InputError(f"{where}: holds pickled objects; {_OBJECTS}; save an array of floats")
    return str(dtype.newbyteorder("=").name)
