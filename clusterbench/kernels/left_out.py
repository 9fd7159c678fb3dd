"""Which samples a numbered subset leaves out, decided by a hash of each, and their counts."""

from __future__ import annotations

import numpy as np

from .compiled import compiled

# Constants of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators",
# OOPSLA 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def hashed(samples: np.ndarray, key: int) -> np.ndarray:
    """(n,) uint64: a hash of each sample's number under a key.

    Args:
        samples: (n,) integers >= 0.
        key: 0 to 2**64 - 1; another key gives unrelated hashes.
    """
    hashes = np.empty(len(samples), np.uint64)
    _hash(np.ascontiguousarray(samples, dtype=np.uint64), np.uint64(key), hashes)
    return hashes


def without_left_out(
    counts: np.ndarray, cells: np.ndarray, hashes: np.ndarray, number: int, below: int
) -> np.ndarray:
    """Counts of the cells less the samples that subset `number` leaves out: (n_cells,) int64.

    A sample is left out if its hash, mixed with the number, falls below `below`, which depends on
    nothing else: the same ones for every labelling of the samples. Time O(n + n_cells).

    Args:
        counts: (n_cells,) int64: the samples of each cell.
        cells: (n,) int64: the cell of each sample.
        hashes: (n,) uint64 of `hashed`.
        number: of the subset, >= 0.
        below: 0 to 2**64 - 1: that part of 2**64 is left out.
    """
    kept = np.array(counts, dtype=np.int64)
    step = np.uint64((number + 1) * int(_GOLDEN) % 2**64)
    _leave_out(cells, hashes, step, np.uint64(below), kept)
    return kept


@compiled
def _mixed(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> _30)) * _FIRST
    value = (value ^ (value >> _27)) * _SECOND
    mixed: np.uint64 = value ^ (value >> _31)
    return mixed


@compiled
def _hash(samples: np.ndarray, key: np.uint64, hashes: np.ndarray) -> None:
    start = _mixed(key)
    for position in range(samples.size):
        hashes[position] = _mixed(start + (samples[position] + np.uint64(1)) * _GOLDEN)


@compiled
def _leave_out(
    cells: np.ndarray, hashes: np.ndarray, step: np.uint64, below: np.uint64, kept: np.ndarray
) -> None:
    for position in range(cells.size):
        if _mixed(hashes[position] + step) < below:
            kept[cells[position]] -= 1
