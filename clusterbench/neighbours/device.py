"""Two panels compared on a GPU, by the same rules and to the same bits as on a CPU.

A product costs a GPU little, and looking at it much. So the largest products of each row are
taken, some more of them than neighbours are wanted, and their cosines computed in float64. If the
k-th is above the largest product left out by more than a bound on its rounding, the row is
certain. That is tried in TF32, then in float32 for the rows that are not. Of those left, which
have many nearly equal neighbours, whatever may count is compared in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kmeans.row_sources import Rows
from .device_side import DeviceSide
from .panel_products import COLUMNS, ROWS, UnitRows, largest, leave_out, product
from .panels import Known

#: Products that are taken beyond k: the more, the lower what is left out.
_MARGIN = 64
#: TF32 is given up in a merge where of so many rows a smaller share was certain.
_TRIED, _WORTH = 2 * ROWS, 0.25
#: Products among which all that may count are looked for at a time, where ties are many.
_TIES = 1 << 23
#: The share of a GPU's memory, and the most of it, that is `DeviceEngine.budget`.
_SHARE, _MOST = 8, 4 << 30


@dataclass
class StageCounts:
    """How many rows were certain at which stage, summed over all pairs of panels."""

    in_tf32: int = 0
    in_float32: int = 0
    of_all: int = 0


class DeviceEngine:
    """Panels compared on a device of torch; see `search.Engine`.

    Args:
        device: a CUDA device; the CPU computes the same, TF32 by rounding alone.

    Attributes:
        budget: an eighth of the device's memory, at most 4 GiB.
        certified: what was certain at which stage so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.certified = StageCounts()
        self.budget, self._tf32 = _MOST, True
        if device.type == "cuda":
            memory = torch.cuda.get_device_properties(device).total_memory
            self.budget = min(_MOST, memory // _SHARE)
            capable = torch.cuda.get_device_capability(device) >= (8, 0)
            self._tf32 = capable and torch.version.hip is None

    def side(
        self, rows: Rows, start: int, stop: int, known: Known | None, k: int, offset: int = 0
    ) -> DeviceSide:
        """A panel as `panels.Side` takes it."""
        return DeviceSide(rows, start, stop, known, k, offset, self.device)

    @torch.no_grad()
    def merge(self, a: DeviceSide, b: DeviceSide, to_a: bool, to_b: bool) -> None:
        """As `tiles.merge`, but each pair of rows is multiplied once for each list it may enter."""
        if to_a:
            self._into(a, b)
        if to_b and a is not b:
            self._into(b, a)
        for side in (a, b):
            side.written()

    def _into(self, side: DeviceSide, other: DeviceSide) -> None:
        """Rows of `other` into the lists of `side`, by stages; each writes what is certain."""
        left = torch.arange(side.n, device=self.device)
        if self._tf32:
            left, certain = _tried(side, other, left, side.coarse, other.coarse)
            self.certified.in_tf32 += certain
        if len(left):  # else unit rows in float32 need not be made
            left, certain = _tried(side, other, left, side.whole, other.whole)
            self.certified.in_float32 += certain
            _all_compared(side, other, left)
            self.certified.of_all += len(left)


def _tried(
    side: DeviceSide, other: DeviceSide, rows: Tensor, units: UnitRows, others: UnitRows
) -> tuple[Tensor, int]:
    """Write the lists of the rows that are certain with products of some precision.

    Returns:
        The rows that are not, (m,) int64, in the order given; and how many are.
    """
    error = units.error_with(others)
    left, tried, certain = [rows[:0]], 0, 0
    for block in rows.split(ROWS):
        if units.tf32 and tried >= _TRIED and certain < _WORTH * tried:
            left.append(block)
            continue
        own = block if side is other else None
        found = largest(units.rows[block], others, side.k + _MARGIN, own)
        ids, cosines = side.merged(block, found, other, error)
        # A list only grows more similar, whether or not this one is certain.
        side.least[block] = torch.maximum(side.least[block], cosines[:, -1])
        cutoff = found.cutoff.double()
        sure = (cosines[:, -1] > cutoff + error) | (cutoff == -torch.inf)
        # Lists of the others stay as they were: a later stage sees all of `other` once more.
        side.ids[block] = torch.where(sure[:, None], ids, side.ids[block])
        side.cosines[block] = torch.where(sure[:, None], cosines, side.cosines[block])
        left.append(block[~sure])
        tried += len(block)
        certain += len(block) - len(left[-1])
    return torch.cat(left), certain


def _all_compared(side: DeviceSide, other: DeviceSide, rows: Tensor) -> None:
    """Write the lists of rows by comparing in float64 whatever may be in them."""
    units, others = side.whole, other.whole
    error = units.error_with(others)
    for block in rows.split(max(1, _TIES // min(other.n, COLUMNS))):
        for first in range(0, other.n, COLUMNS):
            last = min(first + COLUMNS, other.n)
            products = product(units.rows[block], others.rows[first:last], tf32=False)
            if side is other:
                leave_out(products, block - first)
            low = (side.least[block] - error).float()
            row, column = (products >= low[:, None]).nonzero(as_tuple=True)
            side.take(block[row], column + first, other)
