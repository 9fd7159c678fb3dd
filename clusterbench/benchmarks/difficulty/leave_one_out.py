"""How well the neighbours of a class's images recognise them: leave-one-out kNN per class.

The arithmetic is exact, so that the result is the same with every BLAS, number of threads and
instruction set: features become integers of norm at most 4096 (see `unit_integers`); then every
product and partial sum of an inner product is an integer of at most 2^24 (Cauchy-Schwarz), which
float32 holds without rounding in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ...errors import InputError
from .unit_integers import MAX_NORM, unit_integers

_BLOCK_CELLS = 1 << 23  # similarities held at a time, 32 MB


@dataclass(frozen=True, eq=False)
class NeighbourCounts:
    """What the neighbours say of each class, all (n_classes,) int64.

    n_images: images ranked. n_correct: how many are recognised by their neighbours. n_same: how
    many of their neighbours are of the class.
    """

    n_images: np.ndarray
    n_correct: np.ndarray
    n_same: np.ndarray


def knn_class_scores(
    features: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    n_neighbors: int = 20,
    device: str | torch.device = "cpu",
) -> NeighbourCounts:
    """Leave-one-out kNN classification of every sample among the others.

    features: (n, dim) float. labels: (n,) in [0, n_classes). The nearest by cosine vote with
    weight 1 + cosine; samples as near as the last of them vote too, so the order of rows has no
    say. A sample counts as recognised when its class has strictly the most votes.

    Time O(n^2 dim); memory the rounded features and 32 MB of similarities at a time (64 MB on a
    GPU). Raises InputError for n_neighbors outside 1..n-1, a zero or non-finite feature, or
    dim > 36,864.
    """
    n = len(features)
    if not 1 <= n_neighbors < n:
        raise InputError(f"n_neighbors={n_neighbors} should be in 1..n_samples-1={n - 1}")
    similarities = _similarities(unit_integers(features), device)
    correct = np.zeros(n, dtype=bool)
    same = np.zeros(n, dtype=np.int64)
    step = max(1, _BLOCK_CELLS // n)
    for start in range(0, n, step):
        stop = min(start + step, n)
        cosine = similarities(start, stop)
        cosine.diagonal(start).fill_(-torch.inf)
        threshold = torch.topk(cosine, n_neighbors, dim=1).values.amin(dim=1, keepdim=True)
        near = torch.nonzero(cosine >= threshold, as_tuple=True)
        query, neighbour = (part.cpu().numpy() for part in near)
        weight = cosine[near].cpu().numpy().astype(np.int64) + MAX_NORM * MAX_NORM
        own = labels[neighbour] == labels[start + query]
        correct[start:stop] = _recognised(query, labels[neighbour], own, weight, stop - start)
        same[start:stop] = np.bincount(query[own], minlength=stop - start)
    return NeighbourCounts(
        n_images=np.bincount(labels, minlength=n_classes).astype(np.int64),
        n_correct=np.bincount(labels[correct], minlength=n_classes).astype(np.int64),
        n_same=_sum_by(labels, same, n_classes),
    )


def _similarities(
    integers: np.ndarray, device: str | torch.device
) -> Callable[[int, int], torch.Tensor]:
    """(start, stop) -> (stop - start, n) inner products of these rows with all rows, exact.

    torch may multiply float32 matrices in fewer bits (TF32, bfloat16) where a process asks for
    it: NumPy multiplies on the CPU, and other devices in float64.
    """
    if torch.device(device).type == "cpu":
        return lambda start, stop: torch.from_numpy(integers[start:stop] @ integers.T)
    there = torch.from_numpy(integers).to(device, torch.float64)
    return lambda start, stop: there[start:stop] @ there.T


def _recognised(
    query: np.ndarray, label: np.ndarray, own: np.ndarray, weight: np.ndarray, n_queries: int
) -> np.ndarray:
    """(n_queries,) bool: the summed weight of the own class is above every other class's."""
    own_votes = _sum_by(query[own], weight[own], n_queries)
    best_other = np.zeros(n_queries, dtype=np.int64)
    query, label, weight = query[~own], label[~own], weight[~own]
    if len(query):
        order = np.lexsort((label, query))
        query, label, weight = query[order], label[order], weight[order]
        first = np.flatnonzero(np.r_[True, (query[1:] != query[:-1]) | (label[1:] != label[:-1])])
        np.maximum.at(best_other, query[first], np.add.reduceat(weight, first))
    return own_votes > best_other


def _sum_by(key: np.ndarray, value: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros(size, dtype=np.int64)
    np.add.at(out, key, value)
    return out
