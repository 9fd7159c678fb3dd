"""SCANv2: SCAN's loss with TEMI's heads and moving-average teacher, on precomputed features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .deep import DeepClusterer

if TYPE_CHECKING:
    import numpy as np

    from ...heads.losses.objectives import Objective


class SCANv2(DeepClusterer):
    """The variant of SCAN of arXiv:2406.01203 (loss: Van Gansbeke et al., ECCV 2020).

    An anchor and one of its nearest neighbours should get the same cluster, and the mean
    assignment of a batch should have high entropy. Heads, teacher and optimiser are TEMI's; there
    is no marginal, no exponent, no pair weight, and no self-labelling stage.

    All settings but `alpha` are those of `TEMI`.

    Args:
        n_clusters: K.
        random_state: seed of weights, batches and pairs.
        alpha: weight of the entropy term; 5 in all of SCAN's published settings.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        Three separated groups of 60 samples; so few need small heads and a high learning rate:

        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import SCANv2
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> size = dict(n_heads=2, hidden=32, bottleneck=16, n_neighbors=10)
        >>> training = dict(epochs=15, batch_size=60, learning_rate=0.01, momentum=0.9)
        >>> scan = SCANv2(n_clusters=3, device="cpu", warmup_epochs=2, **size, **training)
        >>> score(y, scan.fit_predict(X)).acc
        1.0
    """

    name: ClassVar[str] = "scanv2"
    label: ClassVar[str] = "SCANv2"
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
        alpha: float = 5.0,
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
        self.alpha: float

    def _lesson(self, neighbors: np.ndarray) -> Objective:
        from ...heads.losses.objectives import ScanObjective

        return ScanObjective(self.alpha)
