"""P2OT's lesson: pseudo-labels by partial transport, of more and more of the rows."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..stack import HeadStack, logits, n_clusters_of
from ..transport.partial_transport import column_scalings, shares
from .lesson import Taught, TrainingBatch
from .recorded import RecordedLesson, views

#: Numbers of the costs of a group of heads that are solved for together, at most; a head whose
#: costs are more is one alone.
_TOGETHER = 1 << 24
#: Bytes for each number of these costs while they are made and solved for.
_EACH = 32.0


class ProgressiveTransport(RecordedLesson):
    """P2OT's loss (Zhang, Ren and He, ICLR 2024, arXiv:2401.09266).

        L = -mean_i (sum_c q_i(c) log p_n(i)(c) + sum_c q_n(i)(c) log p_i(c)) / 2

    with p the softmax of the logits over the temperature, of anchors i and their neighbours n(i),
    and q their pseudo-labels: what a row gives to the clusters by the partial transport of the
    batch and of the logits of earlier batches (`partial_transport`), at cost -log p. A row of q
    sums to how sure the transport is of it, at most 1, which so is its weight. Of all mass the
    clusters get

        rho(t) = rho + (1 - rho) exp(-5 (1 - t)^2)

    at the share t of the training. The gain of the last layer rests.

    Args:
        memory: rows of earlier batches whose logits are kept.
        epsilon: strength of the entropy of the transport.
        kl: strength of its pull towards equal clusters, as `column_scalings` takes it.
        rho: share of the mass in the beginning.
        progressive: whether it grows.
        temperature: of the softmax.
    """

    def __init__(
        self,
        memory: int,
        epsilon: float,
        kl: float,
        rho: float,
        progressive: bool,
        temperature: float,
    ) -> None:
        self._rows, self._epsilon, self._kl = memory, epsilon, kl
        self._rho, self._progressive, self._temperature = rho, progressive, temperature
        self._memory, self._log_b = torch.empty(0), torch.empty(0)

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`."""
        like, n_clusters = student["direction"], n_clusters_of(student)
        self._memory = like.new_zeros(len(like), self._rows, n_clusters)
        self._log_b = _double(like.new_zeros(len(like), n_clusters + 1))

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`: logits of earlier rows, and the scalings of the last transport."""
        return {"memory": self._memory, "log_b": self._log_b}

    def share(self, batch: TrainingBatch) -> float:
        """Rho at a step."""
        if not self._progressive:
            return self._rho
        to_go = 1.0 - batch.at / (batch.steps * batch.epochs)
        return self._rho + (1.0 - self._rho) * math.exp(-5.0 * to_go**2)

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`; the batch joins the memory."""
        of_rows = logits(student, batch.x) / self._temperature
        labels = self._labels(of_rows.detach(), batch)
        log_p = torch.log_softmax(of_rows, dim=2)
        (anchors, partners), (of_anchors, of_partners) = views(log_p), views(labels)
        swapped = (of_partners * anchors + of_anchors * partners).sum(dim=2)
        return -0.5 * swapped.mean(dim=1), log_p

    def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
        """As `Lesson.teach`."""
        taught = super().teach(student, teacher, batch)
        return replace(taught, gradients={**taught.gradients, "gain": None})

    @torch.no_grad()
    def _labels(self, of_rows: Tensor, batch: TrainingBatch) -> Tensor:
        """Pseudo-labels of the batch, (H, rows, K) like its logits, which are kept then."""
        n_heads, rows, n_clusters = of_rows.shape
        seen = batch.at * rows
        earlier, rho = self._memory[:, : min(seen, self._rows)], self.share(batch)
        together = max(1, _TOGETHER // ((earlier.shape[1] + rows) * n_clusters))
        labels = torch.empty_like(of_rows)
        for start in range(0, n_heads, together):
            group = slice(start, start + together)
            cost = _double(torch.cat([earlier[group], of_rows[group]], dim=1))
            cost = torch.log_softmax(cost, dim=2).neg_()
            begun = self._log_b[group] if seen else None
            solved = column_scalings(cost, rho, self._epsilon, self._kl, start=begun)
            self._log_b[group] = solved.log_b
            labels[group] = shares(cost[:, -rows:], solved.log_b, self._epsilon).to(labels)
        new = torch.arange(max(0, rows - self._rows), rows, device=of_rows.device)
        if self._rows:
            self._memory[:, (seen + new) % self._rows] = of_rows[:, new]
        return labels


def _double(numbers: Tensor) -> Tensor:
    """In float64, on the CPU where the device has none."""
    return (numbers.cpu() if numbers.device.type == "mps" else numbers).double()


def transport_bytes(n_heads: int, memory: int, rows: int, n_clusters: int) -> float:
    """What the memory of logits takes, and a transport of it and of the rows of a batch."""
    one = float(memory + rows) * n_clusters
    return 4.0 * n_heads * memory * n_clusters + _EACH * min(n_heads * one, max(one, _TOGETHER))
