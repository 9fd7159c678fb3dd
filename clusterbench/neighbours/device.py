"""Two panels compared on a GPU, by the same rules and to the same bits as on a CPU.

Blocks of products are written once and looked at once: of what may enter a list the places are
gathered, and only those are sorted. Cosines are summed in float64 in the order of
`kernels.near_lists.dot`, so that what decides is the same number on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels import near_lists as kernels
from ..kmeans.row_sources import Rows
from .panels import Known, product_error

#: Numbers of a block of products, and columns that tell a first low.
_PRODUCTS, _FIRST = 1 << 27, 8192
#: Numbers of the rows whose cosines are summed at a time.
_GATHERED = 1 << 26
#: Candidates of the columns' lists, in lists, from which they are thinned.
_FULL = 4


@dataclass
class Candidates:
    """Candidates for lists: row and other row within their panels, and the product; (m,) each."""

    row: Tensor
    other: Tensor
    product: Tensor

    @classmethod
    def nothing(cls, device: torch.device) -> Candidates:
        """None yet."""
        whole = torch.empty(0, dtype=torch.int64, device=device)
        return cls(whole, whole, torch.empty(0, device=device))

    def and_more(self, row: Tensor, other: Tensor, product: Tensor) -> Candidates:
        """These and others."""
        return Candidates(
            torch.cat([self.row, row]),
            torch.cat([self.other, other]),
            torch.cat([self.product, product]),
        )

    def where(self, chosen: Tensor) -> Candidates:
        """Some of them."""
        return Candidates(self.row[chosen], self.other[chosen], self.product[chosen])


class DeviceSide:
    """A panel on a device; the arguments are those of `panels.Side`."""

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
        block = rows.block(start, stop)
        self.x = torch.tensor(block, device=device)
        self.start, self.k, self.known = start, k, known
        # On the host: not every square root of torch is the nearest number to the true one.
        self.lengths = torch.from_numpy(kernels.lengths(block)).to(device)
        length = torch.where(self.lengths > 0, self.lengths, torch.ones_like(self.lengths))
        self.unit = torch.cat(
            [
                (x.double() / of[:, None]).float()
                for x, of in zip(self.x.split(65_536), length.split(65_536), strict=True)
            ]
        )
        self.error = product_error(self.x.shape[1])
        n = len(self.x) if known is not None else 0
        self.low = torch.full((n,), -torch.inf, device=device)
        if known is not None:
            self.ids = torch.tensor(known.ids, device=device).long()
            self.cosines = torch.tensor(known.cosines, device=device)
            self.low = (self.cosines[:, -1] - self.error).float()

    @property
    def n(self) -> int:
        """Rows of the panel."""
        return len(self.x)

    def take(self, found: Candidates, other: DeviceSide) -> None:
        """Compare candidates of `other` in float64 and keep what belongs into the lists."""
        both = self.lengths[found.row] * other.lengths[found.other]
        cosine = _products(self.x, found.row, other.x, found.other)
        cosine = torch.where(both > 0, cosine / torch.where(both > 0, both, 1.0), 0.0)
        rows = found.row.unique()
        if not len(rows):
            return
        old = (self.ids[rows] >= 0).nonzero()
        old_rows = rows[old[:, 0]]
        row = torch.cat([found.row, old_rows])
        ids = torch.cat([found.other + other.start, self.ids[old_rows, old[:, 1]]])
        cosine = torch.cat([cosine, self.cosines[old_rows, old[:, 1]]])
        order = ids.argsort(stable=True)
        order = order[cosine[order].argsort(descending=True, stable=True)]
        order = order[row[order].argsort(stable=True)]
        row, ids, cosine = row[order], ids[order], cosine[order]
        place = _places(row)
        best = place < self.k
        self.ids[row[best], place[best]] = ids[best]
        self.cosines[row[best], place[best]] = cosine[best]
        self.low[rows] = torch.maximum(
            self.low[rows], (self.cosines[rows, -1] - self.error).float()
        )

    def thinned(self, found: Candidates) -> Candidates:
        """Candidates without those that cannot be among the k most similar; raises the lows."""
        order = found.product.argsort(descending=True, stable=True)
        order = order[found.row[order].argsort(stable=True)]
        found = found.where(order)
        last = _places(found.row) == self.k - 1
        rows = found.row[last]
        low = (found.product[last].double() - 2.0 * self.error).float()
        self.low[rows] = torch.maximum(self.low[rows], low)
        return found.where(found.product >= self.low[found.row])

    def written(self) -> None:
        """What was found, into `known`."""
        if self.known is not None:
            self.known.ids[:] = self.ids.int().cpu().numpy()
            self.known.cosines[:] = self.cosines.cpu().numpy()


class DeviceEngine:
    """Panels compared on a device of torch; see `search.Engine`."""

    budget = 2 << 30

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def side(
        self, rows: Rows, start: int, stop: int, known: Known | None, k: int, offset: int = 0
    ) -> DeviceSide:
        """A panel as `panels.Side` takes it."""
        return DeviceSide(rows, start, stop, known, k, offset, self.device)

    @torch.no_grad()
    def merge(self, a: DeviceSide, b: DeviceSide, to_a: bool, to_b: bool) -> None:
        """As `tiles.merge`."""
        same = a is b
        waiting = Candidates.nothing(self.device)
        size = max(1, _PRODUCTS // b.n)
        never = torch.full((), torch.inf, device=self.device)
        for start in range(0, a.n, size):
            stop = min(start + size, a.n)
            first = start if same else 0
            products = _whole_precision(a.unit[start:stop], b.unit[first:])
            if same:  # each pair once, and no row with itself
                corner = products[:, : stop - start]
                corner.masked_fill_(torch.ones_like(corner, dtype=torch.bool).tril_(), -torch.inf)
            low_a = a.low[start:stop] if to_a else never.expand(stop - start)
            low_b = b.low[first:] if to_b else never.expand(b.n - first)
            if to_a and products.shape[1] > a.k:
                low_a = torch.maximum(low_a, _first_low(products, a))
                a.low[start:stop] = low_a
            at = (products >= torch.minimum(low_a[:, None], low_b[None, :])).nonzero()
            product = products[at[:, 0], at[:, 1]]
            del products
            row, column = at[:, 0] + start, at[:, 1] + first
            finite = product > -torch.inf
            if to_b:
                of_b = finite & (product >= low_b[at[:, 1]])
                waiting = waiting.and_more(column[of_b], row[of_b], product[of_b])
            if to_a:
                of_a = finite & (product >= low_a[at[:, 0]])
                found = Candidates(row[of_a], column[of_a], product[of_a])
                if same:  # what came from earlier blocks is of these rows, too
                    mine = (waiting.row >= start) & (waiting.row < stop)
                    earlier = waiting.where(mine)
                    waiting = waiting.where(~mine)
                    found = found.and_more(earlier.row, earlier.other, earlier.product)
                a.take(a.thinned(found), b)
            if len(waiting.row) > _FULL * b.k * b.n:
                waiting = b.thinned(waiting)
        if to_b:
            b.take(b.thinned(waiting), a)
        for side in (a, b):
            side.written()


def _whole_precision(a: Tensor, b: Tensor) -> Tensor:
    """a @ b.T in float32, whatever the process allows elsewhere."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        return a @ b.T
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def _first_low(products: Tensor, side: DeviceSide) -> Tensor:
    """Lows of rows by the first products alone."""
    some = products[:, : max(_FIRST, side.k)]
    least = some.topk(side.k, dim=1).values[:, -1]
    return (least.double() - 2.0 * side.error).float()


def _products(x: Tensor, rows: Tensor, y: Tensor, others: Tensor) -> Tensor:
    """x[rows] . y[others] in float64, eight sums side by side: (m,), as `near_lists.dot` has it."""
    dim = x.shape[1]
    whole = dim - dim % 8
    parts = []
    for at, to in zip(
        rows.split(max(1, _GATHERED // dim)), others.split(max(1, _GATHERED // dim)), strict=True
    ):
        a, b = x[at], y[to]
        sums = torch.zeros((len(at), 8), dtype=torch.float64, device=x.device)
        for j in range(0, whole, 8):
            # Two steps: fused into one they would be rounded once, as nothing is on the CPU.
            product = a[:, j : j + 8].double() * b[:, j : j + 8].double()
            sums += product
        rest = torch.zeros(len(at), dtype=torch.float64, device=x.device)
        for j in range(whole, dim):
            product = a[:, j].double() * b[:, j].double()
            rest += product
        s = sums.unbind(dim=1)
        total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
        parts.append(total + rest)
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.float64, device=x.device)


def _places(row: Tensor) -> Tensor:
    """Of sorted row numbers, how many equal ones stand before each: (m,) int64."""
    return torch.arange(len(row), device=row.device) - torch.searchsorted(row, row)
