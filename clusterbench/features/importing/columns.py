"""Labels, ids and splits: from files of their own, or from the file of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ... import limits
from ...catalog import unknown_name
from ...doors import read_text, require_regular
from ...errors import InputError
from ...labels.encoding import LabelColumn, decode, id_texts
from ...labels.reading import TARGET_NAMES, LabelFile, read_labels
from ...printable import shown
from ...sources.dataset_index import SPLITS
from .formats import entries_of, has_vectors, vector
from .matrix import ArrayEntry
from .roles import FURTHER_LABEL_NAMES, ID_NAMES, LABEL_NAMES, plain_name

_EVALUATION = ("val", "validation", "valid", "test")
_PARTS = ("train", "val", "test")


def read_column(path: Path, known: Sequence[str], column: str | None, option: str) -> LabelFile:
    """One value per sample from any file of labels, and from those of torch, HDF5 and MATLAB.

    Arguments and errors are those of `read_labels`; InputError also for several values per sample.
    """
    require_regular(path)
    if has_vectors(path):
        found = _from_arrays(path, known, column, option)
    else:
        found = read_labels(path, known, column, option=option)
    if found.values.ndim == 2 and 1 in found.values.shape:  # a column, or MATLAB's row
        found = replace(found, values=found.values.reshape(-1))
    if found.values.ndim != 1:
        raise InputError(f"{path}: several values per sample {found.values.shape}; wanted one")
    return found


def find_column(
    path: Path, entries: Mapping[str, ArrayEntry], known: Sequence[str], taken: str | None = None
) -> str | None:
    """The name beside the features of the first of `known` that is there; None for none.

    taken: the array of the features, which is nothing else. Raises InputError where two have one
    name.
    """
    by_name: dict[str, list[str]] = {}
    for found in entries:
        if found != taken:
            by_name.setdefault(plain_name(found), []).append(found)
    for name in known:
        matching = by_name.get(name, [])
        if len(matching) > 1:
            raise InputError(
                f"{path}: {' and '.join(matching[:12])} could both be meant; put the one that is "
                "meant into a file of its own, or rename the others"
            )
        if matching:
            return matching[0]
    return None


def find_labels(
    path: Path, entries: Mapping[str, ArrayEntry], wanted: str | None, taken: str | None = None
) -> str | None:
    """The name of the labels beside the features: `wanted`, else the first usual one.

    Of labels of several parts (`y_train`, `y_test`), the ones of the part that the features'
    array is named after. `y` counts only where it can mean nothing else: one value per sample,
    whole numbers or texts, and no coordinate `x` beside it. Raises InputError where `wanted` is not
    there, with near names, and where two could be meant.
    """
    if wanted is not None:
        if wanted not in entries:
            raise InputError(f"{path}: {unknown_name('column', wanted, list(entries)[:1000])}")
        return wanted
    plain = {name: plain_name(name) for name in entries if name != taken}
    marked = [n for n, p in plain.items() if p in LABEL_NAMES and any(part in p for part in _PARTS)]
    if len(marked) > 1 and not find_column(path, entries, TARGET_NAMES, taken):
        part = next((p for p in _PARTS if taken and p in taken.casefold()), None)
        own = [name for name in marked if part and part in plain[name]]
        if len(own) != 1:
            raise InputError(
                f"{path}: {' and '.join(marked[:12])} could both be meant; say which with "
                "--label-column, and which features with --array"
            )
        return own[0]
    name = find_column(path, entries, LABEL_NAMES[:-1], taken)
    if name is not None:
        return name
    letters = [name for name, p in plain.items() if p == "y"]
    if len(letters) == 1 and _is_plain(path, letters[0], entries):
        return letters[0]
    return _of_pair(entries, taken)


def only_labels(path: Path, entries: Mapping[str, ArrayEntry], taken: str | None) -> str | None:
    """The column that by its name holds labels of some kind, where there is one of them.

    Raises InputError for several: which are meant cannot be known.
    """
    found = [
        name
        for name, entry in entries.items()
        if name != taken and plain_name(name) in FURTHER_LABEL_NAMES and len(entry.shape) == 1
    ]
    if len(found) > 1:
        raise InputError(
            f"{path}: {' and '.join(map(shown, found[:12]))} could all be labels; say which with "
            "--label-column"
        )
    return found[0] if found else None


def _is_plain(path: Path, name: str, entries: Mapping[str, ArrayEntry]) -> bool:
    entry = entries[name]
    beside = [e for other, e in entries.items() if plain_name(other) == "x"]
    if any(len(e.shape) == 1 for e in beside):  # coordinates
        return False
    if not (len(entry.shape) == 1 or (len(entry.shape) == 2 and 1 in entry.shape)):
        return False
    if not entry.kind.startswith(("float", "double", "single")):
        return True
    try:
        values = read_column(path, ("y",), name, "--label-column").values
    except InputError:
        return False
    return bool(values.dtype.kind in "iu" or (values == np.floor(values)).all())


def _of_pair(entries: Mapping[str, ArrayEntry], taken: str | None) -> str | None:
    """The labels of (features, labels) saved as a list or a tuple, whose items have no names."""
    if set(entries) != {"0", "1"} or taken == "1":
        return None
    rows, values = entries["0"], entries["1"]
    alike = len(rows.shape) == 2 and values.shape in (rows.shape[:1], (*rows.shape[:1], 1))
    return "1" if alike and values.kind.startswith(("int", "uint", "str", "bool")) else None


def texts(column: LabelFile) -> np.ndarray:
    """(n,) str: the values as text."""
    if column.names is None:
        return id_texts(column.values, str(column.path))
    names = np.array([*column.names, "-1"], dtype=np.str_)  # code -1 stands for the string "-1"
    return np.asarray(names[column.values])


def read_lines(
    path: Path, kind: limits.FileKind = limits.NAMES, longest: int = limits.CLASS_NAME
) -> list[str]:
    """The lines of a text file, each a name; InputError for an empty one and for what is none."""
    text = read_text(path, kind).replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.removesuffix("\n").split("\n")] if text else []
    if not lines:
        raise InputError(f"{path}: is empty; wanted a name on each line")
    sound = "".join(lines).isprintable() and all(map(len, lines))
    for number, line in enumerate(lines, start=1):
        if len(line) > longest or not sound:
            if not line:
                raise InputError(f"{path}, line {number}: empty; wanted a name")
            if fault := limits.name_fault(line, longest):
                raise InputError(f"{path}, line {number}: {shown(repr(line))} {fault}")
    return lines


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
    for name, found in zip(plain, column.names, strict=True):
        if name not in ("train", *_EVALUATION):
            raise InputError(f"{column.path}: split {shown(repr(found))}; wanted train or val")
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
    entries = entries_of(path)
    if set(entries) <= {""}:
        name: str | None = ""
    elif column is not None:
        if column not in entries:
            raise InputError(f"{path}: {unknown_name('column', column, list(entries)[:1000])}")
        name = column
    else:
        name = find_column(path, entries, known)
    if name is None:
        if len(entries) != 1:
            listed = ", ".join(shown(n, 60) for n in list(entries)[:12])
            raise InputError(
                f"{path}: holds {listed or 'nothing'}, and nothing named "
                f"{', '.join(known)}; say which to read with {option}"
            )
        name = next(iter(entries))
    where = f"{path}: {shown(repr(name))}" if name else str(path)
    labels = decode(LabelColumn(where, _flat(vector(path, name))), sets=False)
    ids = None
    if name and known is not ID_NAMES and (at := find_column(path, entries, ID_NAMES[:2], name)):
        ids = id_texts(_flat(vector(path, at)), where)
        if len(ids) != len(labels.values):
            raise InputError(f"{where}: {len(labels.values)} labels but {len(ids)} ids")
    return LabelFile(path, labels.values, labels.names, ids, None, name or None)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
