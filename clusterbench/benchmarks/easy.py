"""Easy-to-recognise classes: the easiest, random and hardest classes at equal sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .params import check_eval_per_class, require
from .pool import Draft, Pool, natural_groups
from .ranking import ClassScores, easiness_order, knn_class_scores
from .sampling import draw_classes, text_priorities

CHOICES = ("easiest", "random", "hardest")


@dataclass(frozen=True)
class EasyParams:
    """A set of classes chosen by how well their neighbours recognise them.

    which: "easiest", "random" or "hardest". n_classes: K. images_per_class: training images of
    each class, drawn; the same images rank the classes, so that size plays no part.
    k: neighbours; None: 20, or images_per_class - 1 where that is fewer.
    encoder: whose features rank the classes; None: the data set's default.
    eval_per_class: val images per class; None: all.
    """

    which: str
    n_classes: int
    images_per_class: int
    k: int | None = None
    encoder: str | None = None
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.which in CHOICES, f"which={self.which!r} should be one of {', '.join(CHOICES)}"
        )
        require(self.n_classes >= 2, f"n_classes={self.n_classes} should be >= 2")
        require(
            self.images_per_class >= 2, f"images_per_class={self.images_per_class} should be >= 2"
        )
        require(self.k is None or self.k >= 1, f"k={self.k} should be >= 1")
        check_eval_per_class(self.eval_per_class)

    @property
    def n_neighbours(self) -> int:
        """k, or its default."""
        return self.k or min(20, self.images_per_class - 1)

    @property
    def candidates(self) -> tuple[int, int, int, int, str | None]:
        """What the ranking depends on: tasks that agree in this can share one."""
        min_eval = self.eval_per_class or 1
        return self.images_per_class, min_eval, self.n_neighbours, self.seed, self.encoder


def rank_classes(
    pool: Pool, read: Callable[[np.ndarray], np.ndarray], params: EasyParams
) -> ClassScores:
    """Scores of all classes that are large enough, on `images_per_class` train rows of each.

    read: rows -> (n, dim) features, as `FeatureStore.read`; it is asked for train rows only.
    """
    classes = _candidates(pool, params)
    rows = pool.draw_train(classes, params.images_per_class)
    return knn_class_scores(read(rows), pool.labels[rows], pool.n_classes, k=params.n_neighbours)


def easy_task(pool: Pool, scores: ClassScores, params: EasyParams) -> Draft:
    """The chosen classes with `images_per_class` training images each.

    Raises InputError when fewer than `n_classes` classes are large enough.
    """
    candidates = _candidates(pool, params)
    names = pool.class_names
    if params.which == "random":
        classes = draw_classes(candidates, names, params.n_classes, params.seed)
    else:
        tie_break = text_priorities([names[c] for c in candidates], params.seed)
        order = easiness_order(scores, candidates, tie_break)
        chosen = order[: params.n_classes] if params.which == "easiest" else order[::-1]
        classes = np.sort(chosen[: params.n_classes])
    groups, class_names = natural_groups(pool, classes)
    return Draft(
        train_rows=pool.draw_train(classes, params.images_per_class),
        eval_rows=pool.draw_eval(classes, params.eval_per_class),
        groups=groups,
        names=class_names,
        factors={
            "knn_accuracy": float(scores.accuracy[classes].mean()),
            "lowest_knn_accuracy": float(scores.accuracy[classes].min()),
            "highest_knn_accuracy": float(scores.accuracy[classes].max()),
        },
        notes={"candidate_classes": len(candidates), "neighbours": params.n_neighbours},
    )


def _candidates(pool: Pool, params: EasyParams) -> np.ndarray:
    classes = pool.usable(params.images_per_class, params.eval_per_class or 1)
    if len(classes) < params.n_classes:
        raise InputError(
            f"{len(classes)} classes have {params.images_per_class} training and "
            f"{params.eval_per_class or 1} val images; n_classes={params.n_classes} are needed"
        )
    return classes
