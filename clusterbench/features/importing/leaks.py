"""Two parts with the same features: a val set that is the train set under another name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import InputError
from .matrix import AnyOrderFile


def refuse_same_parts(parts: Sequence[tuple[str, int]], files: Sequence[AnyOrderFile]) -> None:
    """InputError where two parts (name, number of files) hold the same rows, up to rounding.

    Files are not compared: the same features are saved as other bytes under another name, and
    differ in their last digits when they were computed in other batches.
    """
    groups, first = [], 0
    for name, n_files in parts:
        groups.append((name, files[first : first + n_files]))
        first += n_files
    for number, (name, group) in enumerate(groups):
        for other_name, other in groups[:number]:
            if _same(group, other):
                raise InputError(
                    f"{name} holds the features of {other_name} ({group[0].path} and "
                    f"{other[0].path}, {sum(file.n for file in group):,} rows): one split was made "
                    "from the images of the other; extract it again"
                )


def _same(left: Sequence[AnyOrderFile], right: Sequence[AnyOrderFile]) -> bool:
    n = sum(file.n for file in left)
    if n != sum(file.n for file in right):
        return False
    step = left[0].block_rows
    for first in range(0, n, step):
        rows = np.arange(first, min(first + step, n))
        a, b = _rows(left, rows), _rows(right, rows)
        scale = float(np.abs(a).mean())
        if not np.allclose(a, b, rtol=1e-3, atol=1e-3 * scale, equal_nan=True):
            return False
    return True


def _rows(files: Sequence[AnyOrderFile], rows: np.ndarray) -> np.ndarray:
    blocks, first = [], 0
    for file in files:
        local = rows[(rows >= first) & (rows < first + file.n)] - first
        if len(local):
            blocks.append(file.take(local).astype(np.float32, copy=False))
        first += file.n
    return np.concatenate(blocks)
