"""TURTLE's lesson: clusters that a linear classifier learns in a few steps, in every space."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from ..stack import HeadStack, linear_start, n_spaces, space_logits
from .lesson import TrainingBatch, drawing
from .recorded import RecordedLesson

BETA_1, BETA_2, EPS = 0.9, 0.999, 1e-8


class MaxMargin(RecordedLesson):
    """TURTLE's bilevel loss, first order (Gadetsky et al., ICML 2024, arXiv:2406.07236).

    With z_s the rows in space s of S, p_s the softmax of the head's layer there, and the labels
    tau = mean_s p_s, an outer step fits linear classifiers to the labels as they are,

        (w_s, b_s) <- M Adam steps on mean_i CE(softmax(w_s z_s + b_s), tau)        (inner)

    and the head gets the gradient, with these classifiers fixed, of

        sum_s mean_i CE(softmax(w_s z_s + b_s), tau) - gamma sum_s H(mean_i p_s)    (outer)

    where CE(q, tau) = -sum_c tau_c log q_c. Few steps of descent from small weights go towards
    classifiers of large margin, so labels with one have a low loss.

    Args:
        gamma: weight of the entropies.
        inner_steps: M.
        inner_learning_rate: of the inner Adam, whose moments begin anew in each outer step.
        warm_start: whether classifiers go on from those of the step before; else each step starts
            them anew, as torch starts a Linear.
        seed: of these starts.
    """

    pairs = False

    def __init__(
        self,
        gamma: float,
        inner_steps: int,
        inner_learning_rate: float,
        warm_start: bool,
        seed: int,
    ) -> None:
        self._gamma, self._steps, self._rate = gamma, inner_steps, inner_learning_rate
        self._warm, self._seed, self._first = warm_start, seed, 0
        self._kept: dict[str, Tensor] = {}

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`."""
        self._first = first
        self._kept = self._started(student, 0) if self._warm else {}

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`: of a warm start, the classifiers."""
        return self._kept

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`."""
        probabilities = [torch.softmax(z, dim=2) for z in space_logits(student, batch.x)]
        labels = reduce(torch.add, probabilities)
        if len(probabilities) > 1:
            labels = labels / len(probabilities)
        explained = self._log_probabilities(student, batch, labels.detach())
        losses = -torch.einsum("hnk,hnk->h", labels, explained) / labels.shape[1]
        for p in probabilities:
            mean = p.mean(dim=1)
            # 0 log 0 is 0; the clamp keeps its derivative log(p) + 1 finite there.
            logs = mean.clamp_min(torch.finfo(mean.dtype).tiny).log()
            losses = losses + self._gamma * (mean * logs).sum(dim=1)
        return losses, labels.detach().log()

    @torch.no_grad()
    def _log_probabilities(
        self, student: HeadStack, batch: TrainingBatch, labels: Tensor
    ) -> Tensor:
        """Sum over spaces of the fitted classifiers' log probabilities, (H, rows, K)."""
        classifiers = self._kept if self._warm else self._started(student, batch.at)
        found, begin = torch.zeros_like(labels), 0
        for s in range(1, n_spaces(student) + 1):
            weight, bias = classifiers[f"weight_{s}"], classifiers[f"bias_{s}"]
            end = begin + weight.shape[1]
            x = batch.x[:, begin:end]
            fit_classifiers(x, labels, weight, bias, self._steps, self._rate)
            found += torch.log_softmax(_logits(x, weight, bias), dim=2)
            begin = end
        return found

    def _started(self, student: HeadStack, at: int) -> dict[str, Tensor]:
        """Classifiers of each space for the outer step `at`, heads first."""
        n_heads = len(student["direction_1"])
        generators = [drawing(self._seed, self._first + h, at) for h in range(n_heads)]
        found = {}
        for s in range(1, n_spaces(student) + 1):
            like = student[f"direction_{s}"]
            drawn = [
                linear_start(like.shape[1], like.shape[2], generator) for generator in generators
            ]
            for name, tensors in zip(("weight", "bias"), zip(*drawn, strict=True), strict=True):
                found[f"{name}_{s}"] = torch.stack(tensors).to(like)
        return found


@torch.no_grad()
def fit_classifiers(
    x: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, steps: int, rate: float
) -> None:
    """Adam steps of a linear classifier of each head on the mean cross-entropy with its labels.

    Args:
        x: (rows, dim), the same rows for every head.
        labels: (H, rows, K), rows that sum to 1.
        weight: (H, dim, K); changed in place.
        bias: (H, 1, K); likewise.
        steps: of Adam (Kingma and Ba, arXiv:1412.6980), with betas 0.9 and 0.999.
        rate: its learning rate.
    """
    transposed = x.T.expand(len(weight), *x.T.shape)
    parameters = (weight, bias)
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for t in range(1, steps + 1):
        slope = torch.softmax(_logits(x, weight, bias), dim=2).sub_(labels)
        gradients = torch.bmm(transposed, slope), slope.sum(dim=1, keepdim=True)
        del slope  # before the next one is made
        corrected = math.sqrt(1 - BETA_2**t)
        # The mean over rows is taken here, of fewer numbers than there are logits.
        for p, g, (mean, square) in zip(parameters, gradients, moments, strict=True):
            g.div_(len(x))
            mean.lerp_(g, 1 - BETA_1)
            square.mul_(BETA_2).addcmul_(g, g, value=1 - BETA_2)
            divisor = square.sqrt().div_(corrected).add_(EPS)
            p.addcdiv_(mean, divisor, value=-rate / (1 - BETA_1**t))


def _logits(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.baddbmm(bias, x.expand(len(weight), *x.shape), weight)


def max_margin_bytes(n_heads: int, rows: int, n_clusters: int, n_spaces: int, dim: int) -> float:
    """What a step holds of logits and of classifiers with their moments, in float32."""
    logits = (n_spaces + 6) * rows
    return 4.0 * n_heads * n_clusters * (logits + 5 * dim)
