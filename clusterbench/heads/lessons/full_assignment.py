"""SeLa's lesson: every row has a label, and all labels together are balanced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..stack import HeadStack, logits, n_clusters_of, select_head
from ..transport.kernel_sums import kernel_bytes
from ..transport.sinkhorn_scaling import sinkhorn, uniform
from .lesson import TrainingBatch
from .recorded import RecordedLesson, recorded_bytes
from .swapped_codes import without_gain

if TYPE_CHECKING:
    from ..training_rows import TrainingRows

#: A plan is made where the mass of no cluster is off by more than this share.
_TOLERANCE = 0.01


class FullAssignment(RecordedLesson):
    """SeLa's loss (Asano et al., ICLR 2020, arXiv:1911.05371), with a neighbour as the other view.

        Q = argmax <Q, log P> + H(Q) / power, rows and clusters of equal mass          (eq. 6)
        y_i = argmax_c Q_i(c)
        L = -1/2 mean_i [log p_i(y_i) + log p_n(i)(y_i)]                               (eq. 1)

    The plan is made of all rows at once, by Sinkhorn's iterations on P^power, before the first
    epoch and before each one that is a multiple of `every`; the gain of a cosine head stays as it
    is.

    Args:
        power: lambda of the paper.
        iterations: of Sinkhorn, at most; fewer where each cluster has its mass within 1%.
        temperature: of p.
        every: epochs from one plan to the next.
    """

    def __init__(self, power: float, iterations: int, temperature: float, every: int) -> None:
        self._power, self._iterations = power, iterations
        self._temperature, self._every = temperature, every
        self._labels = torch.empty(0)

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`: labels come before the first epoch."""
        like = next(iter(student.values()))
        self._labels = torch.zeros((len(like), n_rows), dtype=torch.int32, device=like.device)

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`."""
        return {"labels": self._labels}

    @torch.no_grad()
    def before_epoch(
        self, epoch: int, student: HeadStack, teacher: HeadStack, rows: TrainingRows
    ) -> None:
        """As `Lesson.before_epoch`: label all rows anew, head by head."""
        if epoch % self._every:
            return
        like = next(iter(student.values()))
        scores = like.new_empty((rows.n, n_clusters_of(student)))
        masses = uniform(rows.n, scores), uniform(scores.shape[1], scores)
        for h in range(len(like)):
            head = select_head(student, h)
            starts = []
            for start, x in rows.blocks():
                found = torch.log_softmax(logits(head, x)[0] / self._temperature, dim=1)
                scores[start : start + len(x)] = self._power * found
                starts.append((start, start + len(x)))
            plan = sinkhorn(scores, *masses, self._iterations, _TOLERANCE)
            for start, stop in starts:
                best = plan.log_plan(scores[start:stop], start).argmax(dim=1)
                self._labels[h, start:stop] = best.to(self._labels.dtype)

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`."""
        scores = logits(without_gain(student), batch.x) / self._temperature
        labels = self._labels[:, batch.anchors.to(batch.x.device)].long().repeat(1, 2)
        said = torch.log_softmax(scores, dim=2).gather(2, labels[:, :, None])
        return -said[:, :, 0].mean(dim=1), scores


def assignment_bytes(n: int, n_heads: int, pairs: int, n_clusters: int, device: str) -> float:
    """The scores of all rows for one head, its plan's blocks, the labels, and what a step holds."""
    blocks = 3 * 8.0 * max(1 << 20, 8192 * n_clusters)
    blocks = max(blocks, kernel_bytes(n * n_clusters, device))
    labels = 4.0 * n_heads * n
    return 4.0 * n * n_clusters + blocks + labels + recorded_bytes(n_heads, 2 * pairs, n_clusters)
