"""Self-labelling: a head that is taught by the clusters of another method, then by its own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ...catalog import unknown_name
from ...cost import Cost
from ...errors import CheckpointError, InputError
from ...estimator import RESERVED, number, positive_int, whole_number
from ...files import sha256_array, sha256_json
from ...progress import Progress
from ..by_name import METHODS
from ..kmeans import KMeans
from .deep import DeepClusterer
from .head_settings import one_of

if TYPE_CHECKING:
    from ...heads.lessons.lesson import Lesson
    from ...heads.lessons.self_labels import SelfLabels
    from ...heads.one_of_many import OneOfMany
    from ..clusterer import Clusterer

_WEIGHTINGS = ("none", "inverse", "mini-clusters")


class SelfLabelling(DeepClusterer):
    """A second stage after any method: SCAN's third step (arXiv:2005.12320) on frozen features.

    1. `base` clusters the rows.
    2. A head learns these clusters for `warm_epochs`, by cross-entropy.
    3. For the other epochs rows of which the teacher is surer than `threshold` teach the head
       their likeliest cluster, seen on one of their nearest neighbours:

        L = sum_i w(y_i) * -log p_n(i)(y_i) / sum_i w(y_i)    over i with max_c q_i(c) > threshold

    with q the teacher's probabilities, y_i its likeliest cluster and p the head's. The paper shows
    the network a strongly augmented image there; cached features have no augmentation, and a
    neighbour is the other view. A batch in which no row is sure teaches the clusters of the base;
    if all are like that, a warning says so, and these clusters stay. Cluster c is the base's
    cluster c.

    Weights w(c) of clusters, by `weighting`: "none"; "inverse", one over the sure rows that a batch
    has of c, as in SCAN; "mini-clusters" (MiniClustering, ICLR 2026), M / max(1/2, number of the M
    mini-clusters of which more than 0.3 falls into c). There the mini-clusters are a second head's;
    here they are those of k-means, found once.

    Args:
        n_clusters: K.
        random_state: seed of the base, of weights, batches and pairs.
        device: "auto", "cpu", "cuda[:N]" or "mps".
        base: name of the method that clusters the rows before, any but this one.
        base_settings: of the base, by name, as JSON has them; None for its defaults.
        warm_epochs: passes over the samples that learn the base's clusters.
        epochs: passes in all.
        threshold: confidence above which a row teaches, in [0, 1].
        weighting: of clusters: "none", "inverse" or "mini-clusters".
        mini_clusters: of each cluster, of these M; together at most half the rows.
        batch_size: pairs per step, at most n_samples.
        n_neighbors: nearest neighbours (cosine, the sample excluded) a partner is drawn from.
        learning_rate: of Adam.
        weight_decay: of AdamW, on weights.
        decay: "constant", "cosine" (to zero), or "halving" (after each third of the epochs).
        momentum: of the teacher, in [0, 1]; with 0, as in the paper, it is the head itself.
        scaling: of the head's input: "standardize", "l2", "none" or "whiten(M, POWER)".
        depth: layers below the last one, each with a GELU after it.
        hidden: width of these, but the last of them.
        bottleneck: width of the last of them.

    Raises:
        InputError: a setting of another type or range, of the base as well.

    Examples:
        >>> import numpy as np
        >>> from clusterbench import score
        >>> from clusterbench.methods import SelfLabelling
        >>> y = np.repeat([0, 1, 2], 60)
        >>> X = np.eye(3, 8)[y] + 0.1 * np.random.default_rng(0).normal(size=(180, 8))
        >>> training = dict(warm_epochs=10, epochs=20, batch_size=60, learning_rate=0.05)
        >>> taught = SelfLabelling(3, device="cpu", base="smoothed-kmeans", **training)
        >>> score(y, taught.fit_predict(X)).acc
        1.0
        >>> taught.diagnostics_["changed"]
        0.0
    """

    name: ClassVar[str] = "self-labelling"
    label: ClassVar[str] = "self-labelling"
    version: ClassVar[int] = 1
    _halves = False
    _taught: SelfLabels
    _base_labels: np.ndarray

    def __init__(
        self,
        n_clusters: int = 8,
        random_state: int = 0,
        device: str = "auto",
        base: str = "kmeans",
        base_settings: Mapping[str, Any] | None = None,
        warm_epochs: int = 50,
        epochs: int = 100,
        threshold: float = 0.99,
        weighting: str = "inverse",
        mini_clusters: int = 5,
        batch_size: int = 1024,
        n_neighbors: int = 20,
        learning_rate: float = 1e-4,
        weight_decay: float = 1e-4,
        decay: str = "constant",
        momentum: float = 0.0,
        scaling: str = "standardize",
        depth: int = 0,
        hidden: int = 512,
        bottleneck: int = 256,
    ) -> None:
        settings = dict(locals())
        super().__init__(n_clusters, random_state, device)
        self._set(settings)
        self.base, self.base_settings = base, base_settings
        self._base()
        self.warm_epochs = whole_number("warm_epochs", warm_epochs)
        if warm_epochs > self.epochs:
            raise InputError(
                f"warm_epochs={warm_epochs} should be at most epochs={epochs}, which are all "
                "passes; give both"
            )
        self.threshold = number("threshold", threshold, at_least=0.0, at_most=1.0)
        self.weighting = one_of(_WEIGHTINGS, "weighting", weighting)
        self.mini_clusters = positive_int("mini_clusters", mini_clusters)

    def _base(self) -> Clusterer:
        """The method before, ready to fit; InputError for what it is not made with."""
        if self.base == self.name:
            raise InputError(
                f"base={self.base!r} is this method itself; name another one, such as 'kmeans', "
                "and take more epochs"
            )
        if not isinstance(self.base, str) or self.base not in METHODS:
            others = [name for name in METHODS.names() if name != self.name]
            raise unknown_name("method as base", str(self.base), others)
        cls = METHODS.get(self.base)
        settings = _checked_table(self.base_settings)
        known = [name for name in cls.setting_names() if name not in RESERVED]
        for name in settings:
            if name in RESERVED:
                raise InputError(
                    f"base_settings has {name}, which is set once for both; leave it out there"
                )
            if name not in known:
                raise unknown_name(f"setting of the base {self.base!r}:", name, known)
        try:
            return cls(
                self.n_clusters, random_state=self.random_state, device=self.device, **settings
            )
        except InputError as error:
            raise InputError(f"base {self.base}: {error}") from error

    def _mini_kmeans(self, n: int) -> KMeans:
        wanted = min(self.mini_clusters * self.n_clusters, max(1, n // 2))
        return KMeans(wanted, random_state=self.random_state, device=self.device, n_init=1)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost | None:  # type: ignore[override]
        """Of the base, which predicts nothing, of mini-clusters, and of the head."""
        before, own = self._base().cost(n_train, 0, dim), super().cost(n_train, n_eval, dim)
        if before is None:
            return None
        if self.weighting == "mini-clusters":
            own += self._mini_kmeans(n_train).cost(n_train, 0, dim)
        return before + own

    @property
    def shares_fit(self) -> bool:
        """As `Clusterer.shares_fit`: there is one head, and a base that may not share its fit."""
        return False

    def _train(self, X: Any, progress: Progress, mates: OneOfMany | None = None) -> np.ndarray:
        n = len(X) if isinstance(X, np.ndarray) else int(X.n)
        base = self._base()
        given: dict[str, Any] = {"progress": lambda *_: progress(0, self.epochs)}
        checkpoint = getattr(self, "_files", (None,))[0]
        if checkpoint and base.keeps_checkpoints:
            given["checkpoint"] = Path(checkpoint) / "base"
        try:
            self._base_labels = base.fit(X, **given).labels_
        except CheckpointError:
            raise
        except InputError as error:
            raise InputError(f"base {self.base}: {error}") from error
        self._minis: np.ndarray | None = None
        if self.weighting == "mini-clusters":
            self._minis = self._mini_kmeans(n).fit(X).labels_
        try:
            labels = super()._train(X, progress, mates)
            batch, own = min(self.batch_size, n), self.epochs - self.warm_epochs
            self.diagnostics_ |= outcome(self._taught, self._base_labels, labels, batch, own)
            if self._minis is not None:
                self.diagnostics_["mini_clusters_used"] = int(self._minis.max()) + 1
        finally:
            del self._base_labels, self._minis
            self.__dict__.pop("_taught", None)
        self.diagnostics_["base"] = {
            "method": base.name,
            "version": base.version,
            **base.diagnostics_,
        }
        return labels

    def _identity(self, rows: str, device: str, precision: str) -> str:
        """As `DeepClusterer._identity`, and of the labels that the head learns."""
        labels = sha256_array(self._base_labels)
        return sha256_json({"head": super()._identity(rows, device, precision), "labels": labels})

    def _lesson(self, neighbors: np.ndarray) -> Lesson:
        import torch

        from ...heads.lessons.self_labels import SelfLabels

        minis = None if self._minis is None else torch.from_numpy(self._minis)
        given = torch.from_numpy(np.ascontiguousarray(self._base_labels, dtype=np.int64))
        self._taught = SelfLabels(given, self.threshold, self.weighting, self.warm_epochs, minis)
        return self._taught

    def _lesson_bytes(self, n: int, n_heads: int) -> float:
        from ...heads.lessons.recorded import recorded_bytes

        # Clusters and mini-clusters of all rows, and what it takes to count these.
        of_rows = 8.0 * n * (6 if self.weighting == "mini-clusters" else 1)
        return of_rows + recorded_bytes(n_heads, 2 * min(self.batch_size, n), self.n_clusters)


def outcome(
    lesson: SelfLabels, before: np.ndarray, after: np.ndarray, batch: int, epochs: int
) -> dict[str, Any]:
    """What self-labelling by one head came to, as JSON; warns where it never began.

    Args:
        lesson: as its training left it.
        before: (n,) clusters that were given.
        after: (n,) clusters that the head has found.
        batch: pairs of a step.
        epochs: of self-labelling.

    Returns:
        changed, the share of rows in another cluster than before; confident, the share that taught
        in the last epoch, or None; batches_without_confident_rows, of all epochs.
    """
    steps, unsure = len(before) // batch, int(lesson.state["unsure"][0])
    if epochs and unsure == epochs * steps:
        warnings.warn(
            f"no row was ever surer than threshold={lesson.threshold:g}, so only the clusters from "
            "before have taught the head; take more epochs before, a higher learning_rate, or a "
            "lower threshold",
            stacklevel=4,
        )
    return {
        "changed": float((after != before).mean()),
        "confident": int(lesson.state["confident"][0]) / (steps * batch) if epochs else None,
        "batches_without_confident_rows": unsure,
    }


def _checked_table(settings: Any) -> dict[str, Any]:
    """Settings by name; InputError for what is none."""
    if settings is None:
        return {}
    try:
        json.dumps(settings, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"base_settings cannot be recorded as JSON: {error}") from error
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise InputError(
            f"base_settings={settings!r} should be a table of settings by name, such as "
            '{"n_neighbors": 5}, or none'
        )
    return settings
