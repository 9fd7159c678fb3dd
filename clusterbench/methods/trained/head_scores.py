"""What a criterion without labels says of each trained head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...neighbours.kept import neighbours_of_rows
from .head_input import HeadInput

if TYPE_CHECKING:
    from ...heads.one_of_many import OneOfMany
    from ...kmeans.row_sources import Rows

#: Neighbours that "consistency" asks of where the training looked for none.
_NEIGHBORS = 10
#: Rows of a cluster, and rows at least, that "calinski-harabasz" looks at: the heads of 11 million
#: rows are told apart by some hundred thousand of them.
_ROWS_BY_CLUSTER = 20
_ROWS = 50_000


def rows_looked_at(criterion: str, n: int, n_clusters: int, seed: int) -> np.ndarray:
    """Ascending numbers of the rows whose clusters the criterion sees, int64.

    "loss" sees none. "calinski-harabasz" sees at most the larger of 50,000 and 20 a cluster, drawn
    by the seed, so that what is held and added up does not grow with the data; others see all.
    """
    from ...selection.spaces import sampled

    if criterion == "loss":
        return np.empty(0, dtype=np.int64)
    most = max(_ROWS, _ROWS_BY_CLUSTER * n_clusters)
    return sampled(n, most if criterion == "calinski-harabasz" else None, seed)


def scores_of_heads(
    clusters: np.ndarray,
    finite: np.ndarray,
    criterion: Any,
    numbers: np.ndarray,
    seen: HeadInput,
    neighbors: np.ndarray,
    n_clusters: int,
    seed: int,
    mates: OneOfMany,
    own: slice,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the heads of all processes, and the clusters that each uses of the rows looked at.

    Each process looks at its own heads, but for "agreement", which compares all with all.

    Args:
        clusters: (own heads, m) int32, of the rows looked at.
        finite: (heads,) whether the loss of each is; one that broke has no score.
        criterion: one of `selection.CRITERIA` but "loss".
        numbers: (m,) the rows looked at.
        seen: what the heads were trained on.
        neighbors: (n, k), nearest ones that the training found; (n, 0) where it looked for none.
        n_clusters: K.
        seed: of what the criterion draws.
        mates: the processes that share the heads.
        own: the heads of this process among all.

    Returns:
        (heads,) float64, more is better, NaN of a head that is out; (heads,) int64.
    """
    import torch

    from ...selection import choose

    options: dict[str, Any] = {"n_clusters": n_clusters, "random_state": seed}
    if criterion == "consistency":
        if not neighbors.shape[1]:
            k = min(_NEIGHBORS, seen.raw.n - 1)
            neighbors = neighbours_of_rows(seen.raw, k, seen.device).ids
        options["neighbours"] = neighbors
    if criterion == "agreement":
        every = np.zeros((len(finite), len(numbers)), dtype=np.float32)
        every[own] = clusters  # exact as float32: there are fewer than 2^24 clusters
        clusters = mates.sum(torch.from_numpy(every)).numpy().astype(np.int32)
        clusters[~finite] = 0
        scores = np.array(choose(list(clusters), criterion, **options).scores)
        used = np.array([len(np.unique(one)) for one in clusters])
    else:
        options["spaces"] = [_Part(seen.raw, numbers)]
        found = [choose([one], criterion, **options).scores[0] for one in clusters]
        of_own = torch.tensor([len(np.unique(one)) for one in clusters], dtype=torch.float64)
        scores = np.array(mates.gathered(torch.tensor(found, dtype=torch.float64)))
        used = np.array(mates.gathered(of_own)).astype(np.int64)
    used = np.where(finite, used, 0)
    out = ~finite if (used < 2).all() else used < 2
    return np.where(out, np.nan, scores), used


class _Part:
    """Some of the rows, as `Rows`.

    Args:
        rows: all.
        numbers: (m,) ascending.
    """

    def __init__(self, rows: Rows, numbers: np.ndarray) -> None:
        self.n, self.dim, self.in_memory = len(numbers), rows.dim, rows.in_memory
        self._rows, self._numbers = rows, numbers
        self._whole = len(numbers) == rows.n

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        if self._whole:
            return self._rows.block(start, stop)
        return self._rows.take(self._numbers[start:stop])

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return self._rows.take(numbers if self._whole else self._numbers[numbers])
