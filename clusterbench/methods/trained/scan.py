"""SCAN: semantic clustering by adopting nearest neighbours, on frozen features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...cost import Cost
from ...estimator import whole_number
from ...files import sha256_array, sha256_json
from ...heads.schedule import Schedule
from ...neighbours.kept import rows_hash
from ...progress import Progress
from .deep import DeepClusterer
from .self_labelling import outcome

if TYPE_CHECKING:
    from ...heads.lessons.lesson import Lesson
    from ...heads.one_of_many import OneOfMany
    from .head_input import HeadInput

#: Confidence above which a row teaches in the paper's third step.
_THRESHOLD = 0.99


class SCAN(DeepClusterer):
    """SCAN on frozen features (Van Gansbeke et al., ECCV 2020, arXiv:2005.12320).

    An anchor and one of its nearest neighbours should get the same cluster, and the mean
    assignment of a batch should have high entropy:

        L = -mean_i log <p_i, p_n(i)> - alpha H(mean_i p_i)            (eq. 2)

    Both sides go through one network, without a teacher. The paper's head is linear; `depth` puts
    layers below it. Of `n_heads` independent heads the one that `select` takes predicts.
    The paper augments images and trains the encoder along; here features are fixed. SCANv2, the
    variant with TEMI's heads and teacher, is `SCANv2`.

    That is the paper's second step. With `self_labelling` epochs the chosen head goes on with the
    third: its own confident clusters teach it (see `SelfLabelling`), at the threshold 0.99 and with
    weights of clusters inverse to their confident rows in a batch.

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
        depth: layers below the last one, each with a GELU after it; 0 in the paper.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.
        select: what chooses among the heads, as of `TEMI`.
        self_labelling: epochs of the third step; 0 for none. A `log` is of its epochs then.

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
        select: str = "consistency",
        self_labelling: int = 0,
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.alpha: float
        self.self_labelling = whole_number("self_labelling", self_labelling)

    @property
    def shares_fit(self) -> bool:
        """As `DeepClusterer.shares_fit`; the third step has one head."""
        return not self.self_labelling and super().shares_fit

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """As `DeepClusterer.cost`, and the epochs of one head in the third step."""
        found, epochs = super().cost(n_train, n_eval, dim), self.self_labelling
        if not epochs:
            return found
        settings = {**self.get_params(), "n_heads": 1, "self_labelling": 0}
        less, more = (
            SCAN(**{**settings, "epochs": n}).cost(n_train, n_eval, dim)
            for n in (epochs, 2 * epochs)
        )
        return found + Cost(more.flops - less.flops, more.moved - less.moved)

    def _train(self, X: Any, progress: Progress, mates: OneOfMany | None = None) -> np.ndarray:
        total = self.epochs + self.self_labelling
        return super()._train(X, lambda done, _: progress(done, total), mates)

    def _go_on(
        self, labels: np.ndarray, seen: HeadInput, table: np.ndarray, progress: Progress
    ) -> np.ndarray:
        """The third step."""
        if not self.self_labelling:
            return labels
        import torch

        from ...heads.lessons.self_labels import SelfLabels
        from ...heads.stack import assign
        from ...heads.trainer import train_heads
        from ...heads.training_state import TrainingFolder

        schedule = Schedule(**{name: getattr(self, name) for name in self._SCHEDULE})
        checkpoint = getattr(self, "_files", (None,))[0]
        keeper = None
        if checkpoint is not None:
            of_heads = self._identity(rows_hash(seen.raw), seen.device.type, "float32")
            identity = sha256_json({"heads": of_heads, "labels": sha256_array(labels)})
            keeper = TrainingFolder(Path(checkpoint) / "self-labelling", identity)
        lesson = SelfLabels(torch.from_numpy(labels), _THRESHOLD)
        batch = min(self.batch_size, len(labels))
        trained = train_heads(
            seen.training_rows(table),
            self.n_clusters,
            lesson,
            replace(schedule, n_heads=1, epochs=self.self_labelling),
            self.random_state,
            lambda done, total: progress(self.epochs + done, self.epochs + total),
            start=lambda: self._head,
            keeper=keeper,
        )
        self._head = trained.teacher
        found = torch.cat([assign(self._head, block).cpu() for _, block in seen.blocks()]).numpy()
        said = outcome(lesson, labels, found, batch, self.self_labelling)
        self.diagnostics_["self_labelling"] = {**said, "loss_by_epoch": trained.history_of(0)}
        return found

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        from ...heads.lessons.pair_consistency import PairConsistency

        return PairConsistency(self.alpha)

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.recorded import recorded_bytes

        return recorded_bytes(n_heads, 2 * min(self.batch_size, n), self.n_clusters)
