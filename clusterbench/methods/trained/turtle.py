"""TURTLE: the labelling that linear classifiers of large margin agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...cost import Cost
from ...errors import InputError
from ..scaling import Scaler
from .deep import DeepClusterer

if TYPE_CHECKING:
    import numpy as np

    from ...heads.lessons.lesson import Lesson

#: Rows in a batch for each cluster, at least.
_ROWS_PER_CLUSTER = 2
#: Numbers moved in an inner step: for each logit, for each weight, and what its calls cost.
_LOGITS, _WEIGHTS, _CALLS = 30.0, 14.0, 1.5e6


class TURTLE(DeepClusterer):
    """TURTLE on frozen features (Gadetsky, Jiang and Brbic, ICML 2024, arXiv:2406.07236).

    The labels of a batch are the mean over one or several feature spaces of the softmax of a
    weight-normalised linear layer. An outer step fits fresh linear classifiers to the labels, a
    few Adam steps in each space, and then changes the labels towards what these classifiers say,
    with an entropy that keeps clusters in use; see `heads.lessons.max_margin.MaxMargin` for the
    equations. Labels which are learned in few steps are those of a large margin. Neither
    neighbours nor a teacher are needed.

    Of several encoders give `np.hstack` of their features and their widths as `spaces`. Each
    space is scaled by itself, and has its own layer and classifiers; "whiten" is for one space.
    A head of one space is saved, loaded and exported like any; one of several is not exported.

    The entropy asks for clusters of equal size, and with the paper's gamma it is far above what the
    classifiers' loss can weigh against it (at most log K): clusters of very unequal sizes are cut.
    Of ten well separated ones of 10 to 300 rows it finds an AMI near .77, and near .9 with gamma
    of 0.5 to 1, which may leave clusters empty (docs/methods/turtle.md).

    The entropy of a batch's mean is at most log(batch_size), so a batch has to be several times
    K; fewer than 2 K rows are refused. Batches are drawn by whole passes over the samples, without
    replacement, so that `steps` is rounded up to a multiple of n_samples // batch_size.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and classifiers.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        n_heads: independent labellings, of which the one that `select` takes predicts; the paper
            trains one.
        steps: outer steps.
        batch_size: samples per step, at most n_samples.
        learning_rate: of the outer Adam.
        inner_steps: Adam steps of the classifiers in an outer step.
        inner_learning_rate: of these.
        warm_start: whether classifiers go on from the outer step before; else they start anew.
        gamma: weight of the entropy of each space's mean assignment.
        spaces: widths of the blocks of columns that are a space each, of sum X.shape[1]; () for
            one space of all. A text such as "384,768" is read so.
        scaling: of the input, per space: "standardize", "l2", "none", or of one space
            "whiten(M, POWER)".
        select: what chooses among the heads, as of `TEMI`; the paper's rule is "linear".

    Raises:
        InputError: a setting of another type or range.

    Examples:
        Three separated groups of 60 samples, in two spaces:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import TURTLE
        >>> y = np.repeat([0, 1, 2], 60)
        >>> rng = np.random.default_rng(0)
        >>> first = np.eye(3, 8)[y] + 0.1 * rng.normal(size=(180, 8))
        >>> second = 50 * np.eye(3, 5)[y] + 5 * rng.normal(size=(180, 5))
        >>> training = dict(steps=100, learning_rate=0.03, inner_learning_rate=0.03)
        >>> turtle = TURTLE(n_clusters=3, device="cpu", spaces=(8, 5), **training)
        >>> score(y, turtle.fit_predict(np.hstack([first, second]))).acc
        1.0
    """

    name: ClassVar[str] = "turtle"
    label: ClassVar[str] = "TURTLE"
    version: ClassVar[int] = 1
    _halves = False
    _uses_neighbors = False
    last = "spaces"

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        n_heads: int = 1,
        steps: int = 6000,
        batch_size: int = 10_000,
        learning_rate: float = 1e-3,
        inner_steps: int = 10,
        inner_learning_rate: float = 1e-3,
        warm_start: bool = False,
        gamma: float = 10.0,
        spaces: tuple[int, ...] = (),
        scaling: str = "standardize",
        select: str = "consistency",
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        Scaler(self.scaling, self.spaces)
        self.steps: int
        self.inner_steps: int
        self.inner_learning_rate: float
        self.warm_start: bool
        self.gamma: float

    def _epochs(self, n: int) -> int:
        return -(-self.steps // (n // min(self.batch_size, n)))

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        from ...heads.lessons.max_margin import MaxMargin

        return MaxMargin(
            self.gamma,
            self.inner_steps,
            self.inner_learning_rate,
            self.warm_start,
            self.random_state,
        )

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.max_margin import max_margin_bytes

        rows, n_spaces = min(self.batch_size, n), max(1, len(self.spaces))
        return max_margin_bytes(n_heads, rows, self.n_clusters, n_spaces, self.n_features_in_)

    def _check(self, n: int) -> None:
        self._check_spaces(self.n_features_in_)
        wanted = _ROWS_PER_CLUSTER * self.n_clusters
        if n < wanted:
            raise InputError(
                f"n_samples={n}: turtle with n_clusters={self.n_clusters} needs at least {wanted} "
                "samples, since a batch has to hold several of each cluster; take fewer clusters"
            )
        if self.batch_size < wanted:
            raise InputError(
                f"batch_size={self.batch_size}: turtle with n_clusters={self.n_clusters} needs at "
                f"least {wanted}, and better several times more"
            )

    def _check_spaces(self, dim: int) -> None:
        if self.spaces and sum(self.spaces) != dim:
            raise InputError(
                f"spaces={self.spaces} add up to {sum(self.spaces):,}, and X has {dim:,} "
                "dimensions; name the width of each encoder's features, in the order of np.hstack"
            )

    def _shapes(self, dim: int) -> dict[str, tuple[tuple[int, ...], str]]:
        self._check_spaces(dim)
        return super()._shapes(dim)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """The outer steps with their inner ones, and the clusters of all rows by all heads."""
        rows = min(self.batch_size, n_train)
        scaler = Scaler(self.scaling, self.spaces)
        weights, n_spaces = scaler.width(dim) * self.n_clusters, max(1, len(self.spaces))
        steps = self._epochs(n_train) * (n_train // rows)
        # Labels forward and backward, classifiers as often as they step, and once more forward.
        products = 2.0 * rows * weights * (3 + 2 * self.inner_steps)
        logits = rows * self.n_clusters * n_spaces
        moved = _LOGITS * logits * (self.inner_steps + 2) + _WEIGHTS * weights * self.inner_steps
        calls = _CALLS * n_spaces * (self.inner_steps + 2)
        assigned = 2.0 * (self.n_heads * n_train + n_eval) * weights
        return Cost(
            steps * self.n_heads * products + assigned, steps * (self.n_heads * moved + calls)
        ) + scaler.cost(n_train, n_eval, dim)
