"""Random subsets of counted samples, without the samples themselves."""

from __future__ import annotations

import numpy as np

from .compiled import compiled


def subsampled(counts: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Counts of `size` samples drawn without replacement: (n_cells,) int64.

    Every subset of the samples is equally likely (selection sampling: Knuth, "The Art of Computer
    Programming" 2, section 3.4.2, algorithm S). Time O(n_cells + n_samples), memory O(n_cells).

    Args:
        counts: (n_cells,) int64, >= 0, how many samples lie in each cell.
        size: 0 to their sum.
        generator: its state moves on.
    """
    drawn = np.empty(len(counts), np.int64)
    _select(np.ascontiguousarray(counts, dtype=np.int64), size, generator, drawn)
    return drawn


def regrouped(weights: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Sum of the weights in each group: (n_groups,) int64, exact.

    Args:
        weights: (n,) int64.
        groups: (n,) int64 in [0, n_groups).
        n_groups: above every group.
    """
    sums = np.zeros(n_groups, np.int64)
    _sum(weights, groups, sums)
    return sums


@compiled
def _select(
    counts: np.ndarray, size: int, generator: np.random.Generator, drawn: np.ndarray
) -> None:
    left = 0
    for count in counts:
        left += count
    for cell in range(counts.size):
        kept = 0
        for _ in range(counts[cell]):
            if left * generator.random() < size:
                kept += 1
                size -= 1
            left -= 1
        drawn[cell] = kept


@compiled
def _sum(weights: np.ndarray, groups: np.ndarray, sums: np.ndarray) -> None:
    for position in range(weights.size):
        sums[groups[position]] += weights[position]
