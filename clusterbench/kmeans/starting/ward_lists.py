"""Ward's method without a matrix: rounds of pairs that are each other's cheapest partners.

Memory is that of the points and of a short list of partners for each. Exact, a list that no longer
knows the cheapest partner is made anew from products with all centroids; approximate, it lasts
until it is empty, and the first ones come from cells of near points. Merges go by rising limits
of cost: when all below a limit are made and no more clusters are left than wanted, the lowest of
them are the cut of the whole tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ...kernels import neighbour_lists as kernels
from ...kernels.nearest import squared_lengths

#: Rows that are multiplied together with a tile of centroids, and the centroids of a tile.
_GROUP, _TILE = 512, 1024
#: Clusters that a thread takes at a time.
_BLOCK = 1024


class Agglomeration:
    """Clusters on the way from n points to a few.

    Args:
        points: (n, dim) float32, more than one.
        weights: (n,) float64 > 0.
        n_neighbors: partners that a search lists.
        exact: make lists anew that no longer know the cheapest partner.
        pool: threads; the answer does not depend on them.

    Attributes:
        n_neighbors: the same, or all others where they are fewer.
        points: (n, dim) float32, moved to have their mean at 0 and, from the first merge on, the
            centroids of clusters.
        searched: rows that were compared with all centroids.
        rounds: of merges.
    """

    def __init__(
        self,
        points: np.ndarray,
        weights: np.ndarray,
        *,
        n_neighbors: int,
        exact: bool,
        pool: ThreadPoolExecutor,
    ) -> None:
        n = len(points)
        self.n_neighbors = min(n_neighbors, n - 1)
        room = min(2 * n_neighbors, n - 1)
        # Distances do not change, and their rounding is that of the spread, not of the mean.
        mean = np.average(points, axis=0, weights=weights).astype(np.float32)
        self.points = points - mean
        self._clusters = kernels.Clusters(
            centroids=self.points,
            weights=weights.copy(),
            heights=np.zeros(n),
            into=np.arange(n, dtype=np.int32),
            changed=np.zeros(n, dtype=np.int32),
            listed=np.zeros(n, dtype=np.int32),
            partners=np.full((n, room), -1, dtype=np.int32),
            costs=np.full((n, room), np.inf),
            radius=np.zeros(n),
            other=np.full(n, -1, dtype=np.int32),
            best=np.full(n, np.inf),
            nearest=np.full(n, -1, dtype=np.int32),
        )
        self._exact, self._pool = exact, pool
        self._alive = np.arange(n, dtype=np.int32)
        self._merges: list[tuple[np.ndarray, np.ndarray]] = []
        self.searched, self.rounds = 0, 0

    def begin(self, partners: np.ndarray) -> None:
        """First lists from elsewhere: (n, k) int32, -1 where there are fewer; k as in a search."""
        self._list(self._alive, partners, np.full(len(partners), np.inf))

    def merges(self, n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
        """The m = n - n_clusters cheapest merges: two (m,) int32, a point of each cluster."""
        while len(self._alive) > n_clusters:
            self._all_below(self._limit(len(self._alive) - n_clusters))
        pairs = np.concatenate([pairs for pairs, _ in self._merges])
        heights = np.concatenate([heights for _, heights in self._merges])
        n = len(self._clusters.into)
        lowest = np.argsort(heights, kind="stable")[: n - n_clusters]
        return pairs[lowest, 0], pairs[lowest, 1]

    def _bounds(self) -> np.ndarray:
        """What any merge of each living cluster costs at least."""
        best, radius = self._clusters.best[self._alive], self._clusters.radius[self._alive]
        bounds: np.ndarray = np.minimum(best, radius)
        return bounds

    def _limit(self, wanted: int) -> float:
        """Up to which cost to merge next: not far beyond so many merges, nor half of the rest."""
        bounds = self._bounds()
        rank = min(2 * wanted, len(bounds) // 2) - 1
        return float(np.partition(bounds, max(rank, 0))[max(rank, 0)])

    def _all_below(self, limit: float) -> None:
        """All merges that cost no more than a limit."""
        clusters = self._clusters
        while True:
            pairs = kernels.reciprocal(clusters, self._alive, limit)
            if len(pairs):
                self._merge(pairs)
                continue
            unsure = (clusters.best > clusters.radius)[self._alive] & (self._bounds() <= limit)
            if not unsure.any() or len(self._alive) == 1:
                return
            self._search(self._alive[unsure])

    def _merge(self, pairs: np.ndarray) -> None:
        self.rounds += 1
        now = self.rounds
        heights = np.empty(len(pairs))
        self._each(
            lambda part: kernels.merge(self._clusters, pairs[part], heights[part], now), len(pairs)
        )
        self._merges.append((pairs, heights))
        stale = kernels.stale(self._clusters, self._alive)
        self._each(lambda part: kernels.refresh(self._clusters, stale[part], now), len(stale))
        self._alive = self._alive[self._clusters.into[self._alive] == self._alive]

    def _search(self, rows: np.ndarray) -> None:
        """New lists of some clusters, of the cheapest of all."""
        self.searched += len(rows)
        weights = self._clusters.weights[self._alive].astype(np.float32)
        centroids = self._clusters.centroids[self._alive]
        squared = squared_lengths(centroids).astype(np.float32)
        at = np.searchsorted(self._alive, rows)
        found = np.empty((len(rows), self.n_neighbors), dtype=np.int32)
        radius = np.full(len(rows), np.inf)

        def look(part: slice) -> None:
            here = at[part]
            numbers, costs = cheapest_of(
                centroids[here], squared[here], weights[here], rows[part], centroids, squared,
                weights, self._alive, self.n_neighbors,
            )  # fmt: skip
            found[part] = numbers
            # With all others on the list nobody is off it.
            radius[part] = costs[:, -1] if len(self._alive) - 1 > self.n_neighbors else np.inf

        self._each(look, len(rows), _GROUP)
        self._list(rows, found, radius)

    def _list(self, rows: np.ndarray, partners: np.ndarray, radius: np.ndarray) -> None:
        clusters, k = self._clusters, partners.shape[1]
        clusters.partners[rows, :k] = partners
        if k < clusters.partners.shape[1]:
            clusters.partners[rows, k] = -1
        clusters.radius[rows] = radius if self._exact else np.inf
        clusters.listed[rows] = -1  # costs are not known
        now = self.rounds
        self._each(lambda part: kernels.refresh(clusters, rows[part], now), len(rows))
        # Found by products in float32, the cheapest may seem to be beyond the last.
        found = clusters.best[rows] < np.inf
        rows = rows[found]
        clusters.radius[rows] = np.maximum(clusters.radius[rows], clusters.best[rows])

    def _each(self, action: Callable[[slice], None], n: int, size: int = _BLOCK) -> None:
        parts: Iterable[slice] = [slice(a, min(a + size, n)) for a in range(0, n, size)]
        if n <= size:
            for part in parts:
                action(part)
            return
        for _ in self._pool.map(action, parts):
            pass


def cheapest_of(
    x: np.ndarray,
    x_squared: np.ndarray,
    x_weights: np.ndarray,
    own: np.ndarray,
    centroids: np.ndarray,
    squared: np.ndarray,
    weights: np.ndarray,
    numbers: np.ndarray,
    k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The k cheapest partners of rows among centroids, ascending.

    Args:
        x: (m, dim) float32.
        x_squared: (m,) float32, |x|^2.
        x_weights: (m,) float32.
        own: (m,) int32, number of each row, which is not its own partner.
        centroids: (n, dim) float32.
        squared: (n,) float32, |c|^2.
        weights: (n,) float32.
        numbers: (n,) int32, ascending.
        k: how many.

    Returns:
        numbers: (m, k) int32; -1 where there are fewer. costs: (m, k) float32.
    """
    costs = np.full((len(x), k), np.inf, dtype=np.float32)
    found = np.full((len(x), k), -1, dtype=np.int32)
    for a in range(0, len(centroids), _TILE):
        tile = slice(a, a + _TILE)
        kernels.cheapest(
            x @ centroids[tile].T, squared[tile], weights[tile], numbers[tile], x_squared,
            x_weights, own, costs, found,
        )  # fmt: skip
    return found, costs
