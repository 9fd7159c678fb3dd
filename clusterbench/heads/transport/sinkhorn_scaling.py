"""Optimal transport with an entropy: Sinkhorn's iterations on log scales."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .kernel_sums import KernelSums, LogSums, kernel_bytes

#: Numbers of one head that are worked on at a time, in double precision.
_BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True)
class Scaling:
    """What brings exp(scores) to its masses: plan = exp(scores + rows + columns).

    rows: (..., n) and columns: (..., K), logarithms, float64 (float32 on a device without it).
    change: (...), the largest change of `columns` that the next iteration would make; where columns
        have to meet their masses, about the largest relative error of these. Infinite where
        nobody asked, by a tolerance.
    """

    rows: Tensor
    columns: Tensor
    change: Tensor

    def log_plan(self, scores: Tensor, first: int = 0) -> Tensor:
        """Logarithm of the mass of each pair.

        Args:
            scores: (..., m, K) of the rows from number `first` on.
            first: of them.
        """
        rows = self.rows[..., first : first + scores.shape[-2], None]
        return scores.to(self.rows.dtype) + rows + self.columns[..., None, :]


@torch.no_grad()
def sinkhorn(
    scores: Tensor,
    row_mass: Tensor,
    column_mass: Tensor,
    iterations: int = 1000,
    tolerance: float | None = None,
    column_power: float | Tensor = 1.0,
) -> Scaling:
    """Scale exp(scores) so that rows and columns have given masses (Cuturi, arXiv:1306.0895).

    An iteration scales columns, then rows, so masses of rows are exact whenever it stops. With
    scores = -cost / epsilon it finds the plan of least cost - epsilon * entropy. Scores of any size
    are safe, since scales are logarithms; sums are made in double precision. Beside the scores it
    holds a few blocks of rows, and of few scores their exponentials (`kernel_sums.kernel_bytes`),
    which spares most of the time.

    Args:
        scores: (..., n, K) finite numbers; leading axes are problems of their own.
        row_mass: (n,) or (..., n), above 0.
        column_mass: (K,) or (..., K), at least 0 and some above; columns without mass get none.
            Both masses have the same sum where `column_power` is 1, or no plan meets them.
        iterations: at most.
        tolerance: a problem is done where no column's scale would change by more than this, in
            logarithm; None runs all iterations.
        column_power: of the steps of columns, 1 to meet their masses. With a penalty gamma *
            KL(mass of columns || column_mass) beside entropy epsilon it is gamma / (gamma +
            epsilon) (Chizat et al., arXiv:1607.05816); (K,) mixes columns of both kinds.

    Returns:
        The logarithms of the scales, from which `Scaling.log_plan` makes the plan.
    """
    exact = torch.float32 if scores.device.type == "mps" else torch.float64
    log_rows, log_columns = row_mass.to(exact).log(), column_mass.to(exact).log()
    lead, n, n_columns = scores.shape[:-2], scores.shape[-2], scores.shape[-1]
    held = kernel_bytes(scores.numel(), scores.device.type) > 0
    sums: LogSums = KernelSums(scores, exact) if held else _BlockSums(scores)
    rows = torch.zeros((*lead, n), dtype=exact, device=scores.device)
    columns = torch.zeros((*lead, n_columns), dtype=exact, device=scores.device)
    change = torch.full(lead, torch.inf, dtype=exact, device=scores.device)
    has_mass = torch.isfinite(log_columns)
    for i in range(iterations):
        new = column_power * (log_columns - sums.of_columns(rows, columns))
        goes_on = torch.ones_like(change, dtype=torch.bool)
        if tolerance is not None and i > 0:
            moves = torch.where(has_mass, new - columns, 0.0).abs()
            change = torch.where(change > tolerance, moves.amax(dim=-1), change)
            goes_on = change > tolerance
            if not goes_on.any():
                break
        columns = torch.where(goes_on[..., None], new, columns)
        scaled = log_rows - sums.of_rows(rows, columns)
        rows = torch.where(goes_on[..., None], scaled, rows)
    return Scaling(rows, columns, change)


class _BlockSums:
    """`LogSums` of blocks of rows, one after the other: for any scores and in little memory."""

    def __init__(self, scores: Tensor) -> None:
        self._scores = scores
        size = max(1, _BLOCK_NUMBERS // scores.shape[-1])  # whatever the number of problems
        self._blocks = [slice(a, a + size) for a in range(0, scores.shape[-2], size)]

    def of_columns(self, rows: Tensor, columns: Tensor) -> Tensor:
        """As `LogSums.of_columns`."""
        found = torch.full_like(columns, -torch.inf)
        for block in self._blocks:
            scaled = self._scores[..., block, :] + rows[..., block, None]
            found = torch.logaddexp(found, scaled.logsumexp(dim=-2))
        return found

    def of_rows(self, rows: Tensor, columns: Tensor) -> Tensor:
        """As `LogSums.of_rows`."""
        return torch.cat(
            [
                (self._scores[..., block, :] + columns[..., None, :]).logsumexp(dim=-1)
                for block in self._blocks
            ],
            dim=-1,
        )


def uniform(n: int, like: Tensor) -> Tensor:
    """n equal masses of sum 1, on the device of `like`."""
    exact = torch.float32 if like.device.type == "mps" else torch.float64
    return torch.full((n,), 1.0 / n, dtype=exact, device=like.device)
