"""The labels, ids and split of each part, checked against its rows of features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...labels.alignment import align
from ...labels.reading import LabelFile
from ...sources.dataset_index import SPLITS
from . import columns
from .layouts import Part
from .matrix import FeatureFile
from .request import Request
from .samples import PartSamples


def part_samples(
    request: Request, part: Part, files: Sequence[FeatureFile], name: str
) -> PartSamples:
    """The samples of a part, in the order of its feature rows.

    Ids come from a file of their own, a column beside the features, or beside the labels; labels
    and splits that have ids are matched by them, others by position. Raises InputError for files
    of other lengths or other ids.
    """
    n, own = sum(file.n for file in files), part.features[0]
    ids = _ids(request, own, n)
    labels = [_labels(request, part, number, files) for number in range(len(files))]
    found = [file for file in labels if file is not None]
    if len(files) == 1 and found:
        if ids is None:
            ids = found[0].ids
        else:
            found = [_aligned(own, ids, found[0])]
    split = np.full(n, SPLITS[part.split], np.uint8)
    column = _split(request, own)
    if column is not None:
        if ids is not None:
            column = _aligned(own, ids, column)
        _check_length(column.path, column.n, own, n)
        split = columns.split_codes(column)
    return PartSamples(name, tuple(found), ids, split)


def _ids(request: Request, own: Path, n: int) -> np.ndarray | None:
    path, name = request.ids, None
    if path is None:
        name = columns.find_column(own, columns.ID_NAMES[:2])
        if name is None:
            return None
        path = own
    if path.suffix.lower() == ".txt":
        ids = np.array(columns.read_lines(path), dtype=np.str_)
    else:
        ids = columns.texts(columns.read_column(path, columns.ID_NAMES, name, "--ids"))
    _check_length(path, len(ids), own, n, "ids")
    return ids


def _labels(
    request: Request, part: Part, number: int, files: Sequence[FeatureFile]
) -> LabelFile | None:
    file = files[number]
    if part.labels:
        path, name = part.labels[number], request.label_column
    else:
        path = file.path
        name = columns.find_column(path, columns.LABEL_NAMES, request.label_column)
        if name is None:
            return None
    labels = columns.read_column(path, columns.LABEL_NAMES, name, "--label-column")
    _check_length(path, labels.n, file.path, file.n, "labels")
    return labels


def _split(request: Request, own: Path) -> LabelFile | None:
    path, name = request.split, None
    if path is None and request.val_features is None and not request.features.is_dir():
        name = columns.find_column(own, columns.SPLIT_NAMES)
        path = own if name is not None else None
    if path is None:
        return None
    return columns.read_column(path, columns.SPLIT_NAMES, name, "--split")


def _aligned(own: Path, ids: np.ndarray, column: LabelFile) -> LabelFile:
    """A column in the order of the features' ids, where it has ids of its own."""
    return align(LabelFile(own, np.zeros(len(ids), np.int8), ids=ids), column)


def _check_length(path: Path, found: int, own: Path, wanted: int, what: str = "values") -> None:
    if found != wanted:
        raise InputError(
            f"{path}: holds {found:,} {what}; {own} has {wanted:,} rows of features; "
            "wanted one for each row"
        )
