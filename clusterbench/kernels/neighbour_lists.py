"""Ward's method on lists of cheap partners: costs from centroids and weights, no matrix.

Each cluster has a list of partners and a radius: any cluster off the list costs at least that.
Merging keeps both true, as no merged cluster is cheaper than the cheaper of its parts was
(`agglomerate` has the cost and why). So a cluster whose cheapest partner is within its radius has
found the cheapest of all, whatever became of the others since its list was made.

Of partners i that are equally cheap for j the one with the least i xor j is taken. That is as good
for i as for j, so that many copies of a point pair off at once; by the lowest number all of them
would wait for one.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled
from .nearest import squared_distance

#: Costs looked at together: a chunk whose least is no news is passed over.
_CHUNK = 32


class Clusters(NamedTuple):
    """All clusters, each in the slot of its lowest point; a merged one leaves its slot unused.

    centroids: (n, dim) float32. weights: (n,) float64. heights: (n,) float64, cost of the last
    merge. into: (n,) int32, slot that the cluster went into; its own while it is alive. changed,
    listed: (n,) int32, rounds in which the cluster was made and its list was gone through.
    partners: (n, room) int32, -1 where the list ends. costs: (n, room) float64. radius: (n,)
    float64. other: (n,) int32, slot whose list is to be taken in; -1 for none. best: (n,) float64,
    cost of the cheapest partner; infinity for none. nearest: (n,) int32, that partner.
    """

    centroids: np.ndarray
    weights: np.ndarray
    heights: np.ndarray
    into: np.ndarray
    changed: np.ndarray
    listed: np.ndarray
    partners: np.ndarray
    costs: np.ndarray
    radius: np.ndarray
    other: np.ndarray
    best: np.ndarray
    nearest: np.ndarray


@compiled
def _root(into: np.ndarray, i: int) -> int:
    # Threads may shorten the same path at once: whatever they write leads to the same root.
    while into[i] != i:
        into[i] = into[into[i]]
        i = into[i]
    return i


@compiled
def _cost(clusters: Clusters, i: int, j: int) -> Any:
    a, b = clusters.weights[i], clusters.weights[j]
    return a * b / (a + b) * squared_distance(clusters.centroids[i], clusters.centroids[j])


@compiled
def refresh(clusters: Clusters, which: np.ndarray, now: int) -> None:
    """Go through the lists of some clusters: partners merged since, costs, the cheapest.

    Args:
        clusters: written to, in the slots of `which` alone.
        which: (m,) int32, slots of living clusters.
        now: this round.
    """
    room = clusters.partners.shape[1]
    number, cost = np.empty(2 * room, dtype=np.int32), np.empty(2 * room)
    for i in which:
        count = _collect(clusters, i, i, number, cost, 0)
        if clusters.other[i] >= 0:
            count = _collect(clusters, i, clusters.other[i], number, cost, count)
            clusters.other[i] = -1
        if count > room:
            order = np.argsort(cost[:count], kind="mergesort")
            number[:count], cost[:count] = number[:count][order], cost[:count][order]
            clusters.radius[i] = min(clusters.radius[i], cost[room])
            count = room
        best, nearest = np.inf, -1
        for at in range(count):
            j = number[at]
            clusters.partners[i, at], clusters.costs[i, at] = j, cost[at]
            if cost[at] < best or (cost[at] == best and i ^ j < i ^ nearest):
                best, nearest = cost[at], j
        if count < room:
            clusters.partners[i, count] = -1
        if count == 0:
            clusters.radius[i] = 0.0
        clusters.best[i], clusters.nearest[i] = best, nearest
        clusters.listed[i] = now


@compiled
def _collect(
    clusters: Clusters, i: int, source: int, number: np.ndarray, cost: np.ndarray, count: int
) -> int:
    """Living partners of i from the list of a slot, each once; returns how many there are now."""
    mine = source == i and clusters.changed[i] <= clusters.listed[i]
    for at in range(clusters.partners.shape[1]):
        entry = clusters.partners[source, at]
        if entry < 0:
            break
        j = _root(clusters.into, entry)
        if j == i:
            continue
        known = False
        for before in range(count):
            if number[before] == j:
                known = True
                break
        if known:
            continue
        number[count] = j
        if mine and j == entry and clusters.changed[j] <= clusters.listed[i]:
            cost[count] = clusters.costs[i, at]
        else:
            cost[count] = _cost(clusters, i, j)
        count += 1
    return count


@compiled
def stale(clusters: Clusters, alive: np.ndarray) -> np.ndarray:
    """Slots whose cheapest partner may be another now: themselves or it merged, (m,) int32.

    alive: (n,) int32, slots; of these the living ones.
    """
    result = np.empty(len(alive), dtype=np.int32)
    count = 0
    for i in alive:
        if clusters.into[i] != i:
            continue
        j = clusters.nearest[i]
        since = clusters.listed[i]
        if clusters.changed[i] > since or (
            j >= 0 and (clusters.into[j] != j or clusters.changed[j] > since)
        ):
            result[count] = i
            count += 1
    return result[:count]


@compiled
def reciprocal(clusters: Clusters, alive: np.ndarray, limit: float) -> np.ndarray:
    """Pairs that are each other's cheapest partners at no more than a limit: (m, 2) int32.

    A cluster on whose list its cheapest partner is missing is told by that partner. The lower slot
    comes first.
    """
    n = len(clusters.into)
    cost, partner = np.empty(n), np.empty(n, dtype=np.int32)
    for i in alive:
        known = clusters.best[i] <= clusters.radius[i]
        cost[i] = clusters.best[i] if known else clusters.radius[i]
        partner[i] = clusters.nearest[i] if known else -1
    for i in alive:
        if clusters.into[i] != i or clusters.best[i] > clusters.radius[i]:
            continue
        c, j = clusters.best[i], clusters.nearest[i]
        if j >= 0 and (
            c < cost[j] or (c == cost[j] and (partner[j] < 0 or i ^ j < j ^ partner[j]))
        ):
            cost[j], partner[j] = c, i
    pairs = np.empty((len(alive) // 2, 2), dtype=np.int32)
    count = 0
    for i in alive:
        if clusters.into[i] == i and cost[i] <= limit:
            j = partner[i]
            if j > i and partner[j] == i:
                pairs[count, 0], pairs[count, 1] = i, j
                count += 1
    return pairs[:count]


@compiled
def merge(clusters: Clusters, pairs: np.ndarray, heights: np.ndarray, now: int) -> None:
    """Merge pairs of clusters that have nothing in common; `refresh` the first ones after it.

    Args:
        clusters: written to, in the slots of the pairs alone.
        pairs: (m, 2) int32 slots.
        heights: (m,) float64; written to: costs, none below those of the parts.
        now: this round.
    """
    for at in range(len(pairs)):
        a, b = pairs[at, 0], pairs[at, 1]
        wa, wb = clusters.weights[a], clusters.weights[b]
        cost = _cost(clusters, a, b)
        heights[at] = max(cost, clusters.heights[a], clusters.heights[b])
        clusters.heights[a] = heights[at]
        ra, rb = clusters.radius[a], clusters.radius[b]
        # A cluster on neither list costs a at least ra and b at least rb. What the merged one
        # then costs (Lance and Williams) is least when that cluster weighs nothing or no end.
        clusters.radius[a] = (
            max(ra, rb) if max(ra, rb) == np.inf
            else max(min((wa * ra + wb * rb) / (wa + wb), ra + rb - cost), 0.0)
        )  # fmt: skip
        for j in range(clusters.centroids.shape[1]):
            moved = wa * clusters.centroids[a, j] + wb * clusters.centroids[b, j]
            clusters.centroids[a, j] = moved / (wa + wb)
        clusters.weights[a] = wa + wb
        clusters.into[b] = a
        clusters.changed[a] = now
        clusters.other[a] = b


# Only a minimum is taken, of numbers that are no NaN: it is the same in any order. Weights that are
# all zero raise: a NaN would go unseen.
@partial(compiled, fastmath={"nnan", "nsz"}, error_model="python")
def _least(
    products: np.ndarray,
    squared: np.ndarray,
    weights: np.ndarray,
    own_squared: float,
    own_weight: float,
    start: int,
    stop: int,
) -> Any:
    least = np.float32(np.inf)
    for j in range(start, stop):
        distance = own_squared + squared[j] - np.float32(2.0) * products[j]
        cost = own_weight * (weights[j] / (own_weight + weights[j])) * distance
        least = cost if cost < least else least
    return least


@compiled
def cheapest(
    products: np.ndarray,
    squared: np.ndarray,
    weights: np.ndarray,
    numbers: np.ndarray,
    own_squared: np.ndarray,
    own_weights: np.ndarray,
    own: np.ndarray,
    costs: np.ndarray,
    found: np.ndarray,
) -> None:
    """Take a tile of products into the cheapest partners of each row, themselves left out.

    Args:
        products: (m, q) float32, x.c.
        squared: (q,) float32, |c|^2.
        weights: (q,) float32.
        numbers: (q,) int32, none of them in an earlier tile.
        own_squared: (m,) float32, |x|^2.
        own_weights: (m,) float32.
        own: (m,) int32, number of each row.
        costs: (m, k) float32, ascending; infinity at first.
        found: (m, k) int32, their numbers; -1 at first.
    """
    m, q = products.shape
    k = costs.shape[1]
    for i in range(m):
        row, high = products[i], costs[i, k - 1]
        s, w, me = own_squared[i], own_weights[i], own[i]
        for start in range(0, q, _CHUNK):
            stop = min(start + _CHUNK, q)
            if _least(row, squared, weights, s, w, start, stop) > high:
                continue
            for j in range(start, stop):
                distance = s + squared[j] - np.float32(2.0) * row[j]
                cost = w * (weights[j] / (w + weights[j])) * distance
                number = numbers[j]
                if number == me or not _before(cost, number, high, found[i, k - 1], me):
                    continue
                at = k - 1
                while at > 0 and _before(cost, number, costs[i, at - 1], found[i, at - 1], me):
                    costs[i, at], found[i, at] = costs[i, at - 1], found[i, at - 1]
                    at -= 1
                costs[i, at], found[i, at] = cost, number
                high = costs[i, k - 1]


@compiled
def _before(cost: float, i: int, other_cost: float, j: int, me: int) -> bool:
    """Whether partner i comes before j; -1 comes last."""
    return cost < other_cost or (cost == other_cost and (j < 0 or i ^ me < j ^ me))
