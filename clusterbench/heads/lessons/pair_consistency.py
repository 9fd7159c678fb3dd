"""SCAN's lesson: an anchor and its neighbour get the same cluster, and clusters are all used."""

from __future__ import annotations

import torch
from torch import Tensor

from ..stack import HeadStack, logits
from .lesson import TrainingBatch
from .recorded import RecordedLesson, views


class PairConsistency(RecordedLesson):
    """SCAN's loss (Van Gansbeke et al., ECCV 2020, arXiv:2005.12320, eq. 2).

        L = -mean_i log sum_c p_i(c) p_n(i)(c) + weight * sum_c pbar(c) log pbar(c)

    with p the softmax of the logits of one network, for anchors i and their neighbours n(i) alike,
    and pbar the mean of p over the anchors of the batch.

    Args:
        entropy_weight: lambda of the paper.
    """

    def __init__(self, entropy_weight: float) -> None:
        self._weight = entropy_weight

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`: nothing is kept."""

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`."""
        of_rows = logits(student, batch.x)
        anchors, partners = views(torch.log_softmax(of_rows, dim=2))
        consistency = -torch.logsumexp(anchors + partners, dim=2).mean(dim=1)
        mean = anchors.exp().mean(dim=1)
        # 0 log 0 is 0; the clamp keeps its derivative log(p) + 1 finite there.
        entropy = -(mean * mean.clamp_min(torch.finfo(mean.dtype).tiny).log()).sum(dim=1)
        return consistency - self._weight * entropy, of_rows
