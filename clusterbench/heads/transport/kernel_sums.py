"""Sums of scaled exponentials whose exponentials are made once, for many iterations.

With exp(s + f + g) held for some scales f of rows and g of columns, the sums under other scales are
products of that matrix with a vector. It is made anew around the present scales where these have
moved so far that a product could lose what matters.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

#: Exponentials that are held at most: 128 MB of them, and 2 GB on a GPU.
_MOST = {"cpu": 1 << 24, "cuda": 1 << 28}
#: How much farther some scales may have moved than others, beside those in the exponentials.
_FARTHEST = 150.0
#: Sums of less may have lost terms that count, as exponentials of less than e^-708 are 0.
_LEAST = 1e-200


def kernel_bytes(numbers: int, device: str) -> float:
    """Bytes for the exponentials of so many scores while they are made anew; 0 if not held."""
    return 3 * 8.0 * numbers if numbers <= _MOST.get(device, 0) else 0.0


class LogSums(Protocol):
    """Logarithms of sums of exp(scores + scales)."""

    def of_columns(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(..., n) and (..., K) scales -> (..., K), sums over rows without the columns' scales."""
        ...

    def of_rows(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(..., n) and (..., K) scales -> (..., n), sums over columns without the rows' scales."""
        ...


class KernelSums:
    """`LogSums` by exponentials that are held.

    Args:
        scores: (..., n, K) finite numbers; leading axes are problems of their own.
        dtype: of the sums.
    """

    def __init__(self, scores: Tensor, dtype: torch.dtype) -> None:
        self._scores = scores
        # Each row and each column has a 1 then, and nothing is larger.
        self._rows = -scores.amax(dim=-1).to(dtype)
        lowered = scores + self._rows[..., None]
        self._columns = -lowered.amax(dim=-2)
        self._kernel = lowered.add_(self._columns[..., None, :]).exp_()

    def of_columns(self, rows: Tensor, columns: Tensor) -> Tensor:
        """As `LogSums.of_columns`."""
        found, lost = _log_sums(self._kernel.mT, rows - self._rows)
        if bool(lost.any()):
            base = torch.where(lost[..., None], rows, self._rows)
            lowered = self._scores + base[..., None]
            self._anew(lost, base, torch.where(lost[..., None], -lowered.amax(-2), self._columns))
            found, _ = _log_sums(self._kernel.mT, rows - self._rows)
        return found - self._columns

    def of_rows(self, rows: Tensor, columns: Tensor) -> Tensor:
        """As `LogSums.of_rows`."""
        found, lost = _log_sums(self._kernel, columns - self._columns)
        if bool(lost.any()):
            base = torch.where(lost[..., None] & columns.isfinite(), columns, self._columns)
            lowered = (self._scores + base[..., None, :]).masked_fill(
                ~columns.isfinite()[..., None, :], -torch.inf
            )
            self._anew(lost, torch.where(lost[..., None], -lowered.amax(-1), self._rows), base)
            found, _ = _log_sums(self._kernel, columns - self._columns)
        return found - self._rows

    def _anew(self, which: Tensor, rows: Tensor, columns: Tensor) -> None:
        """Make the exponentials of some problems with these scales in them."""
        self._rows, self._columns = rows, columns
        scaled = (self._scores + rows[..., None] + columns[..., None, :]).clamp_(max=_FARTHEST)
        self._kernel = torch.where(which[..., None, None], scaled.exp_(), self._kernel)


def _log_sums(kernel: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the kernel's sums under scales that have moved; whether terms may be lost.

    moved: (..., k), -inf where a scale is none. Found are (..., m) and (...).
    """
    high = moved.amax(dim=-1, keepdim=True)
    low = torch.where(moved.isfinite(), moved, high).amin(dim=-1)
    sums = _products(kernel, (moved - high).exp())
    lost = (high[..., 0] - low > _FARTHEST) | ~(sums >= _LEAST).all(dim=-1)
    return sums.log() + high, lost


def _products(kernel: Tensor, by: Tensor) -> Tensor:
    """(..., m, k) times (..., k): (..., m); on the CPU each problem as if it were alone."""
    if kernel.device.type != "cpu" or kernel.ndim == 2:
        return (kernel @ by[..., None])[..., 0]
    flat = kernel.reshape(-1, *kernel.shape[-2:]), by.reshape(-1, by.shape[-1])
    found = torch.stack([matrix @ vector for matrix, vector in zip(*flat, strict=True)])
    return found.reshape(*kernel.shape[:-1])
