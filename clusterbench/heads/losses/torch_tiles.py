"""Losses over pairs on tiles of logits, in plain torch: the definitions, on any device and dtype.

A tile has the logits of some heads for both views of some pairs: (heads, 2 * pairs, n_clusters),
the anchors x in rows [0, pairs) and their neighbours x' in the same order in [pairs, 2 * pairs).
With q_s and q_t the softmax of student and teacher, for the ordered pairs (a, b) in
{(x, x'), (x', x)},

    l(a, b) = -log sum_c [ q_s(c|a) q_t(c|b) ]^beta / p(c)

whose gradient with respect to the student's softmax input is beta * (q_s(.|a) - r(.|a, b)), where
r is the softmax over c of beta * (log q_s + log q_t) - log p.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class TileSurvey:
    """What a loss needs to know of a tile before its gradients.

    lse: (heads, 2 * pairs), log of the sum of exponentials of the scaled logits. best: (heads,
    2 * pairs) int32, the likeliest cluster, of equal ones the first. sums: (heads, 2, n_clusters),
    probabilities summed over the rows of each view. agreement: (heads, pairs), sum over clusters
    of q(c|x) q(c|x').
    """

    lse: Tensor
    best: Tensor
    sums: Tensor
    agreement: Tensor


def survey(logits: Tensor, scale: float) -> TileSurvey:
    """What a tile of logits says before the loss.

    Args:
        logits: (heads, 2 * pairs, n_clusters), before the temperature; not written to.
        scale: 1 / temperature.
    """
    heads, rows, n_clusters = logits.shape
    scaled = logits.to(_wide(logits)) * scale
    lse = scaled.logsumexp(dim=2)
    q = (scaled - lse[:, :, None]).exp()
    views = q.view(heads, 2, rows // 2, n_clusters)
    return TileSurvey(
        lse=lse,
        best=logits.argmax(dim=2).int(),
        sums=views.sum(dim=2),
        agreement=(views[:, 0] * views[:, 1]).sum(dim=2),
    )


def pair_gradient(
    student: Tensor,
    teacher: Tensor,
    student_scale: float,
    teacher_scale: float,
    teacher_lse: Tensor,
    log_marginal: Tensor | None,
    beta: float,
    weight: Tensor | None,
    slope: Tensor | None,
) -> Tensor:
    """Losses of pairs; the student's logits become the gradient of their sum.

    Args:
        student: (heads, 2 * pairs, n_clusters) logits before the temperature. Overwritten with
            the gradient of the sum over pairs with respect to them.
        teacher: the same shape; not written to.
        student_scale: 1 / temperature of the student.
        teacher_scale: of the teacher.
        teacher_lse: (heads, 2 * pairs), as `survey` has it.
        log_marginal: (heads, n_clusters), log p(c); None for p = 1.
        beta: exponent in (0, 1].
        weight: (pairs,) of the pairs, for all heads alike; None for 1.
        slope: (heads, 2, n_clusters): for each view the derivative, by a row's probabilities, of
            a further term of the loss that depends on their mean; its gradient is added. None for
            no such term.

    Returns:
        (heads, pairs): w * (l(x, x') + l(x', x)) / 2.
    """
    pairs = student.shape[1] // 2
    wide = _wide(student)
    log_q = torch.log_softmax(student.to(wide) * student_scale, dim=2)
    log_t = teacher.to(wide) * teacher_scale - teacher_lse[:, :, None]
    other = torch.cat([log_t[:, pairs:], log_t[:, :pairs]], dim=1)
    inner = beta * (log_q + other)
    if log_marginal is not None:
        inner = inner - log_marginal[:, None, :]
    lse = inner.logsumexp(dim=2)
    half = torch.full((pairs,), 0.5, dtype=wide, device=student.device)
    if weight is not None:
        half = half * weight
    q = log_q.exp()
    gradient = (q - (inner - lse[:, :, None]).exp()) * (beta * torch.cat([half, half]))[:, None]
    if slope is not None:
        of_rows = slope.repeat_interleave(pairs, dim=1)
        gradient = gradient + q * (of_rows - (q * of_rows).sum(dim=2, keepdim=True))
    student.copy_(gradient * student_scale)
    return -half * (lse[:, :pairs] + lse[:, pairs:])


def _wide(logits: Tensor) -> torch.dtype:
    """The dtype that sums are in: float64 of float64, float32 of all others."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32
