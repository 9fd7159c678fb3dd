"""NumPy's files: headers are read before data, objects never, sizes compared before reading."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from .doors import open_regular
from .errors import InputError
from .limits import UNPACKED
from .printable import shown

_BLOCK = 16 << 20  # bytes decompressed at a time


@dataclass(frozen=True)
class ArrayHeader:
    """What an array in NumPy's format says of itself: nothing of its data has been read."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the data, in Python's whole numbers, which do not overflow."""
        return _product(self.shape) * self.dtype.itemsize


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def array_header(stream: IO[bytes]) -> ArrayHeader:
    """The header of an array in NumPy's format; ValueError for what is none."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"version {version} of NumPy's format is not known")
    # Version 3 differs from 2 in the encoding of field names, which no array here has.
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(stream)
    if any(length < 0 for length in shape):
        raise ValueError(f"its shape is {shape}")
    return ArrayHeader(shape, fortran, dtype)


class NumpyArchive:
    """The arrays of a .npz file; a context manager. Headers are read first, arrays when asked for.

    Args:
        path: the file.
        largest: bytes that one array may take in memory.

    Raises:
        InputError: for no regular file and no archive; everything else is said when an array is
            asked for, so that a damaged member hides no other.
    """

    def __init__(self, path: Path, largest: int = UNPACKED) -> None:
        self.path, self.largest = Path(path), largest
        file = open_regular(self.path)
        try:
            self._zip = zipfile.ZipFile(file)
        except Exception as error:  # a damaged directory raises whatever its reading meets first
            file.close()
            raise self._damaged(error) from error
        self._file = file

    def __enter__(self) -> NumpyArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        """Names of the members in order, without `.npy`."""
        return [name.removesuffix(".npy") for name in self._zip.namelist()]

    def header(self, name: str) -> ArrayHeader:
        """Shape and dtype of an array."""
        with self._member(name) as stream:
            return array_header(stream)

    def read(self, name: str) -> np.ndarray:
        """An array; InputError for objects, and for one that takes more than `largest` bytes."""
        with self._member(name) as stream:
            header = array_header(stream)
            check_array(f"{self.path}: {shown(repr(name))}", header, self.largest)
            content = np.empty(header.nbytes, np.uint8)
            done = 0
            while done < header.nbytes:  # a member may be shorter than its header promises
                block = stream.read(min(_BLOCK, header.nbytes - done))
                if not block:
                    raise ValueError(f"array {name!r} is cut off")
                content[done : done + len(block)] = np.frombuffer(block, np.uint8)
                done += len(block)
            stream.read(1)  # at its end a member's checksum is compared
            array: np.ndarray = content.view(header.dtype)
            return array.reshape(header.shape, order="F" if header.fortran else "C")

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        entries = self._zip.namelist()
        found = next((n for n in (f"{name}.npy", name) if n in entries), None)
        if found is None:
            listed = ", ".join(shown(n, 40) for n in self.names[:12]) or "nothing"
            raise InputError(f"{self.path}: holds {listed}, and no array {name!r}")
        try:
            with self._zip.open(found) as stream:
                yield stream
        except InputError:
            raise
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> InputError:
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        return InputError(f"{self.path}: damaged, or not a .npz archive ({reason})")


def check_array(where: str, header: ArrayHeader, largest: int = UNPACKED) -> None:
    """InputError for an array of Python objects, and for one of more than `largest` bytes."""
    if header.dtype.hasobject:
        raise InputError(
            f"{where}: holds pickled objects, which are not loaded, since that could run code; "
            "save an array of numbers or strings"
        )
    if header.nbytes > largest:
        raise InputError(
            f"{where}: {header.dtype} of shape {header.shape} takes {header.nbytes / 1e6:,.0f} MB "
            f"in memory; wanted at most {largest / 1e6:,.0f} MB"
        )
