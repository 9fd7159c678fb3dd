"""Neighbours of neighbours: the rows that walks on a graph of neighbours reach."""

from __future__ import annotations

import numpy as np

#: Rows that are walked from at a time.
_BLOCK = 8192


def walked_width(n_neighbors: int, walks: int) -> int:
    """Columns of `walked_table`: k + k^2 + ... + k^walks."""
    return sum(n_neighbors**steps for steps in range(1, walks + 1))


def walked_table(ids: np.ndarray, walks: int, seed: int) -> np.ndarray:
    """The rows that 1 to `walks` steps along a graph of neighbours reach from each row.

    Fewer than there are columns fill them again and again, in an order drawn by the seed: the
    numbers of times that a row's neighbours stand there differ by one at most.

    Args:
        ids: (n, k) int32, neighbours of each row, itself excluded.
        walks: steps at most.
        seed: of the order.

    Returns:
        (n, k + k^2 + ... + k^walks) int32, never the row itself.
    """
    if walks == 1:
        return ids
    n, k = ids.shape
    found = np.empty((n, walked_width(k, walks)), dtype=np.int32)
    for start in range(0, n, _BLOCK):
        last = np.asarray(ids[start : start + _BLOCK])
        reached = [last]
        for _ in range(walks - 1):
            last = ids[last].reshape(len(last), -1)
            reached.append(last)
        block = np.concatenate(reached, axis=1)
        block[block == np.arange(start, start + len(block))[:, None]] = n  # n is no row
        block.sort(axis=1)
        block[:, 1:][block[:, 1:] == block[:, :-1]] = n
        key = np.random.default_rng([seed, start]).random(block.shape)
        key[block == n] = np.inf
        order = np.argsort(key, axis=1)
        turn = np.arange(block.shape[1]) % (block < n).sum(axis=1)[:, None]
        found[start : start + len(block)] = np.take_along_axis(
            block, np.take_along_axis(order, turn, axis=1), axis=1
        )
    return found
