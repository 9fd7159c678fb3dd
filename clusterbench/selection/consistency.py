"""Neighbour consistency: how often a row and its nearest neighbours share a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .partitions import Partition

#: Neighbours that are looked up at a time.
_LOOKED_UP = 1 << 22


def consistency(
    found: Partition, neighbours: np.ndarray, held_out: np.ndarray | None = None
) -> float:
    """Share of pairs (row, one of its neighbours) within a cluster, adjusted for chance.

    (share - e) / (1 - e), where e is the share that random partners would have: the sum over
    clusters of p_c^2, p_c being a cluster's share of the rows, or of q_c p_c where q_c is that of
    the held-out rows. 1 where no pair is apart, about 0 for clusters that know nothing of the
    rows, NaN where there is but one cluster. Clusters of neighbours that were found in features
    that the clusters were not made of say more than those in the same ones: heads are trained on
    pairs of neighbours, and their loss says already how many they hold together.

    The idea is that of SCAN (Van Gansbeke et al., ECCV 2020), that neighbours are mostly of one
    class; the adjustment is that of Cohen's kappa (1960) and of the adjusted Rand index.

    Cost: one pass over the table, m k look-ups; memory: blocks of 4 million of them.

    Args:
        found: a partition of n rows.
        neighbours: (m, k) table of positions among the n rows, as `check_neighbours` leaves it.
        held_out: (m,) int32, clusters of the rows whose neighbours these are, as
            `partitions.placed` has them; None where they are the n rows themselves.
    """
    if found.n_used < 2:
        return float("nan")
    own = found.labels if held_out is None else held_out
    m, k = neighbours.shape
    step, together = max(1, _LOOKED_UP // k), 0
    for start in range(0, m, step):
        block = np.asarray(neighbours[start : start + step])
        together += np.count_nonzero(found.labels[block] == own[start : start + step, None])
    share = found.sizes / found.n
    other = share if held_out is None else _sizes(held_out, found.n_used) / m
    chance = float(share @ other)
    if chance >= 1.0:
        return float("nan")
    return float((together / (m * k) - chance) / (1.0 - chance))


def check_neighbours(neighbours: Any, n: int, m: int | None = None) -> np.ndarray:
    """A table of neighbours: (m, k) integers from 0 to n - 1; no copy, and looked at in blocks.

    Args:
        neighbours: (m, k) array.
        n: rows of the candidates.
        m: rows whose neighbours they are; None for n.

    Raises:
        InputError: it is no such table.
    """
    try:
        table = np.asarray(neighbours) if not isinstance(neighbours, np.ndarray) else neighbours
    except ValueError as error:
        raise InputError("neighbours are rows of unlike lengths; give k of each row") from error
    wanted = n if m is None else m
    if table.ndim != 2 or table.dtype.kind not in "iu" or not table.size or len(table) != wanted:
        raise InputError(
            f"neighbours are {table.dtype} of shape {table.shape}; wanted whole numbers of shape "
            f"({wanted}, k), the positions of k neighbours of each row"
        )
    step = max(1, _LOOKED_UP // table.shape[1])
    for start in range(0, len(table), step):
        block = table[start : start + step]
        low, high = int(block.min()), int(block.max())
        if low < 0 or high >= n:
            raise InputError(
                f"neighbours name row {low if low < 0 else high}; the candidates have rows 0 to "
                f"{n - 1}"
            )
    return table


def check_held_out(held_out: Sequence[Any], n_candidates: int) -> None:
    """Refuse clusters of held-out rows that are not of the candidates, one of each.

    Raises:
        InputError: there are more or fewer, or they are of different numbers of rows.
    """
    if len(held_out) != n_candidates:
        raise InputError(
            f"held_out has {len(held_out)} arrays and there are {n_candidates} candidates; give "
            "the clusters of the held-out rows by each candidate"
        )
    lengths = {len(one) for one in held_out}
    if len(lengths) > 1:
        raise InputError(
            f"held_out has arrays of {sorted(lengths)} rows; all should be of the same rows"
        )


def _sizes(labels: np.ndarray, n_used: int) -> np.ndarray:
    return np.bincount(labels[labels >= 0], minlength=n_used)
