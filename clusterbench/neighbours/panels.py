"""Rows in panels, each with the lists of its rows' neighbours as far as they are known."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from ..kernels import near_lists as kernels
from ..kmeans.row_sources import Rows

#: Waiting products a list has room for, in lists: with two, each thinning sees as many rows again.
_ROOM = 2
_LEAST_ROOM = 32
#: Bytes of the panels that are compared with each other, beside what is kept of them.
BUDGET = 192 << 20


@dataclass
class Known:
    """What is known of the neighbours of a panel's rows.

    ids: (n, k) int32, nearest first, -1 where fewer are known. cosines: (n, k) float64. merged:
    (n_panels,) bool, the panels whose rows were looked at.
    """

    ids: np.ndarray
    cosines: np.ndarray
    merged: np.ndarray

    @classmethod
    def nothing(cls, n: int, k: int, n_panels: int) -> Known:
        """As it begins."""
        return cls(
            np.full((n, k), -1, dtype=np.int32),
            np.full((n, k), -np.inf),
            np.zeros(n_panels, dtype=bool),
        )


class Side:
    """A panel that is compared: rows, rows of unit length, and lists with room.

    Args:
        rows: all rows.
        start: number of the panel's first row among all rows.
        stop: beyond its last.
        known: written to; None for rows that are only compared with.
        k: neighbours wanted.
        offset: added to numbers of rows, so that those of queries are of none that is searched.
    """

    def __init__(
        self, rows: Rows, start: int, stop: int, known: Known | None, k: int, offset: int = 0
    ) -> None:
        x = rows.block(start, stop)
        lengths = kernels.lengths(x)
        self.panel = kernels.Panel(x, lengths, start + offset)
        self.unit = np.empty_like(x)
        kernels.unit(x, lengths, self.unit)
        self.error = product_error(x.shape[1])
        n = len(x) if known is not None else 0
        room = max(_ROOM * k, _LEAST_ROOM)
        ids = np.empty((0, k), np.int32) if known is None else known.ids
        cosines = np.empty((0, k)) if known is None else known.cosines
        low = (cosines[:, -1] - self.error).astype(np.float32)
        # A number and its product side by side, as they are written together.
        waiting = np.empty((n, room, 2), dtype=np.int32)
        self.lists = kernels.Lists(
            ids,
            cosines,
            waiting[:, :, 0],
            waiting[:, :, 1].view(np.float32),
            np.zeros(n, dtype=np.int32),
            low,
        )
        self.locks: dict[int, threading.Lock] = {}

    @property
    def n(self) -> int:
        """Rows of the panel."""
        return len(self.unit)


def product_error(dim: int) -> float:
    """How far a product of two unit rows, all in float32, may be from their cosine.

    A sum of dim products is off by less than dim / 2^24 of the sum of their absolute values, in
    any order and with or without fused operations (Higham, "Accuracy and stability of numerical
    algorithms", 3.1), which is at most 1 here; the unit rows are rounded once. The rest of the 8
    covers what is rounded after it.
    """
    return (dim + 8) * 2.0**-24 * (1.0 + 1e-3) + 1e-30


def panel_rows(n: int, dim: int, k: int, copied: bool, budget: int) -> int:
    """Rows of a panel such that two of them take no more than a budget in bytes.

    The budget grows with the features: a 32nd part of them as float32.
    """
    row = 4 * dim * (1 + copied) + 8 * max(_ROOM * k, _LEAST_ROOM) + 24
    rows = max(budget, 4 * n * dim // 32) // (2 * row)
    return int(min(n, max(rows, 1024)))
