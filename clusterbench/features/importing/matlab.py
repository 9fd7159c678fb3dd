"""MATLAB's .mat files: of version 5 read by SciPy, of 7.3, which are HDF5, as such.

Headers are read before data, and what is compressed is measured before it is unpacked. Objects,
function handles and structures are not read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ...doors import open_regular
from ...errors import InputError
from ...limits import MATLAB, MATLAB_CELLS
from ...printable import shown
from . import hdf5_arrays
from .arrays import reading
from .matrix import AnyOrderFile, ArrayEntry, FeatureFile, checked_shape, choose_array

_ADVICE = "save it again, for example as .npy, or in MATLAB with save -v7.3"
_KINDS = {"single": "float32", "double": "float64"}
_COMPRESSED, _MATRIX = 15, 14
_CELL = 1
_PIECE, _HEAD = 1 << 20, 1 << 10


def mat_entries(path: Path) -> dict[str, ArrayEntry]:
    """The variables of a file, with the shapes that MATLAB gives them."""
    if _is_hdf5(path):
        return hdf5_arrays.matlab_entries(path)
    return {
        name: ArrayEntry(shape, _KINDS.get(kind, kind)) for name, shape, kind in _variables(path)
    }


def open_mat(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """One variable of a file."""
    if _is_hdf5(path):
        return hdf5_arrays.open_matlab(path, array, used)
    entries = mat_entries(path)
    shapes = {name: entry.shape for name, entry in entries.items()}
    # To MATLAB everything has two axes: a vector or a text is no table of features.
    tables = {name: s for name, s in shapes.items() if entries[name].kind in _KINDS.values()}
    tables = {name: shape for name, shape in tables.items() if 1 not in shape}
    name = choose_array(path, tables if array is None and tables else shapes, array, used)
    where = f"{path}: {shown(repr(name))}"
    n, dim = checked_shape(where, entries[name].shape, entries[name].kind)
    rows = _variable(path, name)
    if rows.shape != (n, dim) or rows.dtype.kind != "f":  # MATLAB stores whole doubles as integers
        rows = rows.astype(entries[name].kind).reshape(n, dim)
    kind = rows.dtype.newbyteorder("=").name
    return _MatRows(path, name, n, dim, kind, rows)


@dataclass(frozen=True, eq=False)
class _MatRows(AnyOrderFile):
    rows: np.ndarray

    def _read(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.rows[rows])


def mat_vector(path: Path, name: str) -> np.ndarray:
    """A variable of labels or ids: numbers, logicals, rows of characters or a cell of texts."""
    if _is_hdf5(path):
        return hdf5_arrays.dataset_vector(path, name, matlab=True)
    where = f"{path}: {shown(repr(name))}"
    entry = mat_entries(path)[name]
    if entry.kind in ("struct", "object", "function", "opaque", "sparse", "unknown"):
        raise InputError(f"{where}: is a MATLAB {entry.kind}; wanted numbers or texts")
    found = _variable(path, name)
    if found.dtype == object:
        cells = found.reshape(-1)
        texts = [
            cell.item() if isinstance(cell, np.ndarray) and cell.size == 1 else cell
            for cell in cells
        ]
        wrong = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
        if wrong is not None:
            raise InputError(f"{where}: cell {wrong} holds no text; wanted one text per sample")
        return np.array(texts, dtype=np.str_)
    if found.dtype.kind == "U":
        return np.strings.rstrip(found.reshape(-1))
    if found.dtype.kind not in "iufb":
        raise InputError(f"{where}: holds {found.dtype}; wanted whole numbers or texts")
    return found.astype(np.int8) if found.dtype.kind == "b" else found


def _variables(path: Path) -> list[tuple[str, tuple[int, ...], str]]:
    from scipy import io

    with reading(path, _ADVICE), open_regular(path) as file:
        _check_elements(path, file)
        file.seek(0)
        return [
            (name, tuple(map(int, shape)), kind)
            for name, shape, kind in io.whosmat(cast(Any, file))
        ]


def _variable(path: Path, name: str) -> np.ndarray:
    from scipy import io

    with reading(path, _ADVICE), open_regular(path) as file:
        found: Any = io.loadmat(cast(Any, file), variable_names=[name], struct_as_record=True)[name]
        if not isinstance(found, np.ndarray):
            raise ValueError(f"holds a {type(found).__name__}")
        return found


def _is_hdf5(path: Path) -> bool:
    with open_regular(path) as file:
        start = file.read(528)
    if not start:
        raise InputError(f"{path}: is empty; wanted an array (n, dim) of features")
    return start[:8] == b"\x89HDF\r\n\x1a\n" or start[512:520] == b"\x89HDF\r\n\x1a\n"


def _check_elements(path: Path, file: IO[bytes]) -> None:
    """InputError unless a file of version 5 is a row of elements that fit in memory.

    SciPy reads a variable whole, and goes down into cells without looking how deep they are.
    """
    head = file.read(128)
    if len(head) < 128 or head[126:128] not in (b"IM", b"MI"):
        raise InputError(
            f"{path}: not a MATLAB file of version 5 to 7.3 (of version 4, or damaged); {_ADVICE}"
        )
    order = "little" if head[126:128] == b"IM" else "big"
    while len(tag := file.read(8)) == 8:
        kind = int.from_bytes(tag[:4], order)  # type: ignore[arg-type]
        size = int.from_bytes(tag[4:], order)  # type: ignore[arg-type]
        if kind == _COMPRESSED:
            content = _unpacked(path, file, size, order)
            _check_matrix(path, memoryview(content)[8:], order)
        elif kind == _MATRIX:
            end = file.tell() + size
            content = bytearray(file.read(min(size, _HEAD)))
            if _class(content, order) == _CELL:
                content += file.read(max(0, min(size, MATLAB_CELLS + 1) - _HEAD))
            file.seek(end)
            _check_size(path, size, len(content))
            _check_matrix(path, memoryview(content), order)
        elif kind:
            raise InputError(f"{path}: damaged: an element of kind {kind}; {_ADVICE}")


def _unpacked(path: Path, file: IO[bytes], size: int, order: Any) -> bytearray:
    """The head of a compressed element, all of it where it is a cell; its size is checked."""
    unpack, kept, total = zlib.decompressobj(), bytearray(), 0
    while size:
        piece = file.read(min(size, _PIECE))
        if not piece:
            raise InputError(f"{path}: is cut off; {_ADVICE}")
        size -= len(piece)
        while piece:
            content = unpack.decompress(piece, _PIECE)
            total += len(content)
            if len(kept) < _HEAD or _class(kept[8:], order) == _CELL:
                kept += content
            _check_size(path, total, len(kept))
            piece = unpack.unconsumed_tail
    return kept


def _check_size(path: Path, size: int, kept: int) -> None:
    if size > MATLAB or kept > MATLAB_CELLS:
        raise _too_large(path, size)


def _too_large(path: Path, size: int) -> InputError:
    return InputError(
        f"{path}: a variable takes {size / 1e6:,.0f} MB or more; wanted at most "
        f"{MATLAB / 1e6:,.0f} MB ({MATLAB_CELLS / 1e6:,.0f} MB of cells) in this version of .mat: "
        "save it in MATLAB with save -v7.3, or as .npy"
    )


def _class(content: bytes | bytearray | memoryview, order: Any) -> int:
    """The class of a matrix element: 1 a cell, 2 a structure, 4 text, 6 to 15 numbers."""
    return content[8 if order == "little" else 11] if len(content) >= 16 else 0


def _check_matrix(path: Path, content: memoryview, order: Any) -> None:
    """InputError for a cell of anything but texts and numbers.

    Structures and objects are refused when they are asked for.
    """
    if _class(content, order) != _CELL:
        return
    at = 16
    for _ in range(2):  # dimensions and name
        small, size = _element(content, at, order)
        at += 8 if small else 8 + -(-size // 8) * 8
    while at + 8 <= len(content):
        kind = int.from_bytes(content[at : at + 4], order)
        size = int.from_bytes(content[at + 4 : at + 8], order)
        inner = content[at + 8 : at + 8 + size]
        if kind != _MATRIX or not (
            size == 0 or _class(inner, order) == 4 or 6 <= _class(inner, order) <= 15
        ):
            raise InputError(f"{path}: holds cells of other things; wanted a cell of texts")
        at += 8 + size


def _element(content: memoryview, at: int, order: Any) -> tuple[bool, int]:
    """Whether an element is a small one of eight bytes in all, and its length."""
    first = int.from_bytes(content[at : at + 4], order)
    if first >> 16:
        return True, first >> 16
    return False, int.from_bytes(content[at + 4 : at + 8], order)
