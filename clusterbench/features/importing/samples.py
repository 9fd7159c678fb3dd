"""Labels, ids and splits of imported samples as an index, and the order it puts them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...labels.reading import LabelFile
from ...sources.dataset_index import DatasetIndex

#: The class of samples without a label.
UNLABELLED = "unlabelled"


@dataclass(frozen=True, eq=False)
class PartSamples:
    """Samples of one part, in the order of its rows.

    name:    of the part, "" where there is only one
    labels:  one file per piece, none where samples have no labels
    ids:     (n,) str, or None: `class/<row>`
    split:   (n,) uint8, 0 = train, 1 = val
    """

    name: str
    labels: tuple[LabelFile, ...]
    ids: np.ndarray | None
    split: np.ndarray


@dataclass(frozen=True, eq=False)
class Samples:
    """An index, the row of the source of each of its samples (n,) int64, and unlabelled samples."""

    index: DatasetIndex
    order: np.ndarray
    n_unlabelled: int


def index_samples(parts: Sequence[PartSamples], class_names: Sequence[str] | None) -> Samples:
    """Put samples in the order of an index: by class name, then by id.

    Whole numbers become class names with leading zeros, so that their order stays, or the lines
    of `class_names`. -1 and missing labels make the class "unlabelled". Without ids, sample r of
    its part is `class/r`, or `class/<part>-r` where there are several parts.

    Raises InputError for labels that are not whole numbers from -1 on, names in one part and
    numbers in another, class names that do not reach, and an id that occurs twice.
    """
    names, codes = _classes([file for part in parts for file in part.labels], class_names)
    sizes = [len(part.split) for part in parts]
    if not len(codes):
        codes = np.full(sum(sizes), -1, np.int64)
    missing = codes < 0
    if missing.any():
        if UNLABELLED in names:
            raise InputError(
                f"labels: {int(missing.sum()):,} samples have none, and there is a class "
                f"{UNLABELLED!r} already, where they would go; rename that class"
            )
        codes = np.where(missing, len(names), codes)
        names = [*names, UNLABELLED]
    used, codes = np.unique(codes, return_inverse=True)
    names = [names[code] for code in used]
    in_order = sorted(range(len(names)), key=lambda code: names[code])
    rank = np.empty(len(names), np.int32)
    rank[in_order] = np.arange(len(names), dtype=np.int32)
    labels = rank[codes.reshape(-1)]
    encoded = np.array([names[code].encode() for code in in_order])
    ids, first = [], 0
    for part, size in zip(parts, sizes, strict=True):
        classes = encoded[labels[first : first + size]]
        ids.append(_ids(part, classes))
        first += size
    all_ids = np.concatenate(ids)
    order = np.lexsort((all_ids, labels)).astype(np.int64)
    split = np.concatenate([part.split for part in parts])
    index = DatasetIndex(
        all_ids[order], tuple(names[code] for code in in_order), labels[order], split[order]
    )
    return Samples(index, order, int(missing.sum()))


def _classes(
    files: Sequence[LabelFile], class_names: Sequence[str] | None
) -> tuple[list[str], np.ndarray]:
    """Class names, and (n,) int64 positions in them, -1 for samples without a label."""
    if not files:
        if class_names is not None:
            raise InputError("--class-names is given, but there are no labels; give --labels too")
        return [], np.zeros(0, np.int64)
    named = [file for file in files if file.names is not None]
    numbered = [file for file in files if file.names is None]
    if named and numbered:
        raise InputError(
            f"{named[0].path} holds names, {numbered[0].path} holds numbers; give the same classes"
        )
    if named:
        if class_names is not None:
            raise InputError(f"{named[0].path}: holds names; --class-names goes with numbers")
        names = sorted({name for file in named for name in file.names or ()})
        position = {name: number for number, name in enumerate(names)}
        codes = [
            np.array([*(position[name] for name in file.names or ()), -1])[file.values]
            for file in named
        ]
        return names, np.concatenate(codes).astype(np.int64)
    numbers = np.concatenate([_whole(file) for file in numbered])
    highest = int(numbers.max())
    if class_names is None:
        width = len(str(highest))
        present, codes_of = np.unique(numbers, return_inverse=True)
        shift = int((present < 0).sum())
        return [f"{number:0{width}d}" for number in present[shift:].tolist()], codes_of - shift
    if highest >= len(class_names):
        raise InputError(
            f"--class-names has {len(class_names)} lines, but there is a class {highest}; give the "
            "name of class 0 on the first line, and so on"
        )
    if len(set(class_names)) < len(class_names):
        twice = next(name for name in class_names if list(class_names).count(name) > 1)
        raise InputError(f"--class-names: {twice!r} occurs twice; name each class once")
    return list(class_names), numbers


def _whole(file: LabelFile) -> np.ndarray:
    values = file.values
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wrong = ~(np.isfinite(values) & (values == np.floor(values)))
    else:
        wrong = np.zeros(len(values), bool)
    wrong |= (values < -1) | (values >= 2**31)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"{file.path}: label {values[row]} in row {row}; wanted whole numbers from 0 on, or -1 "
            "for a sample without a label"
        )
    return values.astype(np.int64)


def _ids(part: PartSamples, classes: np.ndarray) -> np.ndarray:
    if part.ids is not None:
        return np.strings.encode(part.ids, "utf-8")
    n = len(classes)
    rows = np.strings.zfill(np.arange(n).astype(np.bytes_), len(str(n - 1)))
    prefix = np.bytes_(f"/{part.name}-" if part.name else "/")
    ids: np.ndarray = np.strings.add(np.strings.add(classes, prefix), rows)
    return ids
