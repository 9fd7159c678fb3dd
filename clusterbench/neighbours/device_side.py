"""A panel on a device of torch and its lists of neighbours, which cosines in float64 decide.

Cosines are summed in the order of `kernels.near_lists.dot`, so that what decides is the same
number on every device.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..kmeans.row_sources import Rows
from .panel_products import PREPARED, Largest, UnitRows
from .panels import Known

#: Numbers of the rows whose cosines are summed at a time, of either side.
_GATHERED = 1 << 26
#: Sums of a pair of rows take the room of so many numbers of a row.
_SUMS = 16


class DeviceSide:
    """A panel on a device; the arguments are those of `panels.Side`.

    ids: (n, k) int64 and cosines: (n, k) float64, as `Known` has them. least: (n,) float64, which
    the k-th cosine of the list will not be below in the end. Rows that are only compared with have
    none of them.
    """

    def __init__(
        self,
        rows: Rows,
        start: int,
        stop: int,
        known: Known | None,
        k: int,
        offset: int,
        device: torch.device,
    ) -> None:
        del offset  # rows of queries and of what is searched are told apart by their panels
        self.start, self.k, self.known = start, k, known
        self.x = _loaded(rows, start, stop, device)
        every = torch.arange(len(self.x), device=device)
        squared = summed(self.x, every, self.x, every).cpu().numpy()
        # On the host: not every square root of torch is the nearest number to the true one.
        self.lengths = torch.from_numpy(np.sqrt(squared)).to(device)
        if known is not None:
            self.ids = torch.tensor(known.ids, device=device).long()
            self.cosines = torch.tensor(known.cosines, device=device)
            self.least = self.cosines[:, -1].clone()

    @property
    def n(self) -> int:
        """Rows of the panel."""
        return len(self.x)

    @cached_property
    def whole(self) -> UnitRows:
        """Unit rows in float32."""
        return UnitRows.of(self.x, self.lengths, tf32=False)

    @cached_property
    def coarse(self) -> UnitRows:
        """Unit rows in TF32."""
        return UnitRows.of(self.x, self.lengths, tf32=True)

    def cosines_with(self, rows: Tensor, other: DeviceSide, columns: Tensor) -> Tensor:
        """Cosines of rows of this panel and of another, pair by pair: (m,) float64."""
        both = self.lengths[rows] * other.lengths[columns]
        cosine = summed(self.x, rows, other.x, columns)
        return torch.where(both > 0, cosine / torch.where(both > 0, both, 1.0), 0.0)

    def merged(
        self, rows: Tensor, found: Largest, other: DeviceSide, error: float
    ) -> tuple[Tensor, Tensor]:
        """Lists of some rows with what was found for them; none is written.

        Args:
            rows: (r,) int64.
            found: their largest products with `other`.
            other: another panel or this one.
            error: how far a product may be from the cosine.

        Returns:
            (r, k) ids and cosines.
        """
        product = found.product.double()
        # What is below is farther than k others. Only the rest is compared in float64.
        low = self.least[rows, None] - error
        if product.shape[1] >= self.k:
            low = torch.maximum(low, product[:, self.k - 1, None] - 2.0 * error)
        near = ((product >= low) & (product > -torch.inf)).nonzero(as_tuple=True)
        cosine = torch.full_like(product, -torch.inf)
        cosine[near] = self.cosines_with(rows[near[0]], other, found.column[near])
        ids = torch.cat([self.ids[rows], found.column + other.start], dim=1)
        cosine = torch.cat([self.cosines[rows], cosine], dim=1)
        # Of cosines of -inf the places not filled yet come first, as their number is -1.
        order = ids.argsort(dim=1, stable=True)
        nearest = cosine.gather(1, order).argsort(dim=1, descending=True, stable=True)
        order = order.gather(1, nearest[:, : self.k])
        return ids.gather(1, order), cosine.gather(1, order)

    def take(self, rows: Tensor, columns: Tensor, other: DeviceSide) -> None:
        """Compare pairs, however many of a row, in float64 and write what belongs into lists.

        Args:
            rows: (m,) int64.
            columns: (m,) int64, each a row of `other` that the list has not seen.
            other: another panel or this one.
        """
        changed = rows.unique()
        old = (self.ids[changed] >= 0).nonzero(as_tuple=True)
        old_rows = changed[old[0]]
        row = torch.cat([rows, old_rows])
        ids = torch.cat([columns + other.start, self.ids[old_rows, old[1]]])
        cosine = self.cosines_with(rows, other, columns)
        cosine = torch.cat([cosine, self.cosines[old_rows, old[1]]])
        order = ids.argsort(stable=True)
        order = order[cosine[order].argsort(descending=True, stable=True)]
        order = order[row[order].argsort(stable=True)]
        row, ids, cosine = row[order], ids[order], cosine[order]
        place = torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
        best = place < self.k
        self.ids[row[best], place[best]] = ids[best]
        self.cosines[row[best], place[best]] = cosine[best]
        self.least[changed] = torch.maximum(self.least[changed], self.cosines[changed, -1])

    def written(self) -> None:
        """What was found, into `known`."""
        if self.known is not None:
            self.known.ids[:] = self.ids.int().cpu().numpy()
            self.known.cosines[:] = self.cosines.cpu().numpy()


def _loaded(rows: Rows, start: int, stop: int, device: torch.device) -> Tensor:
    """Rows on a device, by way of memory that it reads directly."""
    x = torch.empty((stop - start, rows.dim), device=device)
    size = min(PREPARED, stop - start)
    buffer = torch.empty((size, rows.dim), pin_memory=device.type == "cuda")
    for first in range(start, stop, size):
        last = min(first + size, stop)
        buffer.numpy()[: last - first] = rows.block(first, last)
        x[first - start : last - start] = buffer[: last - first]
    return x


def summed(x: Tensor, rows: Tensor, y: Tensor, others: Tensor) -> Tensor:
    """x[rows] . y[others] in float64, eight sums side by side: (m,), as `near_lists.dot` has it."""
    dim = x.shape[1]
    whole = dim - dim % 8
    size = max(1, _GATHERED // (dim + _SUMS))
    total = torch.empty(len(rows), dtype=torch.float64, device=x.device)
    for start in range(0, len(rows), size):
        a, b = x[rows[start : start + size]], y[others[start : start + size]]
        # A product of two float32 is whole in float64, so that a fused step rounds like two.
        sums = torch.zeros((len(a), 8), dtype=torch.float64, device=x.device)
        for j in range(0, whole, 8):
            sums.addcmul_(a[:, j : j + 8], b[:, j : j + 8])
        rest = torch.zeros(len(a), dtype=torch.float64, device=x.device)
        for j in range(whole, dim):
            rest.addcmul_(a[:, j], b[:, j])
        s = sums.unbind(dim=1)
        of_eight = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
        total[start : start + size] = of_eight + rest
    return total
