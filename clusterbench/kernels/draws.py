"""Seeded order of samples: a hash of each id, and samples put in hash order within their class."""

from __future__ import annotations

import numpy as np

from .compiled import compiled


def hash_bytes(table: np.ndarray, start: int) -> np.ndarray:
    """(n,) uint64: FNV-1a over the bytes of each row but the zeros, then SplitMix64's finaliser.

    Args:
        table: (n, width) uint8, C-contiguous.
        start: state before the first byte, in [0, 2^64).
    """
    out = np.empty(len(table), dtype=np.uint64)
    _hash(table, np.uint64(start), out)
    return out


def order_within(labels: np.ndarray, priority: np.ndarray, n_classes: int) -> np.ndarray:
    """(n,) int64: positions by label, then by priority, then as they were.

    Args:
        labels: (n,) int32 in [0, n_classes).
        priority: (n,) uint64.
        n_classes: above every label.
    """
    first = np.zeros(n_classes + 1, dtype=np.int64)
    np.cumsum(np.bincount(labels, minlength=n_classes), out=first[1:])
    order = np.empty(len(labels), dtype=np.int64)
    _order(labels, priority, first[:-1].copy(), first, order)
    return order


@compiled
def _hash(table, start, out):  # type: ignore[no-untyped-def]
    prime = np.uint64(0x100000001B3)
    gold = np.uint64(0x9E3779B97F4A7C15)
    first, second = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
    for i in range(table.shape[0]):
        state = start
        for j in range(table.shape[1]):
            byte = table[i, j]
            if byte != 0:
                state = (state ^ np.uint64(byte)) * prime
        state += gold
        state = (state ^ (state >> np.uint64(30))) * first
        state = (state ^ (state >> np.uint64(27))) * second
        out[i] = state ^ (state >> np.uint64(31))


@compiled
def _order(labels, priority, place, first, order):  # type: ignore[no-untyped-def]
    for i in range(len(labels)):
        order[place[labels[i]]] = i
        place[labels[i]] += 1
    for c in range(len(first) - 1):
        own = order[first[c] : first[c + 1]]
        order[first[c] : first[c + 1]] = own[np.argsort(priority[own], kind="mergesort")]
