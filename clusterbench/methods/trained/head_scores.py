"""What a criterion without labels says of each trained head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...neighbours.kept import neighbours_of_rows
from .head_input import HeadInput

if TYPE_CHECKING:
    from ...heads.one_of_many import OneOfMany
    from ...kmeans.row_sources import Rows

#: Neighbours of a row that "consistency" asks of, at most.
_NEIGHBORS = 10
#: Rows that are looked at, at most: some hundred thousand pairs tell the heads of 11 million rows
#: apart. Of "calinski-harabasz", which adds up clusters, there are as many a cluster, too.
_ROWS = 50_000
_ROWS_BY_CLUSTER = 20


@dataclass(frozen=True, eq=False)
class Look:
    """What a criterion sees of the training rows.

    numbers: (m,) int64, ascending, the rows whose clusters it sees. near: (r, k), of "consistency"
    the nearest neighbours of some of them, as positions in `numbers`. asked: (r,) the positions of
    these rows; None where they are all.
    """

    numbers: np.ndarray
    near: np.ndarray | None = None
    asked: np.ndarray | None = None


def look(
    criterion: str, seen: HeadInput, neighbors: np.ndarray, n_clusters: int, seed: int
) -> Look:
    """The rows that a criterion looks at.

    "loss" sees none; "consistency" 50,000 rows with ten nearest neighbours of each,
    "calinski-harabasz" the larger of 50,000 and 20 rows a cluster, or as many as there are; drawn
    by the seed, so that what is held does not grow with the data. Others see all rows.

    Args:
        criterion: one of `selection.CRITERIA`.
        seen: the training rows.
        neighbors: (n, k), nearest ones that the training found, nearest first; (n, 0) where it
            looked for none.
        n_clusters: K.
        seed: of what is drawn.
    """
    from ...selection.spaces import sampled

    n = seen.raw.n
    if criterion == "loss":
        return Look(np.empty(0, dtype=np.int64))
    if criterion == "calinski-harabasz":
        return Look(sampled(n, max(_ROWS, _ROWS_BY_CLUSTER * n_clusters), seed))
    if criterion != "consistency":
        return Look(np.arange(n))
    k = min(_NEIGHBORS, n - 1)
    if neighbors.shape[1] < k:  # the graph that was made for the training has as many
        neighbors = neighbours_of_rows(seen.raw, k, seen.device).ids
    asked = sampled(n, _ROWS, seed)
    near = np.asarray(neighbors[asked, :k])
    if len(asked) == n:
        return Look(asked, near)
    numbers = np.union1d(asked, near)
    return Look(numbers, np.searchsorted(numbers, near), np.searchsorted(numbers, asked))


def scores_of_heads(
    clusters: np.ndarray,
    finite: np.ndarray,
    criterion: Any,
    looked: Look,
    seen: HeadInput,
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
        looked: at what.
        seen: what the heads were trained on.
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
    if criterion == "agreement":
        every = np.zeros((len(finite), len(looked.numbers)), dtype=np.float32)
        every[own] = clusters  # exact as float32: there are fewer than 2^24 clusters
        clusters = mates.sum(torch.from_numpy(every)).numpy().astype(np.int32)
        clusters[~finite] = 0
        scores = np.array(choose(list(clusters), criterion, **options).scores)
        used = np.array([len(np.unique(one)) for one in clusters])
    else:
        if criterion == "consistency":
            options["neighbours"] = looked.near
        else:
            options["spaces"] = [_Part(seen.raw, looked.numbers)]
        found = []
        for one in clusters:
            if looked.asked is not None:
                options["held_out"] = [one[looked.asked]]
            found.append(choose([one], criterion, **options).scores[0])
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
