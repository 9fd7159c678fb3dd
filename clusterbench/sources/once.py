"""A file that a list names twice is of one class and one split, or the list is wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import InputError
from ..printable import shown
from .dataset_index import DatasetIndex


def refuse_again(files: np.ndarray, index: DatasetIndex, where: Callable[[int], str]) -> None:
    """InputError for a file that is listed under two classes, or in train and in val.

    files: (n,) bytes, of the samples of the index. where: says in words where a row was listed.
    """
    order = np.argsort(files, kind="stable")
    before, after = order[:-1], order[1:]
    other = (index.labels[before] != index.labels[after]) | (
        index.split[before] != index.split[after]
    )
    wrong = np.flatnonzero((files[before] == files[after]) & other)
    if not len(wrong):
        return
    one, two = int(before[wrong[0]]), int(after[wrong[0]])
    name = shown(repr(bytes(files[one]).decode(errors="replace")))
    labels = [index.class_names[int(index.labels[row])] for row in (one, two)]
    what = (
        f"the classes {labels[0]!r} and {labels[1]!r}"
        if labels[0] != labels[1]
        else "train and in val"
    )
    raise InputError(
        f"file {name} is listed under {what}: {where(one)} and {where(two)}; a sample has one "
        "class and one split"
    )
