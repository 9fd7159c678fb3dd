"""SCAN: semantic clustering by adopting nearest neighbours, on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .deep import DeepClusterer

if TYPE_CHECKING:
    import numpy as np

    from ...heads.lessons.lesson import Lesson


class SCAN(DeepClusterer):
    """SCAN's second step on frozen features (Van Gansbeke et al., ECCV 2020, arXiv:2005.12320).

    An anchor and one of its nearest neighbours should get the same cluster, and the mean
    assignment of a batch should have high entropy:

        L = -mean_i log <p_i, p_n(i)> - alpha H(mean_i p_i)            (eq. 2)

    Both sides go through one network, without a teacher. The paper's head is linear; `depth` puts
    layers below it. Of `n_heads` independent heads the one with the lowest training loss predicts.
    The paper augments images and trains the encoder along; here features are fixed. SCANv2, the
    variant with TEMI's heads and teacher, is `SCANv2`.

    The entropy of a batch's mean is at most log(batch_size): the batch has to be several times K.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        n_heads: independent heads; 10 on ImageNet in the paper.
        epochs: passes over the samples.
        batch_size: pairs per step, at most n_samples.
        n_neighbors: nearest neighbours (cosine, the sample excluded) a partner is drawn from; 20 in
            the paper, 50 on ImageNet.
        learning_rate: of Adam.
        weight_decay: of AdamW, on weights.
        decay: "constant", "cosine" (to zero), or "halving" (after each third of the epochs).
        alpha: weight of the entropy, lambda in the paper; 5 in all of its published settings.
        scaling: of the head's input: "standardize", "l2", "none" or "whiten(M, POWER)".
        depth: layers below the last one; 0 in the paper.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.
        select: what chooses among the heads, as of `TEMI`.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        Three separated groups of 60 samples; so few need a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import SCAN
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> training = dict(n_heads=2, epochs=15, batch_size=60, learning_rate=0.01)
        >>> scan = SCAN(n_clusters=3, device="cpu", n_neighbors=10, **training)
        >>> score(y, scan.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "scan"
    label: ClassVar[str] = "SCAN"
    #: Versions up to 3 are those of SCANv2, which had its name.
    version: ClassVar[int] = 4
    _halves = False

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_heads: int = 10,
        epochs: int = 50,
        batch_size: int = 1024,
        n_neighbors: int = 20,
        learning_rate: float = 1e-4,
        weight_decay: float = 1e-4,
        decay: str = "constant",
        alpha: float = 5.0,
        scaling: str = "standardize",
        depth: int = 0,
        hidden: int = 512,
        bottleneck: int = 256,
        select: str = "loss",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.alpha: float

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        from ...heads.lessons.pair_consistency import PairConsistency

        return PairConsistency(self.alpha)

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.recorded import recorded_bytes

        return recorded_bytes(n_heads, 2 * min(self.batch_size, n), self.n_clusters)
