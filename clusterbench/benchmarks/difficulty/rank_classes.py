"""Rank the classes of a data set: kNN and a linear probe on the features of several encoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ...errors import InputError
from ..class_pool import Pool
from ..sampling import priorities
from .class_ranking import ClassRanking, ProbeSettings, RankingColumn, RankingSettings
from .cross_fitted_probe import probe_correct
from .leave_one_out import knn_class_scores

DEFAULT_FOLDS = 3
DEFAULT_NEIGHBORS = 20

EncoderProgress = Callable[[str, int, int], None]
"""(encoder, steps done, steps in all)."""


class Features(Protocol):
    """What of a `FeatureStore` is needed here."""

    encoder: str
    identity: str

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Features (n, dim) float32 of the rows, (n,) int64."""
        ...


def rank_classes(
    pool: Pool,
    stores: Sequence[Features],
    images_per_class: int | None = None,
    *,
    folds: int = DEFAULT_FOLDS,
    n_neighbors: int | None = None,
    probe: ProbeSettings | None = None,
    device: str = "cpu",
    progress: EncoderProgress | None = None,
) -> ClassRanking:
    """The ranking of all classes with enough train images; val images are never looked at.

    pool: its seed draws the images and folds. stores: features of the pool's index, one encoder
    each; they are asked for train rows only. images_per_class: None for the median class's train
    images. n_neighbors: None for 20, or one image less than a class has where that is fewer.

    Raises InputError for fewer than two classes that are large enough, no store, two of one
    encoder, and features that are zero.
    """
    encoders = [store.encoder for store in stores]
    if not encoders or len(set(encoders)) < len(encoders):
        raise InputError(f"encoders {', '.join(encoders) or 'none'}: wanted some, each once")
    m = images_per_class or default_images_per_class(pool, folds)
    settings = RankingSettings(
        seed=pool.seed,
        images_per_class=m,
        folds=folds,
        n_neighbors=n_neighbors or min(DEFAULT_NEIGHBORS, m - 1),
        probe=probe or ProbeSettings(),
    )
    classes = pool.usable(m, min_eval=0)
    if len(classes) < 2:
        raise InputError(
            f"{len(classes)} of {pool.n_classes} classes have images_per_class={m} training "
            f"images, and at least 2 are needed; the largest has {pool.train_counts.max()}"
        )
    rows = pool.draw_train(classes, m)
    labels = np.searchsorted(classes, pool.labels[rows])
    fold = fold_of(labels, priorities(pool.index.ids[rows], pool.seed), folds)
    columns: list[RankingColumn] = []
    for store in stores:
        columns += _columns(store, rows, labels, fold, settings, device, progress)
    return ClassRanking(
        index_hash=pool.index.hash,
        settings=settings,
        classes=tuple(pool.class_names[c] for c in classes),
        columns=tuple(columns),
    )


def default_images_per_class(pool: Pool, folds: int = DEFAULT_FOLDS) -> int:
    """Train images of the median class (rounded down), at least one for each fold."""
    sizes = pool.train_counts[pool.train_counts > 0]
    return max(int(np.median(sizes)), folds)


def fold_of(labels: np.ndarray, order: np.ndarray, folds: int) -> np.ndarray:
    """(n,) int64: the i-th image of each class, in the given order, is in fold i modulo `folds`.

    labels: (n,) int. order: (n,) what each class's images are sorted by. Folds hold equally many
    images of each class, up to one.
    """
    by_class = np.lexsort((order, labels))
    _, first, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    place = np.arange(len(labels)) - np.repeat(first, counts)
    out = np.empty(len(labels), dtype=np.int64)
    out[by_class] = place % folds
    return out


def _columns(
    store: Features,
    rows: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    settings: RankingSettings,
    device: str,
    progress: EncoderProgress | None,
) -> list[RankingColumn]:
    """The encoder's two columns."""

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress(store.encoder, done, total)

    tell(0, 1)
    n_classes = int(labels.max()) + 1
    features = store.read(rows)
    scores = knn_class_scores(
        features, labels, n_classes, n_neighbors=settings.n_neighbors, device=device
    )
    correct = probe_correct(
        features, labels, fold, n_classes, settings=settings.probe, device=device, progress=tell
    )
    probed = np.bincount(labels[correct], minlength=n_classes).astype(np.int64)
    return [
        RankingColumn(store.encoder, store.identity, "knn", scores.n_correct, scores.n_same),
        RankingColumn(store.encoder, store.identity, "probe", probed),
    ]
