"""Easy-to-recognise classes: the easiest, random and hardest classes at equal sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ..class_pool import Draft, Pool, natural_groups
from ..difficulty.class_ranking import MEASURES, ClassRanking
from ..difficulty.easiness import easiness
from ..difficulty.ranking_file import ranking_sha256
from ..params import check_count, check_draw, check_eval_per_class, require
from ..sampling import draw_classes, text_priorities
from .builder import Builder, Built, Material

CHOICES = ("easiest", "random", "hardest")
_MIN_EVAL = 2  # scores of one image per class say nothing


@dataclass(frozen=True)
class EasyParams:
    """A set of classes chosen by how well features recognise them.

    which: "easiest", "random" or "hardest". n_classes: K; None: a third of the classes there are
    to choose from. images_per_class: training images of each class, drawn; None: those of the
    median class with enough val images. encoders: whose columns of the ranking count; None: all
    of `easiness.json`, or the data set's default encoder where there is no such file.
    eval_per_class: val images per class; None: all.
    """

    which: str
    n_classes: int | None = None
    images_per_class: int | None = None
    encoders: tuple[str, ...] | None = None
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.which in CHOICES, f"which={self.which!r} should be one of {', '.join(CHOICES)}"
        )
        check_draw(self.seed)
        check_count("n_classes", self.n_classes, 2)
        check_count("images_per_class", self.images_per_class, 2)
        named = self.encoders is None or 0 < len(set(self.encoders)) == len(self.encoders)
        require(named, f"encoders={self.encoders} should be some, each once")
        check_eval_per_class(self.eval_per_class)

    def images(self, pool: Pool) -> int:
        """images_per_class, or its default; InputError where no class has enough val images."""
        if self.images_per_class is not None:
            return self.images_per_class
        usable = pool.usable(1, self.min_eval)
        require(len(usable) > 0, f"no class has train images and {self.min_eval} val images")
        return max(2, int(np.median(pool.train_counts[usable])))

    @property
    def min_eval(self) -> int:
        """Val images that a class must have."""
        return self.eval_per_class or _MIN_EVAL


def easy_task(pool: Pool, ranking: ClassRanking, params: EasyParams) -> Draft:
    """The chosen classes with equally many training images each.

    To choose from are the classes that are ranked and large enough. Raises InputError when they
    are fewer than `n_classes`.
    """
    images = params.images(pool)
    candidates = _candidates(pool, ranking, params, images)
    n_classes = params.n_classes or max(2, len(candidates) // 3)
    if len(candidates) < n_classes:
        raise InputError(
            f"{len(candidates)} ranked classes have {images} training and {params.min_eval} val "
            f"images; n_classes={n_classes} are needed"
        )
    classes = _choose(pool, ranking, params, candidates, n_classes)
    groups, class_names = natural_groups(pool, classes)
    return Draft(
        train_rows=pool.draw_train(classes, images),
        eval_rows=pool.draw_eval(classes, params.eval_per_class),
        groups=groups,
        names=class_names,
        factors=_factors(ranking, class_names),
        notes={
            "candidate_classes": len(candidates),
            "images_per_class": images,
            "ranking_sha256": ranking_sha256(ranking),
            "ranked_by": ", ".join(ranking.encoders),
            "measures": ", ".join(dict.fromkeys(column.measure for column in ranking.columns)),
        },
    )


def _candidates(pool: Pool, ranking: ClassRanking, params: EasyParams, images: int) -> np.ndarray:
    usable = pool.usable(images, params.min_eval)
    ranked = np.array([pool.class_names[c] in ranking for c in usable], dtype=bool)
    return np.asarray(usable[ranked], dtype=np.int64)


def _choose(
    pool: Pool, ranking: ClassRanking, params: EasyParams, candidates: np.ndarray, n_classes: int
) -> np.ndarray:
    """(n_classes,) ascending."""
    if params.which == "random":
        return draw_classes(candidates, pool.class_names, n_classes, params.seed)
    names = [pool.class_names[c] for c in candidates]
    order = ranking.order(names, text_priorities(names, params.seed))
    chosen = order[:n_classes] if params.which == "easiest" else order[len(order) - n_classes :]
    return np.sort(candidates[chosen])


def _factors(ranking: ClassRanking, names: tuple[str, ...]) -> dict[str, float]:
    """How well the classes are recognised: mean, lowest and highest, by each measure."""
    factors = {}
    for measure in MEASURES:
        if any(column.measure == measure for column in ranking.columns):
            accuracy = ranking.accuracy(measure, names)
            factors[f"{measure}_accuracy"] = float(accuracy.mean())
            factors[f"lowest_{measure}_accuracy"] = float(accuracy.min())
            factors[f"highest_{measure}_accuracy"] = float(accuracy.max())
    return factors


def _build(material: Material, params: EasyParams) -> Built:
    pool = material.pool(params.seed)
    key = ("easiness", params.seed, params.encoders, params.images(pool))
    if key not in material.shared:
        material.shared[key] = easiness(
            material.dataset, pool, params.encoders, params.images(pool)
        )
    return pool, easy_task(pool, material.shared[key], params)


BUILDER = Builder("easy", EasyParams, _build, reads_features=True)
