"""Features and labels in HDF5 files, also in MATLAB's since version 7.3, which are HDF5 inside.

MATLAB stores arrays column by column: what it calls 40 x 6 is a dataset (6, 40), texts are numbers
of characters, and cells are references to datasets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...doors import require_regular
from ...errors import InputError
from ...hdf5_files import is_there, list_datasets, open_hdf5, plain_dataset
from ...limits import UNPACKED
from ...printable import shown
from .arrays import reading
from .matrix import (
    FEATURE_NAMES,
    ArrayEntry,
    BlockFile,
    FeatureFile,
    checked_shape,
    choose_array,
)
from .roles import plain_name, role_of

_ADVICE = "wanted an HDF5 file"


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    require_regular(path)
    with reading(path, _ADVICE), open_hdf5(path) as file:
        yield file


def hdf5_entries(path: Path) -> dict[str, ArrayEntry]:
    """The datasets with an axis that the groups of a file hold."""
    with _opened(path) as file:
        return _entries(file, path)


def matlab_entries(path: Path) -> dict[str, ArrayEntry]:
    """The variables of a MATLAB file 7.3, with the shapes that MATLAB gives them."""
    with _opened(path) as file:
        found = {
            name: entry
            for name, entry in _entries(file, path).items()
            if not name.startswith("#")  # its own: what cells refer to
        }
    return {name: ArrayEntry(entry.shape[::-1], entry.kind) for name, entry in found.items()}


def open_dataset(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """One dataset of an HDF5 file, in whatever group, whose data lie in the file."""
    return _features(path, array, used, matlab=False)


def open_matlab(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """One variable of a MATLAB file 7.3."""
    return _features(path, array, used, matlab=True)


def _features(path: Path, array: str | None, used: Mapping[str, str], matlab: bool) -> FeatureFile:
    with _opened(path) as file:
        entries = _entries(file, path)
        shapes = {name: entry.shape for name, entry in entries.items() if name[:1] != "#"}
        if array is not None and array not in shapes and is_there(file, array):  # a link
            shapes[array] = plain_dataset(file, array, str(path)).shape
        name = choose_array(path, shapes, array, used)
        data = plain_dataset(file, name, str(path))
        where = f"{path}: {shown(repr(name))}"
        kind, shape = _kind(where, data.dtype), data.shape
    n, dim = checked_shape(where, shape[::-1] if matlab else shape, kind)
    return _Hdf5Array(path, name, n, dim, kind, matlab)


@dataclass(frozen=True, eq=False)
class _Hdf5Array(BlockFile):
    matlab: bool

    @property
    def by_column(self) -> bool:
        return self.matlab

    def blocks(self) -> Iterator[np.ndarray]:
        with _opened(self.path) as file:
            data = plain_dataset(file, str(self.array), str(self.path))
            length, width = data.shape
            rows = max(1, self.block_rows * self.dim // width)
            if data.chunks:  # whole chunks, so that none is decompressed twice
                rows = max(data.chunks[0], rows - rows % data.chunks[0])
            for first in range(0, length, rows):
                yield data[first : first + rows]


def dataset_vector(path: Path, name: str, *, matlab: bool = False) -> np.ndarray:
    """A dataset of labels or ids, one per sample, as numbers or as texts (n,) or (n, m).

    Text of fixed or variable length, enumerations and booleans are read as what they mean. Raises
    InputError for what `plain_dataset` refuses, other types, and more bytes than fit in memory.
    """
    with _opened(path) as file:
        data = plain_dataset(file, name, str(path))
        where = f"{path}: {shown(repr(name))}"
        if data.shape is None or data.size * data.dtype.itemsize > UNPACKED:
            raise InputError(f"{where}: has shape {data.shape}; wanted one value per sample")
        if matlab and h5py.check_ref_dtype(data.dtype) is not None:
            return _cells(file, data, where)
        if matlab and data.attrs.get("MATLAB_class") == b"char":
            return _characters(np.asarray(data[()]).T)
        if names := h5py.check_enum_dtype(data.dtype):
            return _named(np.asarray(data[()]), names, where)
        text = h5py.check_string_dtype(data.dtype)
        if text is not None:
            if text.length is None:
                try:
                    return np.array(data.asstr()[()], dtype=np.str_)
                except UnicodeDecodeError as error:
                    raise InputError(
                        f"{where}: holds text that is not UTF-8; save it as UTF-8"
                    ) from error
            # Bytes as they lie there; whoever decodes them names the row that is not UTF-8.
            return np.asarray(data[()]).astype(f"S{text.length}")
        if data.dtype.hasobject or data.dtype.kind not in "iufb":
            raise InputError(
                f"{where}: holds {_type_name(data.dtype)}; wanted whole numbers or texts"
            )
        found = np.asarray(data[()])
        if found.dtype.kind == "b":
            found = found.astype(np.int8)
        return found.T if matlab else found


def _named(values: np.ndarray, names: Mapping[str, int], where: str) -> np.ndarray:
    """The names of an enumeration's values; those of a boolean are 0 and 1."""
    if set(names) == {"FALSE", "TRUE"}:
        return values.astype(np.int8)
    numbers = np.array(list(names.values()))
    texts = np.array(list(names), dtype=np.str_)
    order = np.argsort(numbers)
    at = np.searchsorted(numbers[order], values.reshape(-1)).clip(0, len(numbers) - 1)
    unknown = numbers[order][at] != values.reshape(-1)
    if unknown.any():
        row = int(unknown.argmax())
        raise InputError(f"{where}: row {row} holds {values.reshape(-1)[row]}, which has no name")
    return np.asarray(texts[order][at]).reshape(values.shape)


