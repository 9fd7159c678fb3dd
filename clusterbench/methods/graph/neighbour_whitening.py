"""Whitening by how neighbours differ: directions in which they do so much count less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...cores import one_blas_thread
from ...feature_rows import unit_rows
from ...neighbours.kept import Place, nearest_of, neighbours_of

if TYPE_CHECKING:
    import torch

#: Neighbours whose differences count, and times that they are looked for.
N_NEIGHBORS, ROUNDS = 10, 2
#: Rows whose neighbours are looked for, at most.
MOST_ROWS = 10_000
#: Share of the mean scatter of a direction that each has at least, of many rows.
_RIDGE = 0.1
#: Effective directions of the differences, as a share of all, from which they count as even.
_EVEN = 2.0 / 3.0
#: Mean squared difference of unit rows of float32 that is no difference.
_ROUNDING = 1e-10
#: Rows are rounded to whole numbers of 2^-24, and each column of a basis is at most 2^27 long: then
#: sums of products of centred rows stay below 2^53 and are exact in float64, in any order.
_ROW, _COLUMN = 2.0**24, 2.0**27
#: Rows that are mapped at a time.
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class NeighbourWhitening:
    """Unit rows x become (x - mean) W^(-1/2) at unit length.

    W is the mean of (x - y)(x - y)' over rows x and their nearest other rows y. Neighbours are
    mostly of one class, so W is about the scatter within classes, of which nobody has labels;
    to undo it is relevant component analysis (Bar-Hillel, Hertz, Shental & Weinshall, JMLR 6,
    2005), with neighbours in the place of chunklets. Unlike whitening by the covariance it leaves
    directions of noise as they are, and takes the weight of those that only tell far rows apart.

    mean: (dim,) float64, whole numbers of 2^-24. basis: (dim, dim) float64, whole numbers; their
    scale is of no account.
    """

    mean: np.ndarray
    basis: np.ndarray

    def __call__(self, unit: np.ndarray) -> np.ndarray:
        """(m, dim) float32 unit rows as (m, dim) float32 at unit length, the same in any block."""
        result = np.empty_like(unit)
        for start in range(0, len(unit), _BLOCK):
            block = np.rint(unit[start : start + _BLOCK].astype(np.float64) * _ROW) - self.mean
            block[~unit[start : start + _BLOCK].any(axis=1)] = 0.0  # zeros have no direction
            result[start : start + _BLOCK] = block @ self.basis
        return unit_rows(result)


def neighbour_whitening(
    unit: np.ndarray, device: torch.device, place: Place | None = None
) -> NeighbourWhitening | None:
    """The whitening of (n, dim) float32 unit rows; None where there is nothing to even out.

    Neighbours by the cosine of the rows give a first W, those of the rows that it whitens the one
    that is taken. W has a tenth of its mean spread evenly, or dim / (n + dim), so that few rows are
    not taken at their word. Where the differences of neighbours take more than two thirds of the
    directions (by the participation ratio, (sum of eigenvalues)^2 / sum of their squares), as of
    features that were whitened before, rows are left alone: what there is to see is noise.

    Of more than 10,000 rows the neighbours of so many are looked for, among all, the same for any
    seed of a method.

    Args:
        unit: zeros are left out.
        device: where they are looked for.
        place: as `neighbours_of` takes it.
    """
    directed = unit.any(axis=1)
    if not directed.all():  # zeros are neighbours of nobody
        unit = unit[directed]
    n, dim = unit.shape
    if n < 3 or dim < 2:
        return None
    asked = np.arange(n)
    if n > MOST_ROWS:
        asked = np.sort(np.random.default_rng(n).choice(n, MOST_ROWS, replace=False))
    mean = np.rint(_mean(unit) * _ROW)
    found: NeighbourWhitening | None = None
    for _ in range(ROUNDS):
        seen = unit if found is None else found(unit)
        scatter = _scatter(unit, asked, _neighbours(seen, asked, device, place))
        whole = float(np.trace(scatter))
        if whole <= _ROUNDING:  # all neighbours are copies
            return None
        if found is None and whole**2 > _EVEN * dim * float((scatter**2).sum()):
            return None
        share = max(_RIDGE, dim / (dim + len(asked)))
        scatter = (1.0 - share) * scatter + share * whole / dim * np.eye(dim)
        found = NeighbourWhitening(mean, _inverse_root(scatter))
    return found


def _mean(unit: np.ndarray) -> np.ndarray:
    total = np.zeros(unit.shape[1])
    for start in range(0, len(unit), _BLOCK):
        total += unit[start : start + _BLOCK].sum(axis=0, dtype=np.float64)
    mean: np.ndarray = total / len(unit)
    return mean


def _neighbours(
    rows: np.ndarray, asked: np.ndarray, device: torch.device, place: Place | None
) -> np.ndarray:
    """(m, k) numbers of the nearest other rows of those asked of."""
    k = min(N_NEIGHBORS, len(rows) - 1)
    if len(rows) <= 2 * MOST_ROWS:  # each pair is looked at once then, and the graph is kept
        ids: np.ndarray = neighbours_of(rows, k, device, place=place).ids[asked]
        return ids
    near = nearest_of(rows[asked], rows, k + 1, device).ids
    others = near != asked[:, None]
    others[others.all(axis=1), -1] = False  # a copy of a lower number is in its place
    found: np.ndarray = near[others].reshape(len(asked), k)
    return found


def _scatter(unit: np.ndarray, asked: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The mean of (x - y)(x - y)' over rows and their neighbours: (dim, dim) float64.

    Of a row and its k neighbours the sum is k xx' - xs' - sx' + sum yy', where s is the sum of the
    neighbours.
    """
    k = ids.shape[1]
    taken, weights = np.unique(ids, return_counts=True)
    with one_blas_thread():  # one order of sums in any number of threads
        total = np.zeros((unit.shape[1],) * 2)
        for start in range(0, len(asked), _BLOCK):
            own = unit[asked[start : start + _BLOCK]].astype(np.float64)
            beside = np.zeros_like(own)
            for column in ids[start : start + _BLOCK].T:
                beside += unit[column]
            cross = own.T @ beside
            total += k * (own.T @ own) - cross - cross.T
        for start in range(0, len(taken), _BLOCK):
            rows = unit[taken[start : start + _BLOCK]].astype(np.float64)
            total += (rows * weights[start : start + _BLOCK, None]).T @ rows
    scatter: np.ndarray = total / (len(asked) * k)
    return scatter


def _inverse_root(scatter: np.ndarray) -> np.ndarray:
    """A multiple of W^(-1/2) in whole numbers, its longest column 2^27 long."""
    from scipy import linalg  # takes a third of a second

    with one_blas_thread():
        values, vectors = linalg.eigh(scatter)
        root = (vectors * values**-0.5) @ vectors.T
    longest = np.linalg.norm(root, axis=0).max()
    basis: np.ndarray = np.rint(root * (_COLUMN / longest))
    return basis
