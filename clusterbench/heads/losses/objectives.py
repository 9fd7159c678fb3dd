"""What heads learn from a batch of pairs: the losses of TEMI and of SCANv2, tile by tile.

A loss is made of the pairs' own terms, whose gradient a tile knows by itself
(`torch_tiles.pair_gradient`), and of what all pairs or all heads say together, which is surveyed
before: TEMI's marginals and pair weights, SCAN's mean probabilities.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from .tiling import Tile, Tiling
from .torch_tiles import TileSurvey


@dataclass(frozen=True)
class PairTerms:
    """What `pair_gradient` is told of a tile beside its logits, by the same names."""

    log_marginal: Tensor | None = None
    beta: float = 1.0
    weight: Tensor | None = None
    slope: Tensor | None = None


#: Sums over the heads of all processes; of one process, what it is given.
SumOverHeads = Callable[[Tensor], Tensor]


class Objective(ABC):
    """The losses of a stack of heads; what it keeps between steps is in `state`.

    Attributes:
        surveys: the network whose logits are surveyed.
        couples_heads: whether the gradient of a head depends on other heads.
    """

    surveys: ClassVar[Literal["student", "teacher"]]
    couples_heads: bool = False

    @abstractmethod
    def begin(self, n_heads: int, n_clusters: int, like: Tensor) -> None:
        """Start anew for a stack; `like` has the device and dtype of its losses."""

    @property
    def state(self) -> dict[str, Tensor]:
        """What is kept between steps, each with the heads as its first axis."""
        return {}

    def couple(  # noqa: B027, as most objectives have nothing to learn there
        self, agreement: Tensor, all_heads: int, total: SumOverHeads
    ) -> None:
        """Learn how all heads see the pairs, where the objective couples them.

        Args:
            agreement: (heads, pairs), sum over clusters of q(c|x) q(c|x'), of this process.
            all_heads: heads of all processes.
            total: sums a tensor over all processes.
        """

    @abstractmethod
    def settle(self, heads: slice, sums: Tensor, n_pairs: int) -> Tensor:
        """Learn what a batch says of some heads, before any of their gradients.

        Args:
            heads: which.
            sums: (heads, 2, n_clusters), probabilities summed over the rows of each view.
            n_pairs: of the batch.

        Returns:
            (heads,) what the losses are beside the mean of the pairs' terms.
        """

    @abstractmethod
    def terms(self, tile: Tile) -> PairTerms:
        """What the pairs' terms of a tile need; after `settle` of its heads."""


class TemiObjective(Objective):
    """TEMI's loss (Adaloglou et al. 2023, arXiv:2303.17896, weighted PMI).

        L_h = 1/2 sum_(a,b) mean_batch w * -log sum_c [q_s(c|a) q_t(c|b)]^beta / p(c)

    with the pair weight w = mean over heads of sum_c q_t(c|x) q_t(c|x'), and the running marginal
    p(c) of each head's teacher, which starts at 1/K and is updated before each loss.

    Args:
        beta: exponent in (0.5, 1].
        marginal_momentum: share of the old marginal that an update keeps.
        weighting: whether pairs are weighted; else w = 1.
    """

    surveys = "teacher"

    def __init__(self, beta: float, marginal_momentum: float, weighting: bool) -> None:
        self.beta, self.marginal_momentum = beta, marginal_momentum
        self.couples_heads = weighting
        self._weight: Tensor | None = None

    def begin(self, n_heads: int, n_clusters: int, like: Tensor) -> None:
        """As `Objective.begin`."""
        self.marginal = like.new_full((n_heads, n_clusters), 1.0 / n_clusters)
        self._log_marginal = torch.zeros_like(self.marginal)

    @property
    def state(self) -> dict[str, Tensor]:
        """The marginals."""
        return {"marginal": self.marginal}

    def couple(self, agreement: Tensor, all_heads: int, total: SumOverHeads) -> None:
        """As `Objective.couple`."""
        self._weight = total(agreement.sum(dim=0)) / all_heads

    def settle(self, heads: slice, sums: Tensor, n_pairs: int) -> Tensor:
        """As `Objective.settle`."""
        marginal = self.marginal[heads]
        marginal.lerp_(sums.sum(dim=1) / (2 * n_pairs), 1.0 - self.marginal_momentum)
        self._log_marginal[heads] = marginal.clamp_min(torch.finfo(marginal.dtype).tiny).log()
        return marginal.new_zeros(len(marginal))

    def terms(self, tile: Tile) -> PairTerms:
        """As `Objective.terms`."""
        weight = None if self._weight is None else self._weight[tile.pairs]
        return PairTerms(self._log_marginal[tile.heads], self.beta, weight)


class ScanObjective(Objective):
    """SCANv2's loss: consistency of a pair and entropy of the mean assignment.

        L_h = 1/2 sum_(a,b) mean[-log sum_c q_s(c|a) q_t(c|b)]
              + alpha * 1/2 sum_v sum_c pbar_v(c) log pbar_v(c)

    with pbar_v the batch mean of the student's probabilities of view v (Van Gansbeke et al. 2020,
    arXiv:2005.12320, eq. 2, with TEMI's teacher and heads).

    Args:
        alpha: weight of the entropy term (lambda in the SCAN paper).
    """

    surveys = "student"

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def begin(self, n_heads: int, n_clusters: int, like: Tensor) -> None:
        """As `Objective.begin`."""
        self._slope = like.new_zeros((n_heads, 2, n_clusters))

    def settle(self, heads: slice, sums: Tensor, n_pairs: int) -> Tensor:
        """As `Objective.settle`."""
        mean = sums / n_pairs
        # 0 log 0 is 0; the clamp keeps its derivative log(p) + 1 finite there.
        log = mean.clamp_min(torch.finfo(mean.dtype).tiny).log()
        self._slope[heads] = 0.5 * self.alpha * (log + 1.0)
        return 0.5 * self.alpha * (mean * log).sum(dim=(1, 2))

    def terms(self, tile: Tile) -> PairTerms:
        """As `Objective.terms`."""
        return PairTerms(slope=self._slope[tile.heads])


class Surveyed:
    """The surveys of the tiles of a batch, put together.

    Args:
        tiling: how the batch is cut.
        like: has the device and dtype of the losses.

    Attributes:
        lse: (heads, 2, pairs), of `TileSurvey`.
        best: (heads, 2, pairs) likewise.
        sums: (heads, 2, n_clusters) likewise.
        agreement: (heads, pairs) likewise.
    """

    lse: Tensor
    best: Tensor
    sums: Tensor
    agreement: Tensor

    def __init__(self, tiling: Tiling, like: Tensor) -> None:
        self._single = tiling.single
        if not self._single:
            rows = (tiling.n_heads, 2, tiling.n_pairs)
            self.lse = like.new_empty(rows)
            self.best = torch.empty(rows, dtype=torch.int32, device=like.device)
            self.sums = like.new_zeros((tiling.n_heads, 2, tiling.n_clusters))
            self.agreement = like.new_empty((tiling.n_heads, tiling.n_pairs))

    def note(self, tile: Tile, found: TileSurvey) -> None:
        """Put in what a tile says."""
        shape = (tile.n_heads, 2, tile.n_pairs)
        if self._single:
            self.lse, self.best = found.lse.view(shape), found.best.view(shape)
            self.sums, self.agreement = found.sums, found.agreement
            return
        self.lse[tile.heads, :, tile.pairs] = found.lse.view(shape)
        self.best[tile.heads, :, tile.pairs] = found.best.view(shape)
        self.sums[tile.heads] += found.sums
        self.agreement[tile.heads, tile.pairs] = found.agreement

    def lse_of(self, tile: Tile) -> Tensor:
        """(heads, 2 * pairs) of a tile."""
        if self._single:
            return self.lse.view(tile.n_heads, -1)
        return self.lse[tile.heads, :, tile.pairs].reshape(tile.n_heads, -1)
