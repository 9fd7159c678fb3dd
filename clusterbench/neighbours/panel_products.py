"""The largest products of unit rows with the rows of a panel, on a device of torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .panels import product_error

#: Columns whose largest product stands for all of them. It divides `COLUMNS`.
GROUP = 64
#: Rows and columns of a block of products: 1 GiB of them.
ROWS, COLUMNS = 2048, 1 << 17
#: Rows that are prepared at a time.
PREPARED = 1 << 15
# Bits of a float32 mantissa that TF32 lacks.
_LOST = 13


@dataclass(frozen=True)
class UnitRows:
    """The rows of a panel as they are multiplied.

    rows: (m, dim) float32 of length 1, then rows of zeros up to a whole number of groups. n: rows
    before those. tf32: whether they have no more bits than TF32, and are multiplied in it. off:
    the largest distance of one of them from the row of length 1 that it stands for.
    """

    rows: Tensor
    n: int
    tf32: bool
    off: float

    @classmethod
    def of(cls, x: Tensor, lengths: Tensor, tf32: bool) -> UnitRows:
        """Of (n, dim) float32 rows of (n,) float64 lengths; a row of zeros stays zeros."""
        n, dim = x.shape
        rows = torch.zeros((-(-n // GROUP) * GROUP, dim), device=x.device)
        off = torch.zeros((), dtype=torch.float64, device=x.device)
        for start in range(0, n, PREPARED):
            length = lengths[start : start + PREPARED, None]
            true = x[start : start + PREPARED].double()
            true /= torch.where(length > 0, length, 1.0)
            near = true.float()
            if tf32:
                near = to_tf32(near)
            rows[start : start + len(near)] = near
            off = torch.maximum(off, true.sub_(near).square_().sum(dim=1).max().sqrt())
        return cls(rows, n, tf32, float(off))

    def error_with(self, other: UnitRows) -> float:
        """How far a product of one of these rows and one of `other` may be from their cosine.

        In TF32: by Cauchy and Schwarz |x.y - x'.y'| <= |x - x'| |y| + |x'| |y - y'|, where x and y
        are 1 long. Products of two mantissas of 11 bits are whole in float32. Tensor cores cut off
        what they add, several products at a time, to the bits of the largest; that is less than
        2^-23 of it for each product and once more for each sum, here twice as much.
        """
        dim = self.rows.shape[1]
        if not self.tf32:
            return product_error(dim)
        adding = 2.0 * (dim + 8) * 2.0**-23 * (1.0 + self.off) * (1.0 + other.off)
        return self.off + (1.0 + self.off) * other.off + adding + 1e-30


def to_tf32(x: Tensor) -> Tensor:
    """Finite float32 numbers rounded to the nearest of TF32, ties to even; tiny ones to zero.

    So a device that rounds its factors, by whatever rule, has nothing left to round.
    """
    bits = x.view(torch.int32)
    even = (bits >> _LOST) & 1
    near = ((bits + ((1 << _LOST - 1) - 1) + even) & -(1 << _LOST)).view(torch.float32)
    return torch.where(near.abs() < torch.finfo(torch.float32).tiny, 0.0, near)


def product(a: Tensor, b: Tensor, tf32: bool) -> Tensor:
    """a @ b.T, in TF32 or in whole float32, whatever the process allows elsewhere."""
    with _allowing(tf32):
        return a @ b.T


@contextlib.contextmanager
def _allowing(tf32: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


class Largest(NamedTuple):
    """The largest products of r rows with a panel.

    product: (r, c) float32, descending; -inf for no row. column: (r, c) int64, row of the panel.
    cutoff: (r,) float32; no other product of the row is larger. -inf where there is no other.
    """

    product: Tensor
    column: Tensor
    cutoff: Tensor


def largest(rows: Tensor, columns: UnitRows, m: int, own: Tensor | None) -> Largest:
    """The m largest products of each row, or all of them.

    Args:
        rows: (r, dim) float32, as precise as `columns`.
        columns: the panel.
        m: how many.
        own: (r,) int64, for each row the one of the panel that it is and that is left out; None
            where it is none.
    """
    value = torch.empty((len(rows), 0), device=rows.device)
    column = torch.empty((len(rows), 0), dtype=torch.int64, device=rows.device)
    for first in range(0, columns.n, COLUMNS):
        part = columns.rows[first : first + COLUMNS]
        products = product(rows, part, columns.tf32)
        products[:, columns.n - first :] = -torch.inf  # rows that fill the last group
        if own is not None:
            leave_out(products, own - first)
        new, at = _largest_of(products, m)
        del products  # before the next ones
        value, column = torch.cat([value, new], dim=1), torch.cat([column, at + first], dim=1)
        value, at = value.topk(min(m, value.shape[1]), dim=1)
        column = column.gather(1, at)
    if value.shape[1] < m:
        return Largest(value, column, torch.full_like(value[:, 0], -torch.inf))
    return Largest(value, column, value[:, -1])


def leave_out(products: Tensor, at: Tensor) -> None:
    """Set one product of each row to -inf where `at`, (r,) int64, is one of its columns."""
    place = at.clamp(0, products.shape[1] - 1)[:, None]
    there = place == at[:, None]
    products.scatter_(1, place, products.gather(1, place).masked_fill_(there, -torch.inf))


def _largest_of(products: Tensor, m: int) -> tuple[Tensor, Tensor]:
    """The m largest of each row, or all, and where they are; reads all products about once."""
    r, width = products.shape
    if width < 2 * m * GROUP:
        found = products.topk(min(m, width), dim=1)
        return found.values, found.indices
    # What is in none of the m groups taken is at most the maximum of its own group, hence at most
    # those of the m groups, which are m of the numbers gathered: so it is at most the m-th largest
    # of these, whichever of equal numbers and groups were taken.
    groups = products.view(r, width // GROUP, GROUP)
    best = groups.amax(dim=2).topk(m, dim=1, sorted=False).indices
    inside = groups.gather(1, best[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    value, at = inside.topk(m, dim=1)
    return value, best.gather(1, at // GROUP) * GROUP + at % GROUP
