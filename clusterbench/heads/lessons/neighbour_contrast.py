"""I-Con's lesson: a row's likely companions in its cluster are its known neighbours."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..stack import HeadStack, logits
from .lesson import TrainingBatch
from .recorded import RecordedLesson, recorded_bytes

#: Matrices of rows by rows that a head has in a step, with their gradients.
_MATRICES = 6


class NeighbourContrast(RecordedLesson):
    """I-Con's debiased clustering loss (Alshammari et al., ICLR 2025, arXiv:2504.16929).

        L = mean_i KL(p(.|i) || q(.|i))
        p(j|i) = (1 - a) [j is a known neighbour of i] / n_i + a / N
        q(j|i) = (1 - a) sum_c p_i(c) p_j(c) / sum_l p_l(c) + a / N

    over the N distinct rows of a batch, with p_i(c) the softmax of the logits and n_i the known
    neighbours of i among these rows. Rows without any, which only partners can be, are companions
    of others and no i.

    Args:
        neighbors: (n, m) int32, the rows that partners are drawn from; a row may name one twice.
        debias: a, in (0, 1).
    """

    def __init__(self, neighbors: np.ndarray, debias: float) -> None:
        self._neighbors, self._debias = neighbors, debias

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`: nothing is kept."""

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`, of the distinct rows of the batch."""
        first, source, target = self._known(batch)
        n, a = len(first), self._debias
        device = batch.x.device
        of_rows = logits(student, batch.x[torch.from_numpy(first).to(device)])
        p = torch.log_softmax(of_rows, dim=2)

        taught, number = np.unique(source, return_inverse=True)
        wanted = p.new_zeros((len(taught), n))
        at = torch.from_numpy(number).to(device), torch.from_numpy(target).to(device)
        wanted[at] = 1.0
        wanted = (1 - a) * wanted / wanted.sum(dim=1, keepdim=True) + a / n

        # A row's part of a cluster's size is a softmax over rows, safe where all of it is tiny.
        parts = torch.softmax(p, dim=1)
        of_taught = p[:, torch.from_numpy(taught).to(device)].exp()
        found = (1 - a) * torch.bmm(of_taught, parts.transpose(1, 2)) + a / n
        entropy = torch.xlogy(wanted, wanted).sum()
        crossed = (wanted * found.log()).sum(dim=(1, 2))
        return (entropy - crossed) / len(taught), of_rows

    def _known(self, batch: TrainingBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places of the distinct rows in the batch; neighbours among them, from and to which."""
        assert batch.drawn is not None  # batches are in pairs
        anchors = batch.anchors.numpy()
        partners = self._neighbors[anchors, batch.drawn.numpy()]
        rows, first = np.unique(np.concatenate([anchors, partners]), return_index=True)
        near = self._neighbors[rows]
        where = np.minimum(np.searchsorted(rows, near), len(rows) - 1)
        source, column = np.nonzero(rows[where] == near)
        return first, source, where[source, column]


def contrast_bytes(n_heads: int, rows: int, n_clusters: int) -> float:
    """What a step holds of a batch of so many rows, in float32."""
    return recorded_bytes(n_heads, rows, n_clusters) + 4.0 * _MATRICES * n_heads * rows * rows
