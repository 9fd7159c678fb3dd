"""HDF5 through plain file objects: no file locks, and a full disk is an ordinary error.

HDF5 locks the files it opens, which network file systems often refuse and which quarrels with
another handle on the same file in one process. When a write fails it keeps the file open and may
crash the process at its end. With a file object neither happens: a failed write is kept from HDF5
and raised when the file is closed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from .files import atomic_path

#: What h5py raises for a file that is damaged, depending on where.
DAMAGED_ERRORS = (
    OSError,
    KeyError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    MemoryError,
)

_PAGE = 4096
_LARGEST_KEPT = 4 << 20


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading; raises one of DAMAGED_ERRORS when it is not one."""
    with Path(path).open("rb", buffering=0) as raw, h5py.File(raw, "r") as file:
        yield file


@contextmanager
def create_hdf5(target: Path, **settings: Any) -> Iterator[h5py.File]:
    """A new HDF5 file, under its name when it is whole (see `atomic_path`).

    settings: further arguments of `h5py.File`. Raises StorageError when the disk is full or the
    folder cannot be written.
    """
    with atomic_path(target) as temporary, write_hdf5(temporary, **settings) as file:
        yield file


@contextmanager
def write_hdf5(path: Path, **settings: Any) -> Iterator[h5py.File]:
    """A new HDF5 file, to be used within `atomic_path`, which makes OSErrors StorageErrors."""
    with path.open("wb+", buffering=0) as raw:
        output = _Output(raw.fileno())
        with h5py.File(output, "w", **settings) as file:
            yield file
        if output.error is not None:
            raise output.error


class _Output:
    """A file of which a failed write is remembered rather than raised.

    HDF5 reads its own structures back, and crashes on others than it wrote: from the first
    failure on, small writes are kept in memory, in pages over the file. Large ones are rows, which
    are never read back.
    """

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor
        self._position = 0
        self._size = 0
        self._pages: dict[int, bytearray] = {}

    def write(self, content: bytes | bytearray | memoryview) -> int:
        view = memoryview(content).cast("B")
        at, length = self._position, len(view)
        self._position = at + length
        self._size = max(self._size, self._position)
        done = 0
        try:
            while done < length and self.error is None:
                os.lseek(self._descriptor, at + done, os.SEEK_SET)
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            self.error = error
        if done < length and length <= _LARGEST_KEPT:
            self._keep(at, view)
        return length

    def read(self, count: int) -> bytes:
        at = self._position
        self._position = at + count
        return self._content(at, max(0, min(count, self._size - at)))

    def readinto(self, buffer: memoryview) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + {os.SEEK_CUR: self._position, os.SEEK_END: self._size}.get(
            whence, 0
        )
        return self._position

    def truncate(self, size: int) -> int:
        self._size = size
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is held back."""

    def _content(self, at: int, count: int) -> bytes:
        os.lseek(self._descriptor, at, os.SEEK_SET)
        found = bytearray(os.read(self._descriptor, count)).ljust(count, b"\0")
        for page in range(at // _PAGE, (at + count) // _PAGE + 1) if self._pages else ():
            if page in self._pages:
                low, high = max(at, page * _PAGE), min(at + count, (page + 1) * _PAGE)
                found[low - at : high - at] = self._pages[page][low % _PAGE :][: high - low]
        return bytes(found)

    def _keep(self, at: int, view: memoryview) -> None:
        for page in range(at // _PAGE, (at + len(view) - 1) // _PAGE + 1):
            begin = page * _PAGE
            kept = self._pages.get(page)
            if kept is None:
                kept = self._pages[page] = bytearray(self._content(begin, _PAGE))
            low, high = max(at, begin), min(at + len(view), begin + _PAGE)
            kept[low - begin : high - begin] = view[low - at : high - at]
