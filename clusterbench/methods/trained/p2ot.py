"""P2OT: progressive partial optimal transport for imbalanced clusters, on frozen features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from ...cost import Cost
from ...errors import InputError
from ...estimator import number, true_or_false
from .deep import DeepClusterer

if TYPE_CHECKING:
    import numpy as np

    from ...heads.lessons.lesson import Lesson

#: Rows that a transport has to have for each cluster.
_ROWS_PER_CLUSTER = 3
#: Rows that memory="auto" keeps at least.
_KEPT = 512
#: What a step moves for each number of its costs, in float32: about twenty iterations.
_MOVED = 150.0


class P2OT(DeepClusterer):
    """P2OT on frozen features (Zhang, Ren and He, ICLR 2024, arXiv:2401.09266).

    Pseudo-labels of a batch come from a transport of its rows, and of the logits of earlier rows,
    to K clusters. Unlike in balanced clustering, sizes are only pulled towards equal ones, and only
    a share rho of all mass is transported, that of the rows which cost least; rho grows from 0.1
    to 1. A head learns an anchor's pseudo-labels by its neighbour and the neighbour's by the
    anchor, each row weighing what of its mass was transported:

        L = -mean_i (<q_i, log p_n(i)> + <q_n(i), log p_i>) / 2

    with q_i of a sum of at most 1, and rho(t) = rho + (1 - rho) exp(-5 (1 - t)^2) at the share t of
    the training.

    Heads are cosines over a temperature of 0.1. Of `n_heads` independent heads the one that
    `select` takes predicts. The paper augments images and trains the encoder's last block
    along; here features are fixed and the two views are neighbours, transported in one problem.

    Memory: the logits of `memory` rows, 4 n_heads memory K bytes, and 32 bytes for each number of
    the costs of one head, refused before anything is computed where that is not there.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        n_heads: independent heads.
        epochs: passes over the samples.
        batch_size: pairs per step, at most n_samples.
        n_neighbors: nearest neighbours (cosine, the sample excluded) a partner is drawn from.
        learning_rate: of Adam.
        weight_decay: of AdamW, on weights.
        decay: "constant", "cosine" (to zero), or "halving" (after each third of the epochs).
        memory: rows of earlier batches in the transport. With the 2 batch_size rows of a batch
            there have to be 3 for each cluster; "auto" makes 4 of it, and keeps 512 at least.
        epsilon: strength of the transport's entropy.
        kl: strength of its pull towards equal sizes; 0 leaves them free, "equal" makes them equal.
        rho: share of the mass that is transported in the beginning, in (0, 1].
        progressive: whether that grows to 1; False keeps it.
        scaling: of the head's input: "standardize", "l2", "none" or "whiten(M, POWER)".
        depth: layers below the last one; 0 in the paper.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.
        select: what chooses among the heads, as of `TEMI`.

    Raises:
        InputError: a setting of another type or range; too few rows in a transport.

    Examples:
        Three separated groups of 60 samples; so few need a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import P2OT
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> training = dict(n_heads=2, epochs=15, batch_size=60, learning_rate=0.02, memory=120)
        >>> p2ot = P2OT(n_clusters=3, device="cpu", n_neighbors=10, **training)
        >>> score(y, p2ot.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "p2ot"
    label: ClassVar[str] = "P2OT"
    version: ClassVar[int] = 1
    last = "cosine"
    student_temperature = teacher_temperature = 0.1
    _halves = False
    _LARGE = "memory or batch_size"

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_heads: int = 10,
        epochs: int = 50,
        batch_size: int = 512,
        n_neighbors: int = 20,
        learning_rate: float = 5e-4,
        weight_decay: float = 0.0,
        decay: str = "cosine",
        memory: int | str = 5120,
        epsilon: float = 0.1,
        kl: Any = 1.0,
        rho: float = 0.1,
        progressive: bool = True,
        scaling: str = "l2",
        depth: int = 0,
        hidden: int = 512,
        bottleneck: int = 256,
        select: str = "consistency",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.memory: int | str
        self.epsilon = number("epsilon", epsilon, above=0.0)
        self.kl = _pull("kl", kl)
        self.rho = number("rho", rho, above=0.0, at_most=1.0)
        self.progressive = true_or_false("progressive", progressive)

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        from ...heads.lessons.progressive_transport import ProgressiveTransport

        kl = math.inf if isinstance(self.kl, str) else self.kl
        kept = self._kept(len(neighbors))
        return ProgressiveTransport(
            kept, self.epsilon, kl, self.rho, self.progressive, self.student_temperature
        )

    def _kept(self, n: int) -> int:
        """Rows of earlier batches in the transport, of a fit of n rows."""
        if isinstance(self.memory, int):
            return self.memory
        wanted = (_ROWS_PER_CLUSTER + 1) * self.n_clusters - 2 * min(self.batch_size, n)
        return max(wanted, _KEPT)

    def _check(self, n: int) -> None:
        rows, needed = 2 * min(self.batch_size, n), _ROWS_PER_CLUSTER * self.n_clusters
        kept = self._kept(n)
        if rows + kept < needed:
            raise InputError(
                f"memory={kept:,} and the {rows:,} rows of a batch are "
                f"{rows + kept:,} rows in a transport to K = {self.n_clusters:,} clusters, "
                f"which needs {_ROWS_PER_CLUSTER} for each; set memory to at least "
                f"{needed - rows:,}"
            )

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.progressive_transport import transport_bytes
        from ...heads.lessons.recorded import recorded_bytes

        rows = 2 * min(self.batch_size, n)
        return recorded_bytes(n_heads, rows, self.n_clusters) + transport_bytes(
            n_heads, self._kept(n), rows, self.n_clusters
        )

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """As `DeepClusterer.cost`, and the transports."""
        batch = min(self.batch_size, n_train)
        steps = self.epochs * (n_train // batch)
        rows = 2 * batch + min(self._kept(n_train), steps * batch)
        moved = _MOVED * steps * self.n_heads * rows * self.n_clusters
        return super().cost(n_train, n_eval, dim) + Cost(0.0, moved)


def _pull(name: str, value: Any) -> float | str:
    if isinstance(value, str):
        if value != "equal":
            raise InputError(f"{name}={value!r} should be a number >= 0 or 'equal'")
        return value
    return number(name, value, at_least=0.0)
