"""Lessons whose gradients torch records: losses written as they stand in their papers."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from ..stack import HeadStack
from .lesson import Lesson, Taught, TrainingBatch

#: Tensors as large as the logits of a step that are alive at once, at most, with its gradients.
LOGITS_HELD = 8


class RecordedLesson(Lesson):
    """A lesson that says its losses, (H,), with what it takes from student and teacher.

    Heads are independent: each gets the gradient of its own loss. All logits of a batch are held,
    about `LOGITS_HELD` times; use it where rows x K of all heads fit.
    """

    @abstractmethod
    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """Losses, (H,), and logits or log probabilities of the batch, (H, rows, K).

        Args:
            student: tensors that record what is computed with them.
            teacher: tensors that do not.
            batch: rows.
        """

    @torch.enable_grad()
    def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
        """As `Lesson.teach`."""
        own = {name: tensor.detach().requires_grad_() for name, tensor in student.items()}
        losses, logits = self.losses(own, teacher, batch)
        found = torch.autograd.grad(losses.sum(), list(own.values()), allow_unused=True)
        logits = logits.detach()
        return Taught(
            losses=losses.detach(),
            gradients=dict(zip(own, found, strict=True)),
            mass=logits.softmax(dim=2).sum(dim=1),
            best=logits.argmax(dim=2),
        )


def views(of_rows: Tensor) -> tuple[Tensor, Tensor]:
    """(H, 2 * pairs, K) of a batch in pairs -> of the anchors and of their partners."""
    pairs = of_rows.shape[1] // 2
    return of_rows[:, :pairs], of_rows[:, pairs:]


def recorded_bytes(n_heads: int, rows: int, n_clusters: int) -> float:
    """What a step holds of logits, in float32."""
    return 4.0 * LOGITS_HELD * n_heads * rows * n_clusters
