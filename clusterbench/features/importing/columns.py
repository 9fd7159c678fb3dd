"""Labels, ids and splits: from files of their own, or from the file of the features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...catalog import unknown_name
from ...errors import InputError
from ...labels.encoding import LabelColumn, decode, id_texts
from ...labels.reading import TARGET_NAMES, LabelFile, read_labels
from ...sources.dataset_index import SPLITS
from .arrays import hdf5_datasets, reading
from .formats import names_in
from .matrix import plain_name

LABEL_NAMES = TARGET_NAMES
ID_NAMES = ("id", "ids", "path", "file", "filename")
SPLIT_NAMES = ("split", "splits")

_EVALUATION = ("val", "validation", "valid", "test")


def read_column(path: Path, known: Sequence[str], column: str | None, option: str) -> LabelFile:
    """One value per sample from any file of labels, and from .pt, .pth, .h5 and .hdf5.

    Arguments and errors are those of `read_labels`; InputError also for several values per sample.
    """
    if path.suffix.lower() in (".pt", ".pth", ".h5", ".hdf5"):
        found = _from_arrays(path, known, column, option)
    else:
        found = read_labels(path, known, column, option=option)
    if found.values.ndim != 1:
        raise InputError(f"{path}: several values per sample {found.values.shape}; wanted one")
    return found


def find_column(path: Path, known: Sequence[str], wanted: str | None = None) -> str | None:
    """The name of a column beside the features: `wanted`, else the first of `known` that is there.

    Raises InputError where `wanted` is not there, with near names, and where two have one name.
    """
    names = names_in(path)
    if wanted is not None:
        if wanted not in names:
            raise InputError(f"{path}: {unknown_name('column', wanted, names[:1000])}")
        return wanted
    for name in known:
        matching = [found for found in names if plain_name(found) == name]
        if len(matching) > 1:
            raise InputError(
                f"{path}: {' and '.join(matching[:12])} could both be meant; put the one that is "
                "meant into a file of its own, or rename the others"
            )
        if matching:
            return matching[0]
    return None


def texts(column: LabelFile) -> np.ndarray:
    """(n,) str: the values as text."""
    if column.names is None:
        return id_texts(column.values, str(column.path))
    names = np.array([*column.names, "-1"], dtype=np.str_)  # code -1 stands for the string "-1"
    return np.asarray(names[column.values])


def read_lines(path: Path) -> list[str]:
    """The lines of a text file; InputError for an empty one."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a text file ({error})") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            raise InputError(f"{path}, line {number}: empty; wanted a name")
    if not lines:
        raise InputError(f"{path}: is empty; wanted a name on each line")
    return [line.strip() for line in lines]


def split_codes(column: LabelFile) -> np.ndarray:
    """(n,) uint8 from 0 and 1, or from "train" and one of "val", "validation", "valid", "test".

    Raises InputError for other values, and for two names of evaluation samples: which of them is
    meant cannot be known.
    """
    if column.names is None:
        values = column.values
        wrong = ~np.isin(values, list(SPLITS.values()))
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                f"{column.path}: split {values[row]} in row {row}; wanted 0 (train) or 1 (val)"
            )
        return values.astype(np.uint8)
    plain = [name.strip().casefold() for name in column.names]
    for name, shown in zip(plain, column.names, strict=True):
        if name not in ("train", *_EVALUATION):
            raise InputError(f"{column.path}: split {shown!r}; wanted train or val")
    if (column.values < 0).any():
        row = int((column.values < 0).argmax())
        raise InputError(f"{column.path}: split -1 in row {row}; wanted train or val")
    several = [name for name in plain if name != "train"]
    if len(several) > 1:
        raise InputError(
            f"{column.path}: has samples of {' and '.join(several)}; a store has train and val: "
            "leave one of them out, or call it train"
        )
    codes: np.ndarray = np.array([name != "train" for name in plain], np.uint8)[column.values]
    return codes


def _from_arrays(path: Path, known: Sequence[str], column: str | None, option: str) -> LabelFile:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    names = names_in(path)
    name = find_column(path, known, column) if names else ""
    if name is None:
        if len(names) != 1:
            raise InputError(
                f"{path}: holds {', '.join(names[:12]) or 'nothing'}, and nothing named "
                f"{', '.join(known)}; say which to read with {option}"
            )
        name = names[0]
    where = f"{path}: {name!r}" if name else str(path)
    labels = decode(LabelColumn(where, _array(path, name)), sets=False)
    ids = None
    if names and known is not ID_NAMES and (at := find_column(path, ID_NAMES[:2])):
        ids = id_texts(_array(path, at), where)
        if len(ids) != len(labels.values):
            raise InputError(f"{where}: {len(labels.values)} labels but {len(ids)} ids")
    return LabelFile(path, labels.values, labels.names, ids, None, name or None)


def _array(path: Path, name: str) -> np.ndarray:
    if path.suffix.lower() in (".pt", ".pth"):
        from .tensors import load, vector

        content = load(path)
        if name not in content:
            raise InputError(f"{path}: holds no {name or 'tensor'}")
        return vector(path, content[name], name)
    import h5py

    with reading(path, "wanted an HDF5 file"), h5py.File(path, "r") as file:
        data = hdf5_datasets(file)[name]
        text = h5py.check_string_dtype(data.dtype) is not None
        return np.array(data.asstr()[:], dtype=np.str_) if text else np.asarray(data[:])
