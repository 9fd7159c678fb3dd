"""Rows on a GPU: products on tensor cores of what may have changed, exact like those on the CPU.

The bounds are those of `cpu`: of each row the squared distance to its own centroid and a lower
bound on that to any other; centroids in order of how far they moved, rows in order of how many of
these could have come nearer. Labels, squared distances and sums have the same bits as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ...cores import n_cores
from ...errors import InputError
from ..row_sources import Rows
from ..shard import Extent, RowShard, Sums, Units, Work
from . import device_choice
from .device_points import DevicePoints, Halves
from .device_rows import DeviceRows, TensorRows
from .device_search import Block, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..projection import Projection

#: Share of the memory for a block of rows with all that is computed of it; rows of it, at least.
_WORKING, _LEAST_ROWS = 1 / 8, 1024
#: Share of a block's rows from which all are multiplied, where they lie, and none are picked.
_DENSE = 0.4
#: Centroids multiplied at a time by any kernel: fewer cost the same.
_TILE = 128
#: Rows whose masses are added up at a time, and rows that are projected at a time.
_MASSES, _PROJECTED = 1 << 24, 1 << 16


class CudaShard(RowShard):
    """Rows on a device of torch's; made for CUDA, and right on any device that has float64.

    Args:
        rows: the rows of this process; `TensorRows` on the device are used where they lie.
        weights: (rows.n,) float64 >= 0; None weighs all alike.
        start: number of the first row among all rows.
        device: of torch.
        memory: bytes of the device that may be used; None for nine tenths of what is free there.
            Rows that do not fit are read anew for each assignment.
        kernel: "triton", "torch" or "auto": Triton on CUDA where it works, else torch.

    Attributes:
        kernel: what computes, and why where it is not Triton.
        resident: "float16" or "float32" rows on the device, or "streamed".
        doubtful: rows so far that the fast product could not decide.

    Raises:
        InputError: a device without float64, or an unknown kernel.
    """

    def __init__(
        self,
        rows: Rows,
        weights: np.ndarray | None = None,
        start: int = 0,
        device: str | torch.device = "cuda",
        memory: int | None = None,
        kernel: str = "auto",
    ) -> None:
        self.n, self.dim, self.start = rows.n, rows.dim, start
        self.work = Work()
        self.doubtful = 0
        if torch.device(device).type == "mps":
            raise InputError("k-means needs float64, which the device mps lacks; use cpu or cuda")
        self._device = torch.empty(0, device=device).device  # with its number
        self._kernels, self.kernel = device_choice.kernels(self._device, self.dim, kernel)
        room = device_choice.free_bytes(self._device, rows) if memory is None else float(memory)
        working = min(max(_WORKING * room, 1 << 30), room / 4)
        fit = int(min(working // (24 * self.dim + 200), 1 << 22))
        self._block = max(fit - fit % 64, _LEAST_ROWS)  # parts of arrays stay aligned
        room -= working + 48 * self.n
        self._rows = DeviceRows(rows, self._device, self._block, room)
        self._weights = None if weights is None else self._put(weights.astype(np.float64))
        self.weighted, self.threads = weights is not None, n_cores()
        self._wanted = kernel
        self._look(weights)
        resident = self._rows.resident
        self.resident = "streamed" if resident is None else str(resident.dtype)[6:]
        self._halves = self._keep_halves(room)

    def _look(self, weights: np.ndarray | None) -> None:
        """The first pass: lengths and extent."""
        self._lengths = torch.empty(self.n, dtype=torch.float64, device=self._device)
        largest = 0.0
        nothing = torch.zeros((1, self.dim), device=self._device)
        for start, rows in self._rows.first_pass():
            every = torch.arange(len(rows), device=self._device)
            self._lengths[start : start + len(rows)] = self._kernels.squared_distances(
                rows, every, nothing, torch.zeros_like(every)
            )
            low, high = torch.aminmax(rows)
            largest = max(largest, float(high), -float(low))
        weight = 1.0 if weights is None else float(weights.max())
        self.extent = Extent(self.n, largest, float(self._lengths.max()), weight)

    def _keep_halves(self, room: float) -> Halves | None:
        """Rounded rows beside float32 ones, where there is room for both."""
        resident = self._rows.resident
        if resident is None or resident.dtype == torch.float16 or not self._kernels.halves:
            return None
        if self.n * (8 * self.dim + 96) > room:  # twice the halves while they are put together
            return None
        parts = [
            Halves.of(rows, self._lengths[start : start + len(rows)])
            for start, rows in self._rows.blocks()
        ]
        if len(parts) == 1:
            return parts[0]
        features = torch.empty(
            (self.n, parts[0].features.shape[1]), dtype=torch.float16, device=self._device
        )
        return Halves(
            torch.cat([part.features for part in parts], out=features),
            torch.cat([part.inverse for part in parts]),
            torch.cat([part.residual for part in parts]),
        )

    def begin(self, units: Units) -> None:
        """As `RowShard.begin`."""
        self._units, self.unit = units, units.squared
        self._centroids = torch.empty((0, self.dim), device=self._device)
        self._labels = torch.full((self.n,), -1, dtype=torch.int32, device=self._device)
        self._squared = self._full(torch.inf, torch.float64)
        self._lower = self._full(torch.inf, torch.float32)
        self._summed: list[torch.Tensor] | None = None

    def include(self, points: np.ndarray) -> None:
        """As `RowShard.include`."""
        first, k = len(self._centroids), len(self._centroids) + len(points)
        self._centroids = torch.cat([self._centroids, self._put(points)])
        self._summed = None
        numbers = torch.arange(first, k, device=self._device)
        new = self._points(numbers)
        search = Search(self._kernels, new, numbers[:0], self._centroids)
        for block in self._blocks():
            self._search(search, block, None, len(points))
        self.work.possible += self.n * len(points)

    def assign(self, centroids: np.ndarray) -> None:
        """As `RowShard.assign`."""
        if len(self._centroids) != len(centroids):
            self.begin(self._units)
            self.include(centroids)
            return
        before, self._centroids = self._centroids, self._put(centroids)
        self._summing()
        self.work.possible += self.n * len(centroids)
        moved = (self._centroids != before).any(dim=1)
        step = self._centroids.double() - before.double()
        drift = torch.linalg.vector_norm(step, dim=1) * (1.0 + 1e-7)
        del step
        drift, order = torch.sort(drift, descending=True, stable=True)
        n_moved = int(moved.sum())
        if n_moved == 0:
            return
        points = self._points(order)
        places = torch.empty(len(order), dtype=torch.int32, device=self._device)
        places[order] = torch.arange(len(order), dtype=torch.int32, device=self._device)
        search = Search(self._kernels, points, places, self._centroids)
        for block in self._blocks():
            self._reassign(search, block, drift, moved, n_moved)

    def _reassign(
        self, search: Search, block: Block, drift: torch.Tensor, moved: torch.Tensor, n_moved: int
    ) -> None:
        """New labels of a block of rows; drift: of the points, descending."""
        here, k = slice(block.start, block.start + len(block.rows)), len(drift)
        labels = self._labels[here].long()
        squared, lower = self._squared[here], self._lower[here]
        own_moved = moved[labels]
        own = torch.nonzero(own_moved)[:, 0]
        squared[own] = self._kernels.squared_distances(
            block.rows, own, self._centroids, labels[own]
        )
        gap = lower.double() - squared.sqrt() * (1.0 + 1e-7)
        # So many of the first points moved at least as far as the row's gap is wide; of a row
        # whose own centroid stands still, no other that does so is nearer than before.
        reach = torch.searchsorted(-drift, -gap, right=True)
        reach = torch.where(own_moved, reach, reach.clamp_max(n_moved))
        lower.copy_(torch.where(reach == 0, _down(lower.double() - drift[0]), lower))
        busy = torch.nonzero(reach)[:, 0]
        if not len(busy):
            return
        if len(busy) > _DENSE * len(reach):
            lower[busy] = torch.inf
            self._search(search, block, None, k)
            return
        # One group: each more costs the host longer than its products cost the device.
        depth = min(k, -(-int(reach.max()) // _TILE) * _TILE)
        if depth == k:
            lower[busy] = torch.inf
        else:
            lower[busy] = _down(lower[busy].double() - drift[depth])
        self._search(search, block, busy, depth)

    def _search(
        self, search: Search, block: Block, chosen: torch.Tensor | None, depth: int
    ) -> None:
        """Test the first `depth` points against rows; keep what was found, move what moved."""
        if chosen is None:
            where = torch.arange(len(block.rows), device=self._device)
        else:
            where = chosen
        number = where + block.start
        before = self._labels[number].long()
        found = search.find(block, chosen, before, self._squared[number], depth)
        self._labels[number] = found.labels.to(torch.int32)
        self._squared[number] = found.squared
        self._lower[number] = torch.minimum(self._lower[number], _down(found.others))
        self.work.product += len(number) * depth
        self.work.exact += found.pairs
        self.doubtful += found.doubtful
        if self._summed is not None:
            changed = torch.nonzero(found.labels != before)[:, 0]
            self._move(self._summed, block, where[changed], before[changed], found.labels[changed])

    def _summing(self) -> None:
        if self._summed is None:
            self._summed = self._sums_of(self._labels, len(self._centroids))

    def _sums_of(self, labels: torch.Tensor, k: int) -> list[torch.Tensor]:
        summed = [
            torch.zeros(shape, dtype=torch.int64, device=self._device)
            for shape in ((k, self.dim), (k,), (k,))
        ]
        for start, rows in self._rows.blocks():
            block = Block(start, rows, None, self._lengths[start : start + len(rows)])
            every = torch.arange(len(rows), device=self._device)
            after = labels[start : start + len(rows)].long()
            self._move(summed, block, every, torch.full_like(after, -1), after)
        return summed

    def sums_of(self, labels: np.ndarray, k: int) -> Sums:
        """As `RowShard.sums_of`."""
        return _on_host(self._sums_of(self._put(labels), k))

    def part(self, numbers: np.ndarray, start: int) -> CudaShard:
        """As `RowShard.part`."""
        rows = self._rows.taken(numbers)
        weights = self.weight_of(numbers) if self.weighted else None
        return CudaShard(TensorRows(rows), weights, start, self._device, kernel=self._wanted)

    def projected(self, projection: Projection) -> CudaShard:
        """As `RowShard.projected`."""
        basis = self._put(projection.basis)
        result = torch.empty((self.n, basis.shape[1]), device=self._device)
        factor, back = projection.factors
        for start, rows in self._rows.blocks():
            for first in range(0, len(rows), _PROJECTED):
                some = rows[first : first + _PROJECTED, : self.dim]
                whole = (some.double() * factor).round_()
                at = start + first
                result[at : at + len(some)] = ((whole @ basis) * back).float()
        weights = None if self._weights is None else self._weights.cpu().numpy()
        return CudaShard(TensorRows(result), weights, self.start, self._device, kernel=self._wanted)

    def _move(
        self,
        summed: list[torch.Tensor],
        block: Block,
        rows: torch.Tensor,
        before: torch.Tensor,
        after: torch.Tensor,
    ) -> None:
        if not len(rows):
            return
        features, weights, counts = summed
        if self._weights is None:
            weight = torch.ones(len(rows), dtype=torch.float64, device=self._device)
        else:
            weight = self._weights[rows + block.start]
        self._kernels.move(
            features, block.rows, rows, weight * self._units.features.factor, before, after
        )
        whole = (weight * self._units.weights.factor).round_().long()
        one = torch.ones_like(whole)
        weights.index_add_(0, after, whole)
        counts.index_add_(0, after, one)
        left = torch.nonzero(before >= 0)[:, 0]
        weights.index_add_(0, before[left], whole[left], alpha=-1)
        counts.index_add_(0, before[left], one[left], alpha=-1)

    def sums(self) -> Sums:
        """As `RowShard.sums`."""
        self._summing()
        assert self._summed is not None
        return _on_host(self._summed)

    def largest_mass(self) -> float:
        """As `RowShard.largest_mass`."""
        squared = self._squared
        if self._weights is not None:
            squared = squared * self._weights
        return float(squared.max()) if self.n else 0.0

    def objective(self) -> int:
        """As `RowShard.objective`."""
        return sum(
            int(self._masses(slice(start, start + _MASSES)).sum())
            for start in range(0, self.n, _MASSES)
        )

    def labels(self) -> np.ndarray:
        """As `RowShard.labels`."""
        labels: np.ndarray = self._labels.cpu().numpy().copy()
        return labels

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.take`."""
        return self._rows.take(numbers)

    def weight_of(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.weight_of`."""
        if self._weights is None:
            return np.ones(len(numbers))
        weights: np.ndarray = self._weights[self._put(numbers)].cpu().numpy()
        return weights

    def masses(self, numbers: np.ndarray) -> np.ndarray:
        """As `RowShard.masses`."""
        masses: np.ndarray = self._masses(self._put(numbers)).cpu().numpy()
        return masses

    def _masses(self, where: slice | torch.Tensor) -> torch.Tensor:
        squared = self._squared[where]
        if self._weights is not None:
            squared = squared * self._weights[where]
        return (squared * self.unit.factor).round_().long()

    def at(self, positions: np.ndarray) -> np.ndarray:
        """As `RowShard.at`."""
        wanted = self._put(positions)
        found = torch.empty_like(wanted)
        passed, done = 0, 0
        for start in range(0, self.n, _MASSES):
            ends = passed + torch.cumsum(self._masses(slice(start, start + _MASSES)), 0)
            until = int(torch.searchsorted(wanted, ends[-1:])[0])
            found[done:until] = start + torch.searchsorted(ends, wanted[done:until], right=True)
            passed, done = int(ends[-1]), until
        numbers: np.ndarray = found.cpu().numpy()
        return numbers

    def farthest(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """As `RowShard.farthest`."""
        squared = self._squared
        if self._weights is not None:
            squared = torch.where(self._weights > 0, squared, -1.0)
        n = min(n, self.n)
        least = torch.topk(squared, n, sorted=True).values[-1].clamp_min(0.0)
        numbers = torch.nonzero(squared >= least)[:, 0]
        far, order = torch.sort(squared[numbers], descending=True, stable=True)
        return numbers[order][:n].cpu().numpy(), far[:n].cpu().numpy()

    def _blocks(self) -> Iterator[Block]:
        """Blocks of rows with what products take of them."""
        for start, rows in self._rows.blocks():
            here = slice(start, start + len(rows))
            lengths = self._lengths[here]
            halves = None
            if self._kernels.halves:
                halves = self._rounded(rows, here, lengths)
            yield Block(start, rows, halves, lengths)

    def _rounded(self, rows: torch.Tensor, here: slice, lengths: torch.Tensor) -> Halves:
        if rows.dtype == torch.float16:
            one = torch.ones(len(rows), device=self._device)
            return Halves(rows, one, torch.zeros_like(lengths))
        if self._halves is not None:
            kept = self._halves
            return Halves(kept.features[here], kept.inverse[here], kept.residual[here])
        return Halves.of(rows, lengths)

    def _points(self, numbers: torch.Tensor) -> DevicePoints:
        every = torch.arange(len(self._centroids), device=self._device)
        squared = self._kernels.squared_distances(
            self._centroids, every, torch.zeros_like(self._centroids[:1]), torch.zeros_like(every)
        )
        return DevicePoints.of(self._centroids, squared, numbers, self._kernels.halves)

    def _full(self, value: float, dtype: torch.dtype) -> torch.Tensor:
        return torch.full((self.n,), value, dtype=dtype, device=self._device)

    def _put(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(array, order="C")).to(self._device)


def _on_host(summed: list[torch.Tensor]) -> Sums:
    """Copies on the host, through memory that the device reaches fast."""
    pinned = summed[0].device.type == "cuda"
    copies = [torch.empty(p.shape, dtype=p.dtype, pin_memory=pinned) for p in summed]
    for copy, part in zip(copies, summed, strict=True):
        copy.copy_(part, non_blocking=pinned)
    if pinned:
        torch.cuda.synchronize(summed[0].device)
    return Sums(*(copy.numpy() for copy in copies))


def _down(bound: torch.Tensor) -> torch.Tensor:
    """Float64 lower bounds as float32 ones that are no higher."""
    rounded = bound.float()
    return torch.nextafter(rounded, torch.full_like(rounded, -torch.inf))
