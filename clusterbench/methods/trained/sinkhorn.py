"""Clusters of equal size by optimal transport, as SwAV and SeLa teach them, on frozen features."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from ...cost import Cost, check_memory
from ...devices import resolve_device
from ...errors import InputError
from .deep import DeepClusterer
from .head_input import free_bytes

if TYPE_CHECKING:
    import numpy as np

    from ...heads.lessons.lesson import Lesson

#: Scores of a plan of a batch: this many of a cluster at least, on average, and with queue="auto".
_LEAST, _WANTED = 3, 4


class Sinkhorn(DeepClusterer):
    """Equipartitioned pseudo-labels of frozen features, in batches as SwAV or of all rows as SeLa.

    Pseudo-labels come from a plan in which every row has the same mass and every cluster too: the
    head cannot collapse, and finds clusters of nearly equal size whatever those of the data are.
    On ten separated Gaussians of 10 to 300 rows it cuts the large ones: AMI .82 in batches, .78 of
    all rows, where equal sizes give 1.00 and .99 (docs/methods/sinkhorn.md).

    The two views of an image are a row and one of its neighbours.

    assignment="batch" is SwAV (Caron et al., NeurIPS 2020, arXiv:2006.09882): the plan of a batch
    from exp(scores / epsilon), with soft codes q, and each view learns the other's:

        L = -1/2 mean_i [sum_c q_i(c) log p_n(i)(c) + sum_c q_n(i)(c) log p_i(c)]

    assignment="full" is SeLa (Asano et al., ICLR 2020, arXiv:1911.05371): the plan of all rows from
    P^power, every `every` epochs, with hard labels that a row and its neighbour learn. It holds
    n_samples * n_clusters numbers in float32 and is refused where they do not fit.

    Of `n_heads` independent heads the one that `select` takes predicts.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        assignment: "batch" or "full".
        n_heads: independent heads.
        epochs: passes over the samples.
        batch_size: pairs per step, at most n_samples.
        n_neighbors: nearest neighbours (cosine, the sample excluded) a partner is drawn from.
        iterations: of Sinkhorn's scaling; 3 in SwAV. With "full" at most so many: SeLa goes on to
            convergence, which takes some tens.
        epsilon: of "batch", the entropy's weight; 0.05 in SwAV.
        queue: of "batch", latest scores of each view that join its plan: a number, rounded up to
            whole batches, or "auto" for what makes 4 for each cluster. Batch and queue need 3.
        power: of "full", lambda in the paper; 25 there.
        every: of "full", epochs from one plan to the next.
        learning_rate: of AdamW.
        weight_decay: of AdamW, on weights.
        decay: "constant", "cosine" (to zero), or "halving" (after each third of the epochs).
        student_temperature: of the head's softmax; 0.1 in SwAV, 1 in SeLa.
        scaling: of the head's input: "standardize", "l2", "none" or "whiten(M, POWER)".
        last: "cosine", prototypes of unit length as in SwAV, or "linear" as in SeLa.
        depth: layers below the last one.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.
        select: what chooses among the heads, as of `TEMI`.

    Raises:
        InputError: a setting of another type or range; batch and queue too small for K.

    Examples:
        Three separated groups of 60 samples; so few need a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import Sinkhorn
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> training = dict(n_heads=2, epochs=15, batch_size=60, learning_rate=0.05)
        >>> sinkhorn = Sinkhorn(n_clusters=3, device="cpu", n_neighbors=10, **training)
        >>> score(y, sinkhorn.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "sinkhorn"
    label: ClassVar[str] = "Sinkhorn"
    version: ClassVar[int] = 1
    _halves = False
    _LARGE = "queue or batch_size"

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        assignment: str = "batch",
        n_heads: int = 1,
        epochs: int = 50,
        batch_size: int = 1024,
        n_neighbors: int = 20,
        iterations: int = 3,
        epsilon: float = 0.05,
        queue: int | str = "auto",
        power: float = 25.0,
        every: int = 2,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-6,
        decay: str = "cosine",
        student_temperature: float = 0.1,
        scaling: str = "l2",
        last: str = "cosine",
        depth: int = 0,
        hidden: int = 512,
        bottleneck: int = 256,
        select: str = "consistency",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.assignment: str
        self.iterations: int
        self.epsilon: float
        self.queue: int | str
        self.power: float
        self.every: int

    @property
    def teacher_temperature(self) -> float:  # type: ignore[override]
        """Of `predict_proba`: that of the training."""
        return self.student_temperature

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """As `DeepClusterer.cost`, with the plans."""
        batch = min(self.batch_size, n_train)
        if self.assignment == "batch":
            rows = 2 * (batch + self._queued(n_train)) * (n_train // batch) * self.epochs
            passes = 0.0
        else:
            rows = n_train * math.ceil(self.epochs / self.every)
            passes = 2.0 * rows * sum(self._of_layers(dim))
        # Two exponentials of each number in an iteration, in double precision.
        plans = 16.0 * rows * self.n_clusters * self.iterations * self.n_heads
        return super().cost(n_train, n_eval, dim) + Cost(passes * self.n_heads, plans)

    def _of_layers(self, dim: int) -> list[int]:
        widths = [*self._widths(dim), self.n_clusters]
        return [before * after for before, after in pairwise(widths)]

    def _queued(self, n: int) -> int:
        """Scores of each view in the queue."""
        batch = min(self.batch_size, n)
        wanted = self.queue
        if isinstance(wanted, str):
            wanted = max(0, _WANTED * self.n_clusters - batch)
        return math.ceil(wanted / batch) * batch

    def _check(self, n: int) -> None:
        if self.assignment == "full":
            check_memory(
                4.0 * n * self.n_clusters,
                f"{self.name}: scores of {n:,} rows for K = {self.n_clusters:,} in one plan",
                "take assignment='batch'",
                free_bytes(resolve_device(self.device)),
            )
        batch, least = min(self.batch_size, n), _LEAST * self.n_clusters
        found = batch + self._queued(n)
        if self.assignment == "batch" and found < least:
            raise InputError(
                f"{self.name}: plans of batch_size={batch:,} and queue={self.queue} rows for "
                f"n_clusters={self.n_clusters:,} should have {least:,} rows together or more, "
                f"{_LEAST} for each cluster; take queue={least - batch}"
                + (", or a larger batch_size" if batch < n else "")
            )

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        if self.assignment == "batch":
            from ...heads.lessons.swapped_codes import SwappedCodes

            return SwappedCodes(
                self.epsilon, self.iterations, self.student_temperature,
                self._queued(len(neighbors)),
            )  # fmt: skip
        from ...heads.lessons.full_assignment import FullAssignment

        return FullAssignment(self.power, self.iterations, self.student_temperature, self.every)

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        batch, kind = min(self.batch_size, n), resolve_device(self.device).type
        if self.assignment == "batch":
            from ...heads.lessons.swapped_codes import codes_bytes

            return codes_bytes(n_heads, batch, self._queued(n), self.n_clusters, kind)
        from ...heads.lessons.full_assignment import assignment_bytes

        return assignment_bytes(n, n_heads, batch, self.n_clusters, kind)
