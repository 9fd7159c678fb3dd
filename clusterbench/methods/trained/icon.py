"""I-Con's clustering: a row's neighbours are the rows that its cluster names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...cost import Cost
from .deep import DeepClusterer
from .walks import walked_table, walked_width

if TYPE_CHECKING:
    import numpy as np

    from ...heads.lessons.lesson import Lesson


class ICon(DeepClusterer):
    """Debiased InfoNCE clustering on frozen features (Alshammari et al., ICLR 2025, I-Con).

    A row's neighbours say which rows are its companions, p(j|i); a head's clusters say it as well,
    q(j|i), the chance to come to row j by taking one of the row's cluster. The loss is the mean of
    KL(p || q) (arXiv:2504.16929), both mixed with the uniform distribution over the N rows of a
    batch, which forgives neighbours that are none:

        p(j|i) = (1 - a) [j is a neighbour of i] / n_i + a / N
        q(j|i) = (1 - a) sum_c p_i(c) p_j(c) / sum_l p_l(c) + a / N

    Neighbours are the nearest ones and those that a walk of `walks` steps reaches. The moving
    average of the head's weights predicts; of `n_heads` heads that which `select` takes.

    What differs from the paper: there are no augmented images. A batch is `batch_size` anchors with
    one neighbour each, at most twice as many rows, since rows drawn alone would hardly meet their
    neighbours; p is over the known neighbours among them.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        n_heads: independent heads; 1 in the paper.
        epochs: passes over the samples.
        batch_size: pairs per step, at most n_samples; memory grows with its square.
        n_neighbors: nearest neighbours (cosine, the sample excluded); 3 in the paper.
        walks: steps of a walk along them, up to which rows are neighbours; 1 in the paper, 2 with
            its largest encoder. The table has n_neighbors + ... + n_neighbors^walks columns.
        debias: a, above 0 and below 1; 0.6 to 0.8 in the paper.
        learning_rate: of Adam.
        weight_decay: of AdamW, on weights.
        decay: "constant", "cosine" (to zero), or "halving" (after each third of the epochs).
        momentum: of the moving average of weights.
        scaling: of the head's input: "standardize", "l2", "none" or "whiten(M, POWER)"; none in
            the paper.
        depth: layers below the last one, each with a GELU after it; 0 in the paper.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.
        select: what chooses among the heads, as of `TEMI`.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        Three separated groups of 60 samples; so few need a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import ICon
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> training = dict(epochs=30, batch_size=60, learning_rate=0.05, momentum=0.9)
        >>> icon = ICon(n_clusters=3, device="cpu", walks=2, n_heads=2, **training)
        >>> score(y, icon.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "icon"
    label: ClassVar[str] = "I-Con"
    version: ClassVar[int] = 1
    _halves = False
    _LARGE = "walks or batch_size"

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_heads: int = 1,
        epochs: int = 30,
        batch_size: int = 4096,
        n_neighbors: int = 3,
        walks: int = 1,
        debias: float = 0.6,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        decay: str = "halving",
        momentum: float = 0.99,
        scaling: str = "none",
        depth: int = 0,
        hidden: int = 512,
        bottleneck: int = 256,
        select: str = "consistency",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.walks: int
        self.debias: float

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """As `DeepClusterer.cost`, with the matrices of rows by rows of each step."""
        batch = min(self.batch_size, n_train)
        steps = self.epochs * (n_train // batch)
        pairs = 4.0 * batch * batch * self.n_heads * steps
        own = Cost(2.0 * 3 * pairs * self.n_clusters, 12.0 * pairs)
        return super().cost(n_train, n_eval, dim) + own

    def _partners(self, neighbors: np.ndarray) -> np.ndarray:
        return walked_table(neighbors, self.walks, self.random_state)

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        from ...heads.lessons.neighbour_contrast import NeighbourContrast

        return NeighbourContrast(neighbors, self.debias)

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.neighbour_contrast import contrast_bytes

        batch = contrast_bytes(n_heads, 2 * min(self.batch_size, n), self.n_clusters)
        # The table is held once more where the rows lie.
        return batch + 8.0 * n * walked_width(min(self.n_neighbors, n - 1), self.walks)
