"""Ways to prepare rows for k-means, and the one on which fits to halves of the rows agree most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...feature_rows import unit_rows
from ...kmeans.row_sources import Rows

#: (neighbours, rounds) of the smoothing that is done, if one is.
SMOOTHING = (7, 2)
#: That which is tried for it, the first that there are rows enough for. Agreement tells a strong
#: smoothing from none more clearly than a weak one; of how much is best it is no judge.
TRIED = ((12, 2), (7, 2))
#: Rows per cluster that k neighbours of a row need: with fewer than 2 k most are of other clusters.
_PER_NEIGHBOUR = 2
#: Rows that settings are tried on, at least, if there are so many, and at most.
LEAST_ROWS, MOST_ROWS = 2_000, 10_000
#: Of them in a region.
_REGION = 1_250
#: Rows that are read at a time.
_READ = 8192
#: Rows per cluster from which a random part of the rows still shows the clusters.
_ENOUGH = 50


@dataclass(frozen=True)
class Preparation:
    """What is done to unit rows before k-means.

    whitened: as neighbours differ. n_neighbors, rounds: as of `SmoothedKMeans`.
    """

    whitened: bool = False
    n_neighbors: int = 0
    rounds: int = 0

    @property
    def text(self) -> str:
        """For diagnostics: "whitened, 7 neighbours, 2 rounds"."""
        space = "whitened" if self.whitened else "l2"
        if not self.rounds:
            return space
        return f"{space}, {self.n_neighbors} neighbours, {self.rounds} rounds"

    def smoothed(self, n_neighbors: int, rounds: int) -> Preparation:
        """The same with a smoothing."""
        return replace(self, n_neighbors=n_neighbors, rounds=rounds)


def enough_for(k: int, n: int, n_clusters: int) -> bool:
    """Whether the k nearest of n rows are mostly of a row's own cluster, as far as sizes tell."""
    return n >= _PER_NEIGHBOUR * k * n_clusters


def smoothing_tried(n: int, n_clusters: int) -> tuple[int, int] | None:
    """Neighbours and rounds that are tried of n rows; None where they are too few for any."""
    return next((each for each in TRIED if enough_for(each[0], n, n_clusters)), None)


