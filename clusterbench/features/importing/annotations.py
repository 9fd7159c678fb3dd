"""The labels, ids and split of each part, checked against its rows of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ... import limits
from ...errors import InputError
from ...labels.alignment import align, fitted
from ...labels.keys import KeyLoader
from ...labels.reading import LabelFile
from ...sources.dataset_index import SPLITS
from . import columns
from .formats import entries_of
from .layouts import Part
from .matrix import ArrayEntry, FeatureFile
from .request import Request
from .roles import ID_NAMES, LABEL_NAMES, SPLIT_NAMES, role_of
from .samples import PartSamples


@dataclass(frozen=True)
class Beside:
    """What stands beside the features in their file: names of columns or arrays, None for none.

    used: name -> what it is taken for; none of these is a feature.
    """

    entries: Mapping[str, ArrayEntry]
    labels: str | None
    ids: str | None
    split: str | None
    used: Mapping[str, str]

    def left_out(self, file: FeatureFile) -> tuple[str, ...]:
        """What is neither features nor used, each with the role that its name says it has."""
        taken = set(file.columns.names) if file.columns else {file.array}
        return tuple(
            f"{name} ({role})" if (role := role_of(name)) else name
            for name in self.entries
            if name and name not in taken and name not in self.used
        )


def beside(request: Request, part: Part, number: int) -> Beside:
    """What is taken for labels, ids and split from the file of features of a number.

    Known before the features are chosen, so that nothing is both. Raises InputError for a column
    that is not there, and for two that could be meant.
    """
    path = part.features[number]
    entries = {name: entry for name, entry in entries_of(path).items() if name}
    taken = request.array
    used: dict[str, str] = {}
    labels = ids = split = None
    if part.labels:
        # The labels' column is none of the features, also where its file is another one.
        if request.label_column in entries:
            used[str(request.label_column)] = "labels"
    else:
        labels = columns.find_labels(path, entries, request.label_column, taken)
        if labels is None and len(part.features) == 1:
            labels = columns.only_labels(path, entries, taken)
        if labels is not None:
            used[labels] = "labels"
    if request.ids is None and not part.ids:
        ids = columns.find_column(path, entries, ID_NAMES[:2], taken)
        if ids is not None:
            used[ids] = "ids"
    if request.split is None and request.val_features is None and not request.features.is_dir():
        split = columns.find_column(path, entries, SPLIT_NAMES, taken)
        if split is not None:
            used[split] = "split"
    return Beside(entries, labels, ids, split, used)


def part_samples(
    request: Request,
    part: Part,
    files: Sequence[FeatureFile],
    found_beside: Sequence[Beside],
    name: str,
) -> PartSamples:
    """The samples of a part, in the order of its feature rows.

    Ids come from a file of their own, a column beside the features, or beside the labels; labels
    and splits that have ids are matched by them, others by position. Raises InputError for files
    of other lengths or other ids.
    """
    n, own = sum(file.n for file in files), part.features[0]
    ids = _ids(request, part, files, found_beside[0], n)
    if part.labels and len(part.labels) < len(files):  # one file for all pieces
        whole = replace(files[0], n=n)
        labels = [_labels(request, part, 0, whole, found_beside[0])]
    else:
        labels = [
            _labels(request, part, number, file, there)
            for number, (file, there) in enumerate(zip(files, found_beside, strict=True))
        ]
    found = [file for file in labels if file is not None]
    samples = LabelFile(own, np.zeros(n, np.int8), ids=ids, keys=_keys(own, found_beside[0], files))
    if len(labels) == 1 and found:
        found = [_aligned(samples, found[0])]
        if ids is None:
            ids = found[0].ids
            samples = replace(samples, ids=ids)
    split = np.full(n, SPLITS[part.split], np.uint8)
    column = _split(request, own, found_beside[0])
    if column is not None:
        column = _aligned(samples, fitted(column, n))
        _check_length(column.path, column.n, own, n)
        split = columns.split_codes(column)
    return PartSamples(name, tuple(found), ids, split)


def _ids(
    request: Request, part: Part, files: Sequence[FeatureFile], there: Beside, n: int
) -> np.ndarray | None:
    own = part.features[0]
    if part.ids:
        found = []
        for file, path in zip(files, part.ids, strict=True):
            name = columns.find_column(path, entries_of(path), part.id_names)
            if name is None:
                return None
            piece = columns.texts(columns.read_column(path, ID_NAMES, name, "--ids"))
            _check_length(path, len(piece), file.path, file.n, "ids")
            found.append(piece)
        return np.concatenate(found)
    path, name = request.ids or own, None if request.ids else there.ids
    if request.ids is None and name is None:
        return None
    if path.suffix.lower() == ".txt":
        ids = np.array(columns.read_lines(path, limits.ID_LIST, limits.SAMPLE_ID), dtype=np.str_)
    else:
        ids = columns.texts(columns.read_column(path, ID_NAMES, name, "--ids"))
    _check_length(path, len(ids), own, n, "ids")
    return ids


def _labels(
    request: Request, part: Part, number: int, file: FeatureFile, there: Beside
) -> LabelFile | None:
    if part.labels:
        path, name = part.labels[number], request.label_column
    else:
        path, name = file.path, there.labels
        if name is None:
            return None
    labels = fitted(columns.read_column(path, LABEL_NAMES, name, "--label-column"), file.n)
    hint = ""
    if labels.n == file.dim != file.n:
        hint = f"; the features lie as {(file.n, file.dim)}: save them transposed if samples are "
        hint += "columns"
    _check_length(path, labels.n, file.path, file.n, "labels", hint)
    return labels


def _split(request: Request, own: Path, there: Beside) -> LabelFile | None:
    path, name = request.split or own, None if request.split else there.split
    if request.split is None and name is None:
        return None
    return columns.read_column(path, SPLIT_NAMES, name, "--split")


def _keys(own: Path, there: Beside, files: Sequence[FeatureFile]) -> dict[str, KeyLoader]:
    """Columns beside the features by which labels of another file may be matched."""
    if len(files) > 1:
        return {}

    def loader(name: str) -> KeyLoader:
        def load() -> np.ndarray | None:
            try:
                return columns.texts(columns.read_column(own, (name,), name, "--ids"))
            except InputError:  # numbers with fractions, missing values: no key
                return None

        return load

    taken = set(files[0].columns.names) if files[0].columns else {files[0].array}
    return {
        name: loader(name)
        for name, entry in there.entries.items()
        if len(entry.shape) == 1 and name not in taken and name not in (there.labels, there.ids)
        if not entry.kind.startswith(("float", "double", "single"))
    }


def _aligned(samples: LabelFile, column: LabelFile) -> LabelFile:
    """A column in the order of the features, where both say which sample a row is."""
    return column if column.path == samples.path else align(samples, column)


def _check_length(
    path: Path, found: int, own: Path, wanted: int, what: str = "values", hint: str = ""
) -> None:
    if found != wanted:
        raise InputError(
            f"{path}: holds {found:,} {what}; {own} has {wanted:,} rows of features; "
            f"wanted one for each row{hint}"
        )
