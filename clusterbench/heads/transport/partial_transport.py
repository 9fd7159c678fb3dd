"""Partial optimal transport of rows to clusters: some mass stays behind, sizes are soft.

Of a cost C of n rows and K clusters the plan Q, (n, K + 1), is the least of

    <Q, C> + epsilon sum Q (log Q - 1) + kl KL(column sums of the clusters || rho / K)

among those whose rows sum to 1 / n and whose last column, the virtual cluster, costs nothing and
takes 1 - rho (Zhang, Ren and He, "P2OT", ICLR 2024, arXiv:2401.09266). A row pays -log p for its
clusters, so what the virtual cluster takes is the rows that are least sure.

The plan is diag(a) exp(-C / epsilon) diag(b), found by scaling rows and columns in turn (Chizat et
al., "Scaling algorithms for unbalanced transport problems", arXiv:1607.05816). Rows are scaled in
closed form, so b says it all: a row of n Q is the softmax of -C / epsilon + log b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

#: Iterations between two looks at what has changed. Each look makes the kernel anew around the
#: scalings found, so that none of its entries that matter is too small for a float64.
_ROUND = 10
#: A scaling since the last look is held within exp of this, and a sum above 1e-300.
_FARTHEST, _LEAST = 300.0, 1e-300
#: Log b of a virtual cluster that takes nothing.
_NONE = -1e9
#: Change from which on two steps are made into one, and the largest eigenvalue that is reckoned
#: with then.
_NEAR, _LARGEST = 1.0, 0.95


@dataclass(frozen=True)
class Scalings:
    """Of the columns, by which the plan is known.

    log_b: (H, K + 1) float64, the virtual cluster's last. iterations: (H,)
    int64. change: (H,) float64, of the largest log b in an iteration from here; the virtual
    cluster takes 1 - rho but for this share of it, and kl log(size) + epsilon log b is the same
    for all clusters but for 2 (kl + epsilon) times it.
    """

    log_b: Tensor
    iterations: Tensor
    change: Tensor


def shares(cost: Tensor, log_b: Tensor, epsilon: float) -> Tensor:
    """What each row gives to each cluster, of 1 that it has: n times the plan.

    Args:
        cost: (H, rows, K) float64, of any rows.
        log_b: (H, K + 1), as `Scalings` has it.
        epsilon: of the plan.

    Returns:
        (H, rows, K); a row sums to 1 less what the virtual cluster takes of it.
    """
    kernel, odds = _kernel(cost / -epsilon, log_b)
    return kernel.mul_(odds.sigmoid().unsqueeze(2))


def column_scalings(
    cost: Tensor,
    rho: float,
    epsilon: float = 0.1,
    kl: float = 1.0,
    *,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    max_iter: int = 1000,
) -> Scalings:
    """Scale until no log b changes by more than `tolerance` in an iteration.

    Heads are problems of their own: one that is done waits for the others as it is.

    Args:
        cost: (H, n, K) float64, at least 0.
        rho: share of the mass that goes to clusters, in (0, 1].
        epsilon: strength of the entropy.
        kl: strength of the pull towards equal sizes; `math.inf` makes them equal, 0 leaves them
            free.
        start: (H, K + 1) log b to begin from, of a similar problem; None begins at zeros. The plan
            is the same, since there is only one.
        tolerance: of log b.
        max_iter: iterations at most, up to ten more.

    Returns:
        The scalings, converged or not: `change` says it.
    """
    power = 1.0 if math.isinf(kl) else kl / (kl + epsilon)
    score = cost / -epsilon
    n_heads, _, n_clusters = score.shape
    found = score.new_zeros(n_heads, n_clusters + 1) if start is None else start.clone()
    found[:, -1] = _NONE if rho == 1.0 else found[:, -1].clamp(min=-_FARTHEST)
    iterations = torch.zeros(n_heads, dtype=torch.int64, device=score.device)
    change = score.new_full((n_heads,), math.inf)
    left, now = torch.arange(n_heads, device=score.device), _Iterates.at(found.clone())
    length = 1  # the first iteration moves far, so it is a round of its own
    while len(left):
        kernel, odds = _kernel(score, now.log_b)
        base, shared = now.log_b, (odds.sigmoid(), odds.neg().sigmoid())
        for _ in range(length):
            to = _iteration(kernel, *shared, base, now.log_b, rho, power)
            now = now.moved(to, power)
        del kernel  # before the next one is made: it is as large as the costs
        moved = (to - now.last).abs().amax(dim=1)
        now.judge(moved, change[left])
        iterations[left] += length
        found[left], change[left] = now.last, moved
        more = (moved > tolerance) & (iterations[left] < max_iter)
        if not more.all():
            left, score, now = left[more], score[more], now.of(more)
        length = _ROUND
    return Scalings(found, iterations, change)


@dataclass
class _Iterates:
    """Where the scaling of the heads that are left stands, and how it goes on.

    Near the optimum a plain iteration shrinks what is missing by factors from 0 to `power`, or to 1
    where the virtual cluster is in it. There second-order Richardson iteration for these factors
    (Golub and Varga, 1961) is faster; it is used for as long as it brings a head nearer.

    log_b, last: (H, K + 1), now and one iteration ago. fast: (H, 1) bool, whether a head is near.
    tried: (H, 1) bool, whether it has been fast in vain.
    """

    log_b: Tensor
    last: Tensor
    fast: Tensor
    tried: Tensor

    @classmethod
    def at(cls, log_b: Tensor) -> _Iterates:
        no = torch.zeros(len(log_b), 1, dtype=torch.bool, device=log_b.device)
        return cls(log_b, log_b, no, no)

    def moved(self, to: Tensor, power: float) -> _Iterates:
        """After an iteration that leads from `log_b` to `to`."""
        largest = min(max(power, 0.5), _LARGEST)
        relaxed, sigma = 2.0 / (2.0 - largest), largest / (2.0 - largest)
        omega = 2.0 / (1.0 + math.sqrt(1.0 - sigma**2))
        ahead = self.log_b + relaxed * (to - self.log_b)
        ahead = self.last + omega * (ahead - self.last)
        return _Iterates(torch.where(self.fast, ahead, to), self.log_b, self.fast, self.tried)

    def judge(self, change: Tensor, before: Tensor) -> None:
        """After a round, by the change of its last iteration and of that of the round before."""
        self.tried = self.tried | (self.fast & (change >= before).unsqueeze(1))
        self.fast = (change < _NEAR).unsqueeze(1) & ~self.tried

    def of(self, which: Tensor) -> _Iterates:
        """Of some of the heads."""
        return _Iterates(self.log_b[which], self.last[which], self.fast[which], self.tried[which])


def _kernel(score: Tensor, log_b: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax over the clusters alone, (H, n, K); (H, n) logits of what of a row they get."""
    lifted = score + log_b[:, None, :-1]
    kernel = torch.softmax(lifted, dim=2)
    # The sum of exponentials, without another pass of them.
    total = lifted.amax(dim=2) - kernel.amax(dim=2).log()
    return kernel, total - log_b[:, -1:]