#: (preparation, clusters, rows to fit, rows to predict) -> clusters of both.
Trial = Callable[[Preparation, int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def chosen(
    rows: np.ndarray,
    whitened: np.ndarray | None,
    n_clusters: int,
    trial: Trial,
    seed: int,
    smooth: bool = True,
) -> tuple[Preparation, dict[str, float]]:
    """What is done to rows, by how much fits to two halves of them agree.

    They are whitened, if that was done, and then smoothed, each unless it has clearly less
    agreement: by more than 1 / sqrt(rows that are tried), which is about how far two pairs of
    halves lie apart. For the smoothing a strong one is asked.

    Args:
        rows: (n, dim) float32 at unit length.
        whitened: the same rows whitened; None where there is nothing to even out.
        n_clusters: K.
        trial: fits and predicts.
        seed: of the rows that are taken, and of their halves.
        smooth: whether rows may be smoothed.

    Returns:
        It, and the agreement (`selection.halves.halves_agreement`) of each that was tried by its
        text; unit rows, and nothing tried, where there is no choice or there are not four rows.
    """
    from ...selection.halves import halves_agreement, two_halves

    strong = smoothing_tried(len(rows), n_clusters) if smooth else None
    taken, k = tried_rows(rows, n_clusters, seed)
    halves = two_halves(len(taken), seed)
    best, found = Preparation(), dict[str, float]()
    if (whitened is None and strong is None) or len(halves[0]) < 2:
        return best, found
    k = min(k, len(halves[0]))
    clear = len(taken) ** -0.5

    def agreement(candidate: Preparation) -> float:
        space = whitened if candidate.whitened and whitened is not None else rows
        part = space[taken]

        def fitted(own: np.ndarray, told: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return trial(candidate, k, part[own], part[told])

        found[candidate.text] = halves_agreement(halves, fitted)
        return found[candidate.text]

    least = agreement(best) - clear
    if whitened is not None:
        value = agreement(Preparation(whitened=True))
        if value >= least:
            best, least = Preparation(whitened=True), value - clear
    if strong is not None and agreement(best.smoothed(*strong)) >= least:
        best = best.smoothed(*SMOOTHING)
    return best, found


def n_tried(n: int, n_clusters: int) -> int:
    """How many of n rows `tried_rows` has at most."""
    return min(n, MOST_ROWS, max(LEAST_ROWS, n_clusters * _ENOUGH))


def tried_rows(rows: np.ndarray, n_clusters: int, seed: int) -> tuple[np.ndarray, int]:
    """Numbers of at most `MOST_ROWS` of (n, dim) unit rows, and the clusters to look for in them.

    All rows of a small set. Of one with many rows per cluster a random part. Else regions: a few
    random rows with the rows nearest to each, where clusters have their full size; there are as
    many fewer of them as there are fewer rows.
    """
    n = len(rows)
    most = n_tried(n, n_clusters)
    if n == most:
        return np.arange(n), n_clusters
    generator = np.random.default_rng([seed, n])
    if n_clusters * _ENOUGH <= most:
        return np.sort(generator.choice(n, most, replace=False)), n_clusters
    centres = generator.choice(n, MOST_ROWS // _REGION, replace=False)
    taken = np.zeros(n, dtype=bool)
    for centre in centres:
        near = np.concatenate([rows[a : a + 65_536] @ rows[centre] for a in range(0, n, 65_536)])
        taken[np.argpartition(-near, _REGION)[:_REGION]] = True
    found = np.flatnonzero(taken)
    return found, max(2, round(n_clusters * len(found) / n))


def principal_rows(rows: np.ndarray, basis: np.ndarray | None) -> np.ndarray:
    """Unit rows, in the directions of a basis, (dim, width) float64, if there is one.

    Rows are cut to whole numbers first, so that a row comes to the same bits in any block.
    """
    if basis is None:
        return unit_rows(rows)
    result = np.empty((len(rows), basis.shape[1]), dtype=np.float32)
    for start in range(0, len(rows), 2048):
        block = unit_rows(rows[start : start + 2048]).astype(np.float64)
        result[start : start + 2048] = np.rint(block * 2.0**24) @ basis
    return unit_rows(result)


def gathered(rows: Rows, basis: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """`principal_rows` of rows that are read in blocks, and the numbers of those of zeros."""
    result = np.empty((rows.n, rows.dim if basis is None else basis.shape[1]), dtype=np.float32)
    zeros = np.empty(rows.n, dtype=bool)
    for start in range(0, rows.n, _READ):
        block = rows.block(start, min(start + _READ, rows.n))
        result[start : start + len(block)] = principal_rows(block, basis)
        zeros[start : start + len(block)] = ~block.any(axis=1)
    return result, np.flatnonzero(zeros)


def principal_basis(rows: Rows, width: int) -> np.ndarray | None:
    """The `width` directions of the largest second moment of unit rows: (dim, width) float64.

    Whole numbers, so that products with whole numbers of `principal_rows` are exact. None where
    rows have no more dimensions than that. The mean is not taken off: cosines stay what they are.
    """
    dim = rows.dim
    if dim <= width:
        return None
    moments = np.zeros((dim, dim))
    for start in range(0, rows.n, _READ):
        block = unit_rows(rows.block(start, min(start + _READ, rows.n))).astype(np.float64)
        moments += block.T @ block
    from scipy import linalg

    _, vectors = linalg.eigh(moments, subset_by_index=[dim - width, dim - 1])
    vectors = vectors[:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(width)])
    basis: np.ndarray = np.rint(vectors * 2.0**28)
    return basis