def _cells(file: h5py.File, data: Any, where: str) -> np.ndarray:
    """A MATLAB cell array of texts."""
    if 1 not in data.shape and len(data.shape) > 1:
        raise InputError(f"{where}: is a cell array {data.shape}; wanted one text per sample")
    texts = []
    for row, reference in enumerate(np.asarray(data[()]).reshape(-1)):
        if not reference:
            raise InputError(f"{where}: cell {row} is empty; wanted a text")
        name = h5py.h5i.get_name(h5py.h5r.dereference(reference, file.id))
        if name is None:
            raise InputError(f"{where}: cell {row} refers to nothing in the file")
        cell = plain_dataset(file, name.decode(errors="surrogateescape"), str(where))
        if cell.dtype.kind not in "u" or cell.size > 10_000 or cell.attrs.get("MATLAB_empty"):
            raise InputError(f"{where}: cell {row} holds no text; wanted one text per sample")
        texts.append(str(_characters(np.asarray(cell[()]).T)[0]))
    return np.array(texts, dtype=np.str_)


def _characters(codes: np.ndarray) -> np.ndarray:
    """Rows of UTF-16 codes as texts, without the blanks that MATLAB fills them up with."""
    rows = np.atleast_2d(codes).astype("<u2")
    texts = [row.tobytes().decode("utf-16-le", errors="replace").rstrip(" \0") for row in rows]
    return np.array(texts, dtype=np.str_)


def _entries(file: h5py.File, path: Path) -> dict[str, ArrayEntry]:
    """The datasets; a link of a name that is looked for stands in place of what it leads to."""
    names, links = list_datasets(file, str(path))
    found = {name: file[name] for name in names}
    for link in links:
        if plain_name(link) in FEATURE_NAMES or role_of(link):
            data = plain_dataset(file, link, str(path))  # refused where it leads out of the file
            target = next((name for name, there in found.items() if there == data), None)
            if target is not None and not (plain_name(target) in FEATURE_NAMES or role_of(target)):
                del found[target]
            if target is None or target not in found:
                found[link] = data
    return {name: ArrayEntry(data.shape, _type_name(data.dtype)) for name, data in found.items()}


def _kind(where: str, dtype: np.dtype) -> str:
    if dtype.hasobject:
        raise InputError(f"{where}: holds {_type_name(dtype)}; wanted an array of floats")
    return str(dtype.newbyteorder("=").name)


def _type_name(dtype: np.dtype) -> str:
    if h5py.check_string_dtype(dtype) is not None:
        return "texts"
    if h5py.check_ref_dtype(dtype) is not None:
        return "references"
    if h5py.check_vlen_dtype(dtype) is not None:
        return "lists of different lengths"
    return str(dtype.newbyteorder("=").name)
