"""SwAV's lesson: each row predicts the cluster that a balanced plan gives its neighbour."""

from __future__ import annotations

import torch
from torch import Tensor

from ..stack import HeadStack, logits, n_clusters_of
from ..transport.kernel_sums import kernel_bytes
from ..transport.sinkhorn_scaling import sinkhorn, uniform
from .lesson import TrainingBatch
from .recorded import RecordedLesson, recorded_bytes, views


class SwappedCodes(RecordedLesson):
    """SwAV's loss (Caron et al., NeurIPS 2020, arXiv:2006.09882), of neighbours as the two views.

        Q = Sinkhorn(scores / epsilon): rows of equal mass, clusters of equal mass     (eq. 3)
        L = -1/2 mean_i [sum_c q_i(c) log p_n(i)(c) + sum_c q_n(i)(c) log p_i(c)]      (eq. 2)

    with p the softmax of scores over the temperature and q the rows of n Q. The plans of the two
    views are made apart, each together with the latest scores of its view in a queue. Scores are
    those of the student; the gain of a cosine head stays as it is.

    Args:
        epsilon: weight of the plan's entropy.
        iterations: of Sinkhorn.
        temperature: of p.
        queue: latest scores of each view that are kept, a multiple of the batch's pairs.
    """

    def __init__(self, epsilon: float, iterations: int, temperature: float, queue: int) -> None:
        self._epsilon, self._iterations = epsilon, iterations
        self._temperature, self._length = temperature, queue
        self._queue = torch.empty(0)

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`: nothing is queued."""
        like = next(iter(student.values()))
        self._queue = like.new_zeros((len(like), 2, self._length, n_clusters_of(student)))

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`."""
        return {"queue": self._queue} if self._length else {}

    def losses(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch
    ) -> tuple[Tensor, Tensor]:
        """As `RecordedLesson.losses`."""
        scores = logits(without_gain(student), batch.x)
        given = [self._codes(view.detach(), v, batch) for v, view in enumerate(views(scores))]
        said = views(torch.log_softmax(scores / self._temperature, dim=2))
        crossed = [
            (q * p).sum(dim=2).mean(dim=1) for q, p in zip(given, reversed(said), strict=True)
        ]
        return -0.5 * (crossed[0] + crossed[1]), scores / self._temperature

    @torch.no_grad()
    def _codes(self, scores: Tensor, view: int, batch: TrainingBatch) -> Tensor:
        """q of (H, pairs, K) scores of a view, which join its queue."""
        pairs, before = batch.n_pairs, batch.at * batch.n_pairs
        known = torch.cat([scores, self._queue[:, view, : min(before, self._length)]], dim=1)
        known = known / self._epsilon
        masses = uniform(known.shape[1], known), uniform(known.shape[2], known)
        plan = sinkhorn(known, *masses, self._iterations).log_plan(known[:, :pairs])
        if self._length:
            at = before % self._length
            self._queue[:, view, at : at + pairs] = scores
        return (plan - masses[0][0].log()).exp().to(scores.dtype)


def without_gain(student: HeadStack) -> HeadStack:
    """The heads, of which a cosine's gain gets no gradient and thus rests."""
    return {name: t.detach() if name == "gain" else t for name, t in student.items()}


def codes_bytes(n_heads: int, pairs: int, queue: int, n_clusters: int, device: str) -> float:
    """What a step holds, in float32 and double precision, and the queue of both views."""
    known = n_heads * (pairs + queue) * n_clusters
    blocks = 3 * 8.0 * n_heads * max(1 << 20, n_clusters)
    blocks = max(blocks, kernel_bytes(known, device))
    return recorded_bytes(n_heads, 2 * pairs, n_clusters) + 4.0 * 3 * known + blocks
