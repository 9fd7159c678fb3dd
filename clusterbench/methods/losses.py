"""The losses of TEMI and of SCAN on frozen features, for all heads at once, with closed gradients.

Notation: s and t are logits of the student and of the teacher, already divided by their
temperature, for both views of a batch of pairs: (heads, 2 * batch, n_clusters), the anchors x in
rows [0, batch) and their neighbours x' in the same order in rows [batch, 2 * batch).

Both losses contain, for the ordered pairs (a, b) in {(x, x'), (x', x)},

    l(a, b) = -log sum_c [ q_s(c|a) q_t(c|b) ]^beta / p(c)

whose gradient with respect to the student's logits of a is beta * (q_s(.|a) - r(.|a, b)), where r
is the softmax over c of beta * (log q_s + log q_t) - log p. Writing it down saves the passes over
(heads, 2 * batch, n_clusters) that automatic differentiation would spend on logsumexp.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def temi_loss(
    student: Tensor, teacher: Tensor, log_marginal: Tensor, beta: float, weight: Tensor | None
) -> Tensor:
    """TEMI's loss of each head (Adaloglou et al. 2023, arXiv:2303.17896, weighted PMI).

        L_h = 1/2 sum_(a,b) mean_batch w * l(a, b)

    Args:
        student: (heads, 2 * batch, n_clusters) logits s; the gradient flows here only.
        teacher: the same shape, log q_t, log-probabilities of the teacher.
        log_marginal: (heads, n_clusters), log p(c) of each head.
        beta: exponent in (0.5, 1]; 1 is plain pointwise mutual information.
        weight: (batch,) pair weights shared by all heads (`pair_weight`), or None for 1.

    Returns:
        (heads,) losses.
    """
    loss: Tensor = _PairLoss.apply(student, teacher, log_marginal, beta, weight)
    return loss


def scan_loss(student: Tensor, teacher: Tensor, alpha: float) -> Tensor:
    """SCANv2's loss of each head: consistency of a pair and entropy of the mean assignment.

        L_h = 1/2 sum_(a,b) mean[-log sum_c q_s(c|a) q_t(c|b)]
              + alpha * 1/2 sum_v sum_c pbar_v(c) log pbar_v(c)

    with pbar_v the batch mean of the student's probabilities of view v (Van Gansbeke et al. 2020,
    arXiv:2005.12320, eq. 2, with TEMI's teacher and heads).

    Args:
        student: (heads, 2 * batch, n_clusters) logits s; the gradient flows here only.
        teacher: the same shape, log q_t, log-probabilities of the teacher.
        alpha: weight of the entropy term (lambda in the SCAN paper).

    Returns:
        (heads,) losses.
    """
    consistency: Tensor = _PairLoss.apply(student, teacher, None, 1.0, None)
    return consistency + alpha * _negative_entropy(student)


def pair_weight(teacher: Tensor) -> Tensor:
    """TEMI's pair weight w = mean over heads of sum_c q_t(c|x) q_t(c|x').

    Args:
        teacher: (heads, 2 * batch, n_clusters) log-probabilities.

    Returns:
        (batch,) weights in (0, 1].
    """
    anchor, neighbour = teacher.chunk(2, dim=1)
    return (anchor + neighbour).exp_().sum(dim=2).mean(dim=0)


class TemiObjective:
    """TEMI's loss with the running marginal p(c) of each head, updated before each loss.

    Args:
        n_heads: heads in a stack.
        n_clusters: K; the marginal starts at 1 / K.
        beta: exponent in (0.5, 1].
        marginal_momentum: share of the old marginal that an update keeps.
        weighting: whether pairs have `pair_weight`.
        device: of the marginal.
    """

    def __init__(
        self,
        n_heads: int,
        n_clusters: int,
        beta: float,
        marginal_momentum: float,
        weighting: bool,
        device: torch.device,
    ) -> None:
        self.beta = beta
        self.marginal_momentum = marginal_momentum
        self.weighting = weighting
        self.marginal = torch.full((n_heads, n_clusters), 1.0 / n_clusters, device=device)

    def __call__(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(heads,) losses of logits and log-probabilities, both (heads, 2 * batch, n_clusters)."""
        mean = teacher.exp().mean(dim=1)
        self.marginal.lerp_(mean, 1.0 - self.marginal_momentum)
        weight = pair_weight(teacher) if self.weighting else None
        log_marginal = self.marginal.clamp_min(torch.finfo(torch.float32).tiny).log()
        return temi_loss(student, teacher, log_marginal, self.beta, weight)


class _PairLoss(torch.autograd.Function):
    """1/2 sum over both directions of the batch mean of w * l(a, b), gradient in closed form."""

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        log_marginal: Tensor | None,
        beta: float,
        weight: Tensor | None,
    ) -> Tensor:
        batch = student.shape[1] // 2
        log_student = torch.log_softmax(student, dim=2)
        # Row i of `joint` pairs the student's view a with the teacher's other view b.
        joint = torch.roll(teacher, batch, dims=1).add_(log_student)
        if beta != 1.0:
            joint.mul_(beta)
        if log_marginal is not None:
            joint.sub_(log_marginal.unsqueeze(1))
        log_sum = joint.logsumexp(dim=2, keepdim=True)
        scale = torch.full_like(log_sum, 0.5 / batch)
        if weight is not None:
            scale.mul_(weight.repeat(2)[None, :, None])
        loss = -(scale * log_sum).sum(dim=(1, 2))
        if ctx.needs_input_grad[0]:
            responsibility = joint.sub_(log_sum).exp_()
            gradient = log_student.exp_().sub_(responsibility).mul_(scale * beta)
            ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0][:, None, None], None, None, None, None


def _negative_entropy(student: Tensor) -> Tensor:
    """1/2 sum over views and clusters of pbar log pbar: (heads,), in [-log n_clusters, 0]."""
    heads, rows, n_clusters = student.shape
    mean = torch.softmax(student, dim=2).view(heads, 2, rows // 2, n_clusters).mean(dim=2)
    # xlogy is 0 at 0; the clamp keeps its derivative log(p) + 1 finite there.
    return 0.5 * torch.xlogy(mean, mean.clamp_min(torch.finfo(mean.dtype).tiny)).sum(dim=(1, 2))
