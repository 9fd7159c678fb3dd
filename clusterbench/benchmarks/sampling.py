"""Seeded draws that are nested and the same on every platform.

Each id gets a 64-bit priority that depends on its bytes and the seed alone. A draw of m samples is
the m smallest priorities, so a smaller draw is always part of a larger one, and a sample that
joins or leaves the data set moves no other sample's place. No random number generator is used,
whose streams may change between library versions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..kernels.draws import hash_bytes

_MASK = (1 << 64) - 1
_FNV_OFFSET = 0xCBF29CE484222325


def priorities(ids: np.ndarray, seed: int) -> np.ndarray:
    """(n,) uint64 pseudo-random priorities of byte strings.

    ids: (n,) dtype 'S<width>'; the padding does not enter, so neither does the width.
    FNV-1a over the bytes (Fowler, Noll, Vo), then the finaliser of SplitMix64 (Steele et al. 2014).
    """
    width = ids.dtype.itemsize
    table = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), width)
    return hash_bytes(table, _mix(_FNV_OFFSET ^ _mix(seed)))


def text_priorities(names: Sequence[str], seed: int) -> np.ndarray:
    """(n,) uint64: `priorities` of text, encoded as UTF-8."""
    return priorities(np.array([name.encode() for name in names], dtype=np.bytes_), seed)


def draw_classes(classes: np.ndarray, names: Sequence[str], n: int, seed: int) -> np.ndarray:
    """(min(n, len(classes)),) ascending: the classes with the smallest priorities."""
    order = np.argsort(text_priorities([names[c] for c in classes], seed), kind="stable")
    return np.sort(np.asarray(classes)[order[:n]])


def _mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
