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
    with atomic_path(target) as temporary, temporary.open("wb+", buffering=0) as raw:
        output = _Output(raw.fileno())
        with h5py.File(output, "w", **settings) as file:
            yield file
        if output.error is not None:
            raise output.error


class _Output:
    """A file of which a failed write is remembered rather than raised."""

    def __init__(self, descriptor: int) -> None:
        self.error: OSError | None = None
        self._descriptor = descriptor

    def write(self, content: memoryview) -> int:
        view = memoryview(content).cast("B")
        done = 0
        try:
            while done < len(view) and self.error is None:
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            self.error = error
        return len(view)

    def read(self, count: int) -> bytes:
        return os.read(self._descriptor, count)

    def readinto(self, buffer: memoryview) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._descriptor, offset, whence)

    def truncate(self, size: int) -> int:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            self.error = self.error or error
        return size

    def tell(self) -> int:
        return self.seek(0, os.SEEK_CUR)

    def flush(self) -> None:
        """Nothing is held back."""
