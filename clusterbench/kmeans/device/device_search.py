"""The nearest centroid of rows on a device: by a cheap product where a bound leaves no doubt.

As `certified` does it on the CPU, with another product. Rows that stay in doubt ask a second time
which centroids are within the bound of the lowest score, in float32 where these are many, and
compare those in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .device_points import DevicePoints, Halves
from .torch_kernels import DeviceKernels, TorchKernels

#: Places looked at together for rows in doubt.
_PLACES = 1 << 26
#: Centroids that a row in doubt compares in float64, on average; more are narrowed down first.
_MANY = 16
#: No number: above all of them.
_NONE = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Block:
    """Rows start..start + n - 1 of a shard on the device.

    rows: (n, at least dim) float16 or float32, exact; zeros behind the first dim. halves: what
    float16 products take, or None. lengths: (n,) float64, |x|^2.
    """

    start: int
    rows: torch.Tensor
    halves: Halves | None
    lengths: torch.Tensor

    def operand(self, chosen: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """What is multiplied, and what the product is to be multiplied by."""
        if self.halves is None:
            rows = self.rows if chosen is None else self.rows[chosen]
            return rows, self.lengths[:0]
        if chosen is None:
            return self.halves.features, self.halves.inverse
        return self.halves.features[chosen], self.halves.inverse[chosen]

    def residual(self) -> torch.Tensor:
        """(n,) or (1,) float64, how far what is multiplied is off."""
        if self.halves is None:
            return self.lengths.new_zeros(len(self.lengths))
        return self.halves.residual


@dataclass(frozen=True)
class DeviceFound:
    """Of each row: its nearest centroid, the squared distance, a bound on all others.

    labels: (m,) int64. squared: (m,) float64. others: (m,) float64, no more than the distance to
    any other centroid that was looked at. pairs: compared in float64. doubtful: rows that the
    product did not decide.
    """

    labels: torch.Tensor
    squared: torch.Tensor
    others: torch.Tensor
    pairs: int
    doubtful: int


class Search:
    """The nearest of the first points, for some rows of a block.

    Args:
        kernels: that compute.
        points: to look at, in order.
        places: (k_all,) int32, where the centroid of each number stands among them; -1: nowhere.
        centroids: (k_all, dim) float32, by number.
    """

    def __init__(
        self,
        kernels: DeviceKernels,
        points: DevicePoints,
        places: torch.Tensor,
        centroids: torch.Tensor,
    ) -> None:
        self._kernels, self._points = kernels, points
        self._places, self._centroids = places, centroids
        self._plain = TorchKernels()

    def find(
        self,
        block: Block,
        chosen: torch.Tensor | None,
        own: torch.Tensor,
        own_squared: torch.Tensor,
        depth: int,
    ) -> DeviceFound:
        """The nearest of each row's own centroid and the first `depth` points.

        Args:
            block: of the rows.
            chosen: (m,) int64, rows of the block; None for all.
            own: (m,) int64, number of each one's centroid; -1 for none.
            own_squared: (m,) float64, squared distance to it; infinity for none.
            depth: how many of the points.
        """
        x, inverse = block.operand(chosen)
        lengths, residual = block.lengths, block.residual()
        if chosen is not None:
            lengths, residual = lengths[chosen], residual[chosen]
        places = self._of(own)
        low, next_low, place = self._kernels.two_nearest(x, inverse, self._points, depth, places)
        best, second = low.double(), next_low.double()
        error = self._points.errors(lengths, residual)
        mine = (own_squared - lengths) / 2.0
        stays = best - error > mine
        clear = second - best > 2.0 * error
        moves = ~stays & clear & (best + error < mine)
        moving = torch.nonzero(moves)[:, 0]
        unsure = torch.nonzero(~(stays | moves))[:, 0]
        labels, squared = own.clone(), own_squared.clone()
        others = _at_least(best, error, lengths)
        if len(moving):
            labels[moving] = self._points.numbers[place[moving].long()]
            squared[moving] = self._kernels.squared_distances(
                block.rows, moving if chosen is None else chosen[moving], self._centroids,
                labels[moving],
            )  # fmt: skip
            runner_up = _at_least(second[moving], error[moving], lengths[moving])
            # The one that it left is an other one now.
            others[moving] = torch.minimum(runner_up, _below(own_squared[moving]))
        pairs = len(moving)
        if len(unsure):
            limit = torch.minimum(best + 2.0 * error, mine + error)[unsure]
            rows = unsure if chosen is None else chosen[unsure]
            settled = self._settle(
                block, rows, own[unsure], own_squared[unsure], mine[unsure], limit,
                _at_least(limit, error[unsure], lengths[unsure]), depth,
            )  # fmt: skip
            labels[unsure], squared[unsure] = settled.labels, settled.squared
            others[unsure] = settled.others
            pairs += settled.pairs
        return DeviceFound(labels, squared, others, pairs, len(unsure))

    def _of(self, own: torch.Tensor) -> torch.Tensor | None:
        """Places of the own centroids; None where none is among the points."""
        if not len(self._places):
            return None
        return torch.where(own >= 0, self._places[own.clamp_min(0)], -1).to(torch.int32)

    def _settle(
        self,
        block: Block,
        rows: torch.Tensor,
        own: torch.Tensor,
        own_squared: torch.Tensor,
        mine: torch.Tensor,
        limit: torch.Tensor,
        beyond: torch.Tensor,
        depth: int,
    ) -> DeviceFound:
        """Decide rows of a block in float64.

        limit: (m,) float64, a score above it is of none of the nearest. beyond: (m,) float64, no
        more than the distance of what such scores stand for.
        """
        labels, squared = own.clone(), own_squared.clone()
        others = beyond.clone()
        pairs = 0
        step = max(1, _PLACES // depth)
        for a in range(0, len(rows), step):
            here = slice(a, a + step)
            row, column = self._candidates(
                block, rows[here], own[here], mine[here], limit[here], depth
            )
            pairs += len(row)
            number = self._points.numbers[column]
            distance = self._kernels.squared_distances(
                block.rows, rows[here][row], self._centroids, number
            )
            least = _least(distance, row, len(rows[here]), torch.inf)
            first = _least(
                torch.where(distance == least[row], number, _NONE), row, len(rows[here]), _NONE
            )
            nearer = (least < squared[here]) | ((least == squared[here]) & (first < labels[here]))
            labels[here] = torch.where(nearer, first, labels[here])
            squared[here] = torch.where(nearer, least, squared[here])
            rest = torch.where(number == labels[here][row], torch.inf, distance)
            rest = _least(rest, row, len(rows[here]), torch.inf)
            rest = torch.where(nearer, torch.minimum(rest, own_squared[here]), rest)
            others[here] = torch.minimum(others[here], _below(rest))
        return DeviceFound(labels, squared, others, pairs, len(rows))

    def _candidates(
        self,
        block: Block,
        rows: torch.Tensor,
        own: torch.Tensor,
        mine: torch.Tensor,
        limit: torch.Tensor,
        depth: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Pairs that may be the nearest: numbers of the row among `rows`, places: (p,) int64."""
        x, inverse = block.operand(rows)
        places = self._of(own)
        hits = self._kernels.within(x, inverse, self._points, depth, places, _up(limit))
        if self._kernels.halves and int(hits.sum(dtype=torch.int64)) > _MANY * len(rows):
            # limits of the first product hold, whatever the second one finds
            points = self._points.in_float32()
            exact = block.rows[rows][:, : points.features.shape[1]].float()
            lengths = block.lengths[rows]
            error = points.errors(lengths, torch.zeros_like(lengths))
            best, _, _ = self._plain.two_nearest(exact, inverse, points, depth, places)
            closer = torch.minimum(best.double() + 2.0 * error, mine + error)
            hits &= self._plain.within(exact, inverse, points, depth, places, _up(closer))
        row, column = torch.nonzero(hits, as_tuple=True)
        return row, column


def _at_least(score: torch.Tensor, error: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Distances that scores stand for, at least."""
    return _below((lengths + 2.0 * (score - error)).clamp_min(0.0))


def _below(squared: torch.Tensor) -> torch.Tensor:
    """Roots of squared distances, a little lower."""
    return squared.sqrt() * (1.0 - 1e-7)


def _up(limit: torch.Tensor) -> torch.Tensor:
    """Float64 limits as float32 ones that are no lower."""
    return torch.nextafter(limit.float(), limit.new_tensor(torch.inf, dtype=torch.float32))


def _least(numbers: torch.Tensor, row: torch.Tensor, n: int, nothing: float) -> torch.Tensor:
    """Least of the numbers of each of n rows."""
    result = torch.full((n,), nothing, dtype=numbers.dtype, device=numbers.device)
    return result.scatter_reduce_(0, row, numbers, "amin")
