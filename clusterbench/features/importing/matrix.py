"""Rows of features in a file: read where they lie, or block by block into a temporary file."""

from __future__ import annotations

import abc
import errno
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ...catalog import unknown_name
from ...errors import InputError, StorageError
from ...limits import DIMENSIONS, ROWS
from ...printable import shown
from ..store.writer import require_space
from .families import Columns, listed, refuse_used
from .roles import plain_name, role_of

#: Numbers that are features. NumPy has no bfloat16: it is read as float32, which holds it exactly.
KINDS = ("float16", "bfloat16", "float32", "float64")
#: Names that are taken where a file holds several arrays of rows.
FEATURE_NAMES = ("features", "feature", "embeddings", "embedding", "embeds", "x")

BLOCK_BYTES = 8 << 20  # read at a time
#: Rows of one mapping where they lie apart: the kernel maps up to 64 KB around each of them.
_SCATTERED = 1024


@dataclass(frozen=True)
class ArrayEntry:
    """An array or column of a file: its shape, -1 for what the rows say, and its dtype's name."""

    shape: tuple[int, ...]
    kind: str


@dataclass(frozen=True, eq=False)
class FeatureFile(abc.ABC):
    """An array (n, dim) of one of `KINDS` in a file; `array` is its name where it has one."""

    path: Path
    array: str | None
    n: int
    dim: int
    kind: str

    @property
    def where(self) -> str:
        """The file and the array, for errors."""
        return f"{self.path}: {self.array!r}" if self.array else str(self.path)

    @property
    def columns(self) -> Columns | None:
        """The columns taken, of a table that has one for each dimension."""
        return None

    @property
    def memory_dtype(self) -> np.dtype:
        """What rows are in memory."""
        return np.dtype("float32" if self.kind == "bfloat16" else self.kind)

    @property
    def block_rows(self) -> int:
        """Rows of about 8 MB."""
        return max(1, BLOCK_BYTES // (self.dim * self.memory_dtype.itemsize))


class AnyOrderFile(FeatureFile):
    """Rows in any order at about the same cost. The file is mapped for a moment at a time."""

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(m, dim) of `memory_dtype`: the rows, (m,) int64 ascending.

        Memory beyond the result: a block of 8 MB, or 64 MB where rows lie apart.
        """
        out = np.empty((len(rows), self.dim), self.memory_dtype)
        if len(rows):
            apart = int(rows[-1] - rows[0]) > 4 * len(rows)
            step = min(_SCATTERED, self.block_rows) if apart else self.block_rows
            for first in range(0, len(rows), step):
                out[first : first + step] = self._read(rows[first : first + step])
        return out

    @abc.abstractmethod
    def _read(self, rows: np.ndarray) -> np.ndarray: ...


class BlockFile(FeatureFile):
    """Numbers that can only be read from the first to the last, such as compressed ones."""

    @property
    def by_column(self) -> bool:
        """Whether the numbers come column by column (Fortran's and MATLAB's order)."""
        return False

    @abc.abstractmethod
    def blocks(self) -> Iterator[np.ndarray]:
        """Blocks of `memory_dtype`, together all numbers in order."""


@dataclass(frozen=True, eq=False)
class MappedFile(AnyOrderFile):
    """Raw numbers at a place in a file, or in an open temporary one."""

    dtype: np.dtype
    offset: int = 0
    fortran: bool = False
    handle: IO[bytes] | None = None

    def _read(self, rows: np.ndarray) -> np.ndarray:
        order = "F" if self.fortran else "C"
        source = self.handle or self.path
        shape = (self.n, self.dim)
        mapped = np.memmap(source, self.dtype, "r", self.offset, shape, order)  # type: ignore[call-overload]
        if rows[-1] - rows[0] + 1 == len(rows):
            return np.array(mapped[rows[0] : rows[-1] + 1])
        return np.asarray(mapped[rows])


def row_file(file: FeatureFile, folder: Path) -> AnyOrderFile:
    """The file itself where its rows can be taken in any order, else a temporary copy of them.

    The copy lies in `folder` without a name: it is gone when it is closed, and when the process
    is killed. Raises StorageError when the disk is full.
    """
    if isinstance(file, AnyOrderFile):
        return file
    assert isinstance(file, BlockFile)
    dtype = file.memory_dtype
    size = file.n * file.dim * dtype.itemsize
    while not folder.is_dir() and folder != folder.parent:  # nothing is made before it is known
        folder = folder.parent
    require_space(folder, size)
    try:
        handle = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed with its MappedFile
        for block in file.blocks():
            handle.write(np.ascontiguousarray(block, dtype).view(np.uint8).data)
        handle.flush()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise StorageError(
            f"cannot write a temporary copy of {file.where} in {folder}: {error.strerror}; "
            f"it needs {size:,} bytes beside the store"
        ) from error
    if handle.tell() != size:
        raise InputError(f"{file.where}: holds fewer numbers than it says; it is cut off")
    return MappedFile(
        *(file.path, file.array, file.n, file.dim, file.kind, dtype),
        fortran=file.by_column,
        handle=handle,
    )


def checked_shape(where: str, shape: tuple[int, ...], kind: str) -> tuple[int, int]:
    """(n, dim); InputError for another number of axes, no rows, and for what is not floats."""
    if kind not in KINDS:
        raise InputError(
            f"{where}: holds {kind}; wanted features as {', '.join(KINDS[:-1])} or {KINDS[-1]}"
        )
    if len(shape) != 2 or min(shape) < 1:
        raise InputError(
            f"{where}: has shape {shown(shape)}; wanted (n, dim), one row of features per sample"
        )
    if shape[0] > ROWS or shape[1] > DIMENSIONS:
        raise InputError(
            f"{where}: has shape {shown(shape)}; wanted at most {ROWS:,} rows of "
            f"{DIMENSIONS:,} dimensions"
        )
    return int(shape[0]), int(shape[1])


def choose_array(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    wanted: str | None,
    used: Mapping[str, str],
) -> str:
    """The name of the features among the arrays of a file.

    It is `wanted`; else the only array with two axes; else the first of `FEATURE_NAMES` that
    one array has, in any case. used: name -> what else an array is taken for; such an array is
    never the features, and one whose name says that it is something else only if it is `wanted`.
    Raises InputError, with near names, where none of these is there.
    """
    if wanted is not None:
        if wanted not in shapes:
            raise InputError(f"{path}: {unknown_name('array', wanted, list(shapes)[:1000])}")
        refuse_used(path, wanted, used)
        return wanted
    free = {name: shape for name, shape in shapes.items() if not (name in used or role_of(name))}
    tables = [name for name, shape in free.items() if len(shape) == 2]
    if len(tables) == 1:
        return tables[0]
    for known in FEATURE_NAMES:
        matching = [name for name in tables if plain_name(name) == known]
        if len(matching) == 1:  # train/features and test/features are two
            return matching[0]
    found = listed([f"{name} {shape}" for name, shape in shapes.items()])
    if tables:
        raise InputError(f"{path}: holds {found}; say which are the features with --array")
    roles = {name: used.get(name) or role_of(name) for name in shapes}
    if named := [f"{shown(name, 60)} ({role})" for name, role in roles.items() if role]:
        found += f"; {listed(named)} by name" if any(len(s) == 2 for s in shapes.values()) else ""
    raise InputError(f"{path}: holds {found or 'nothing'}; wanted an array (n, dim) of features")
