"""Seeded draws that are nested and the same on every platform.

Each id gets a 64-bit priority that depends on its bytes and the seed alone. A draw of m samples is
the m smallest priorities, so a smaller draw is always part of a larger one, and a sample that
joins or leaves the data set moves no other sample's place. No random number generator is used,
whose streams may change between library versions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MASK = (1 << 64) - 1
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
_CHUNK = 1 << 16


def priorities(ids: np.ndarray, seed: int) -> np.ndarray:
    """(n,) uint64 pseudo-random priorities of byte strings.

    ids: (n,) dtype 'S<width>'; the padding does not enter, so neither does the width.
    FNV-1a over the bytes (Fowler, Noll, Vo), then the finaliser of SplitMix64 (Steele et al. 2014).
    """
    width = ids.dtype.itemsize
    out = np.empty(len(ids), dtype=np.uint64)
    start = np.uint64(_mix(_FNV_OFFSET ^ _mix(seed)))
    prime = np.uint64(_FNV_PRIME)
    for first in range(0, len(ids), _CHUNK):
        part = np.ascontiguousarray(ids[first : first + _CHUNK])
        table = part.view(np.uint8).reshape(len(part), width)
        state = np.full(len(part), start, dtype=np.uint64)
        for column in range(width):
            byte = table[:, column]
            state = np.where(byte != 0, (state ^ byte) * prime, state)
        out[first : first + _CHUNK] = _mix_array(state)
    return out


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


def _mix_array(value: np.ndarray) -> np.ndarray:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = value ^ (value >> np.uint64(31))
    return mixed
