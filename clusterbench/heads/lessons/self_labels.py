"""Self-labelling: what a head is sure of teaches it the neighbours of the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..stack import HeadStack, assign, logits, n_clusters_of, select_head
from .lesson import TrainingBatch
from .recorded import RecordedLesson, views

if TYPE_CHECKING:
    from ..training_rows import TrainingRows

#: Mini-clusters that a cluster counts as having at least (MiniClustering, ICLR 2026).
_FEWEST = 0.5


class SelfLabels(RecordedLesson):
    """SCAN's third step (Van Gansbeke et al., ECCV 2020, arXiv:2005.12320, section 2.3).

    With q the teacher's probabilities, y_i = argmax_c q_i(c), n(i) a neighbour of row i and S the
    rows of the batch with max_c q_i(c) > threshold,

        L = sum_{i in S} w(y_i) * -log p_n(i)(y_i) / sum_{i in S} w(y_i)

    The paper shows the network another augmentation of the image; of features there is none, so a
    neighbour is the other view. Weights by `weighting`:

    - "none": w = 1.
    - "inverse": w(c) = 1 / number of rows of S with y_i = c, as in SCAN.
    - "mini-clusters": w(c) = M / max(1/2, number of the M mini-clusters of which more than 0.3
      falls into c), with the teacher's clusters of all rows as an epoch begins.

    Before that, for `warm_epochs`, L = mean_i -log p_i(given_i). A batch in which a head is sure of
    no row is taught like that, too.

    Args:
        given: (n,) int64 on the CPU, the clusters that rows have to begin with.
        threshold: of the confidence.
        weighting: of clusters.
        warm_epochs: before the head labels rows itself.
        minis: (n,) int64 on the CPU in [0, M), the mini-cluster of each row, where they weigh.
    """

    def __init__(
        self,
        given: Tensor,
        threshold: float,
        weighting: str = "inverse",
        warm_epochs: int = 0,
        minis: Tensor | None = None,
    ) -> None:
        self._given, self.threshold = given, threshold
        self._weighting, self._warm = weighting, warm_epochs
        self._minis = minis
        self._state: dict[str, Tensor] = {}

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`: nothing has been counted."""
        like = next(iter(student.values()))
        counts = torch.zeros(len(like), dtype=torch.int64, device=like.device)
        self._state = {"confident": counts, "unsure": counts.clone()}
        if self._weighting == "mini-clusters":
            self._state["weights"] = like.new_ones((len(like), n_clusters_of(student)))

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`, by head.

        confident: (H,) int64, rows of the epoch that were. unsure: (H,) int64, batches of all
        epochs without one. weights: (H, K), of clusters, where mini-clusters weigh.
        """
        return self._state

    def before_epoch(
        self, epoch: int, student: HeadStack, teacher: HeadStack, rows: TrainingRows
    ) -> None:
        """As `Lesson.before_epoch`: count the mini-clusters in each cluster."""
        self._state["confident"].zero_()
        if "weights" not in self._state or epoch < self._warm:
            return
        assert self._minis is not None  # or nothing could weigh
        n_clusters = n_clusters_of(teacher)
        for h, weights in enumerate(self._state["weights"]):
            head = select_head(teacher, h)
            found = torch.cat([assign(head, block).cpu() for _, block in rows.blocks()])
            weights.copy_(mini_cluster_weights(found, self._minis, n_clusters))

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`."""
        of_rows = logits(student, batch.x)
        anchors, partners = views(of_rows)
        if batch.epoch < self._warm:
            return self._by_given(anchors, batch), of_rows
        with torch.no_grad():
            certainty, own = logits(teacher, batch.x[: batch.n_pairs]).softmax(dim=2).max(dim=2)
            sure = certainty > self.threshold
            weights = self._weights(own, sure.to(of_rows.dtype), of_rows.shape[2])
            none = ~sure.any(dim=1)
            self._state["confident"] += sure.sum(dim=1)
            self._state["unsure"] += none
        found = (weights * _cross_entropy(partners, own)).sum(dim=1)
        found = found / weights.sum(dim=1).clamp_min(torch.finfo(weights.dtype).tiny)
        if none.any():
            found = torch.where(none, self._by_given(anchors, batch), found)
        return found, of_rows

    def _by_given(self, anchors: Tensor, batch: TrainingBatch) -> Tensor:
        given = self._given[batch.anchors].to(anchors.device)
        return _cross_entropy(anchors, given.expand(len(anchors), -1)).mean(dim=1)

    def _weights(self, own: Tensor, counted: Tensor, n_clusters: int) -> Tensor:
        """Of rows by the heads' clusters of them; counted: 1 where a head is sure: (H, rows)."""
        if self._weighting == "none":
            return counted
        if self._weighting == "mini-clusters":
            return counted * self._state["weights"].gather(1, own)
        sizes = counted.new_zeros((len(own), n_clusters)).scatter_add_(1, own, counted)
        return counted / sizes.gather(1, own).clamp_min(1.0)


def mini_cluster_weights(clusters: Tensor, minis: Tensor, n_clusters: int) -> Tensor:
    """M / max(1/2, mini-clusters of which more than 0.3 falls into a cluster): (n_clusters,).

    A cluster of many rows has many of them and weighs little, however its rows are confused.

    Args:
        clusters: (n,) int64 in [0, n_clusters).
        minis: (n,) int64 in [0, M).
        n_clusters: K.
    """
    sizes = torch.bincount(minis)
    both, rows = torch.unique(minis * n_clusters + clusters, return_counts=True)
    fall = 10 * rows > 3 * sizes[both // n_clusters]
    counts = torch.bincount(both[fall] % n_clusters, minlength=n_clusters)
    return len(sizes) / counts.clamp_min(_FEWEST)


def _cross_entropy(of_rows: Tensor, clusters: Tensor) -> Tensor:
    """(H, rows, K) logits and (H, rows) clusters -> (H, rows)."""
    said = of_rows.gather(2, clusters.unsqueeze(2)).squeeze(2)
    return torch.logsumexp(of_rows, dim=2) - said