def _iteration(
    kernel: Tensor,
    kept: Tensor,
    left_over: Tensor,
    base: Tensor,
    log_b: Tensor,
    rho: float,
    power: float,
) -> Tensor:
    """The next log b, by a kernel that has `base` in it.

    Sizes are pulled, so b is (rho / K / c) ** power of c = sums over the rows of a exp(-C /
    epsilon). All clusters together get rho; saying so here, by one factor for all, changes nothing
    of the plan and spares the iterations in which that would come about.
    """
    n = kernel.shape[1]
    by = (log_b - base)[:, :-1].clamp(-_FARTHEST, _FARTHEST).exp()
    sums = kept * torch.bmm(kernel, by.unsqueeze(2)).squeeze(2)
    if rho < 1.0:
        by_virtual = (log_b - base)[:, -1:].clamp(-_FARTHEST, _FARTHEST).exp()
        sums = sums + left_over * by_virtual
    a = 1.0 / (n * sums.clamp_min(_LEAST))
    columns = torch.bmm((a * kept).unsqueeze(1), kernel).squeeze(1)
    log_c = columns.clamp_min(_LEAST).log() - base[:, :-1]
    of_all = math.log(rho) - torch.logsumexp((1.0 - power) * log_c, dim=1, keepdim=True)
    clusters = of_all - power * log_c
    if rho == 1.0:
        return torch.cat([clusters, base[:, -1:]], dim=1)
    of_virtual = (a * left_over).sum(dim=1, keepdim=True).clamp_min(_LEAST).log() - base[:, -1:]
    return torch.cat([clusters, math.log1p(-rho) - of_virtual], dim=1)
