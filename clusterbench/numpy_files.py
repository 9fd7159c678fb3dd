"""NumPy's files: headers are read before data, objects never, sizes compared before reading."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from .doors import open_regular
from .errors import InputError
from .limits import ARCHIVE_MEMBERS, UNPACKED
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
            self._zip = open_zip(file)
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
            check_text(array, f"{self.path}: {shown(repr(name))}")
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


_END, _END_64, _AT_END_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_COMMENT = 65_535  # bytes that may stand behind the end record


def open_zip(file: BinaryIO) -> zipfile.ZipFile:
    """A ZIP archive of arrays, opened; its directory is judged before it is read.

    Raises ValueError for more than ARCHIVE_MEMBERS members, and for one that is encrypted, or
    compressed by other means than deflate: those unpack as much as they like for a small read.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _COMMENT - 22 - 76)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        raise ValueError("no directory at its end; it is cut off, or no ZIP archive")
    count, listed = struct.unpack_from("<HL", tail, at + 10)
    if at >= 76 and tail[at - 20 : at - 16] == _AT_END_64:
        if tail[at - 76 : at - 72] != _END_64:
            raise ValueError("the two records at its end do not belong together")
        count, listed = struct.unpack_from("<QQ", tail, at - 76 + 32)
    if count > ARCHIVE_MEMBERS or listed > ARCHIVE_MEMBERS * 512:
        raise ValueError(f"says it has {count:,} members; wanted at most {ARCHIVE_MEMBERS:,}")
    file.seek(0)
    archive = zipfile.ZipFile(file)
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            archive.close()
            raise ValueError(
                f"{shown(repr(info.filename))} is compressed by method {info.compress_type}; "
                "wanted none, or deflate, as numpy.savez_compressed does it"
            )
    return archive


def check_text(array: np.ndarray, where: str) -> None:
    """InputError for texts (dtype U) that hold what is no character, such as half of a pair."""
    if array.dtype.kind != "U" or not array.size or not array.dtype.itemsize:
        return
    flat = np.ascontiguousarray(array).reshape(-1)
    width = array.dtype.itemsize // 4
    for first in range(0, len(flat), max(1, _BLOCK // (4 * width))):
        block = flat[first : first + max(1, _BLOCK // (4 * width))]
        codes = block.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        wrong = (codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))
        if wrong.any():
            position = int(wrong.argmax())
            raise InputError(
                f"{where}: the text in position {first + position // width:,} holds "
                f"U+{int(codes[position]):04X}, which is no character; save the texts again"
            )


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
