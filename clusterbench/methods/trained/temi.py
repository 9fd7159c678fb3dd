"""TEMI: self-distillation of clustering heads with pointwise mutual information."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...estimator import number, true_or_false
from .deep import DeepClusterer

if TYPE_CHECKING:
    import numpy as np

    from ...heads.losses.objectives import Objective


class TEMI(DeepClusterer):
    """TEMI (Adaloglou, Michels, Kalisch, Kollmann, BMVC 2023, arXiv:2303.17896).

    Heads on frozen features learn to give an anchor and one of its nearest neighbours the same
    cluster; the teacher is a moving average of the student. Of `n_heads` independent heads the
    one that `select` takes predicts. The other defaults are the published recipe; data sets of a
    few thousand samples need a higher learning rate (see the presets).

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        n_heads: H, trained on the same pairs.
        epochs: passes over the samples.
        batch_size: pairs per step, at most n_samples.
        n_neighbors: nearest neighbours (cosine, the sample excluded) a partner is drawn from.
        learning_rate: of AdamW, per 256 pairs: the rate used is learning_rate * batch / 256.
        warmup_epochs: linear warm-up of the learning rate, from 0.
        decay: of the learning rate after the warm-up: "constant", "cosine" (to zero), or "halving"
            (after each third of the epochs).
        weight_decay: of AdamW, on weights and gains, not on biases.
        momentum: of the teacher, in [0, 1].
        momentum_decay: "constant", or "cosine" from `momentum` to 1.
        student_temperature: of the student's softmax.
        teacher_temperature: of the teacher's softmax.
        beta: exponent of the pair probabilities; 0.5 < beta <= 1.
        marginal_momentum: of the running class marginal p(c), which starts at 1/K.
        weighting: weigh pairs by the heads' mean agreement of teacher and neighbour.
        scaling: of the heads' input: "standardize", "l2", "none" or "whiten(M, POWER)", as of
            `KMeans`.
        hidden: width of the layers below the last one, but the last of these.
        bottleneck: width of that one, which the last layer sees at unit length.
        depth: layers below the last one with a GELU between two, 2 in the paper; clusters of 1 are
            still bounded by planes, 0 makes a linear head, whose logits are
            cosines of the scaled features.
        precision: "float32"; "bf16", on a GPU, multiplies in bfloat16 and float16 with sums, losses
            and weights in float32; "auto" is bf16 on a GPU.
        start: "random", or "kmeans": the last layer starts at the means of k-means' clusters.
        mutual: draw partners from the neighbours that are so from both sides, where there are any.
        smooth_neighbors: mutual neighbours that each row is averaged with before; 0 for none.
        smooth_rounds: times that it is.
        select: what chooses among the heads without labels: "loss", the training loss, as in the
            paper; "consistency" looks at the clusters of at most 50,000 rows and ten of their
            neighbours, "calinski-harabasz" at those of the larger of 50,000 and 20 `n_clusters`
            rows, "agreement", "silhouette" or "linear" at those of all rows, which are held for it
            (`clusterbench.selection`).

    Raises:
        InputError: a setting of another type or range.

    Examples:
        Three separated groups of 60 samples; so few need small heads and a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import TEMI
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> size = dict(n_heads=2, hidden=32, bottleneck=16, n_neighbors=10)
        >>> training = dict(epochs=15, batch_size=60, learning_rate=0.01, momentum=0.9)
        >>> temi = TEMI(n_clusters=3, device="cpu", warmup_epochs=2, **size, **training)
        >>> score(y, temi.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "temi"
    label: ClassVar[str] = "TEMI"
    version: ClassVar[int] = 3
    last = "cosine"
    rate_per = 256

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_heads: int = 16,
        epochs: int = 100,
        batch_size: int = 1024,
        n_neighbors: int = 50,
        learning_rate: float = 1e-4,
        warmup_epochs: int = 20,
        decay: str = "constant",
        weight_decay: float = 1e-4,
        momentum: float = 0.996,
        momentum_decay: str = "constant",
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.1,
        beta: float = 0.6,
        marginal_momentum: float = 0.9,
        weighting: bool = True,
        scaling: str = "standardize",
        hidden: int = 512,
        bottleneck: int = 256,
        depth: int = 2,
        precision: str = "auto",
        start: str = "random",
        mutual: bool = False,
        smooth_neighbors: int = 0,
        smooth_rounds: int = 2,
        select: str = "consistency",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.beta = number("beta", beta, above=0.0, at_most=1.0)
        self.marginal_momentum: float
        self.weighting = true_or_false("weighting", weighting)

    def _lesson(self, neighbors: np.ndarray) -> Objective:
        from ...heads.losses.objectives import TemiObjective

        return TemiObjective(self.beta, self.marginal_momentum, self.weighting)
