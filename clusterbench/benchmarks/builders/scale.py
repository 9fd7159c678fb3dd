"""Scale: nested random subsets of the classes and of the images per class."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from ..class_pool import Draft, Pool, natural_groups
from ..params import check_count, check_draw, check_eval_per_class, require
from ..sampling import draw_classes
from .builder import Builder, Built, Material


@dataclass(frozen=True)
class ScaleParams:
    """A random subset of the classes, and of the images of each.

    n_classes: K, drawn; None: all that qualify. class_share: the same as a share of those.
    images_per_class: training images per class, drawn; None: all.
    min_images: classes need this many training images. Give every task of a series the same, at
    least the largest `images_per_class`, and smaller tasks are parts of larger ones.
    eval_per_class: val images per class; None: all.
    """

    n_classes: int | None = None
    class_share: float | None = None
    images_per_class: int | None = None
    min_images: int = 1
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_draw(self.seed)
        check_count("n_classes", self.n_classes, 2)
        require(
            self.class_share is None or 0 < self.class_share <= 1,
            f"class_share={self.class_share} should be in (0, 1]",
        )
        require(
            self.n_classes is None or self.class_share is None,
            f"n_classes={self.n_classes} and class_share={self.class_share}: give one of them",
        )
        check_count("images_per_class", self.images_per_class, 1)
        check_count("min_images", self.min_images, 1)
        check_eval_per_class(self.eval_per_class)


def scale_task(pool: Pool, params: ScaleParams) -> Draft:
    """The drawn classes with the drawn images; raises InputError when too few classes qualify."""
    least = max(params.min_images, params.images_per_class or 1)
    classes = pool.usable(least, params.eval_per_class or 1)
    n_classes = params.n_classes
    if params.class_share is not None:
        n_classes = max(2, int(params.class_share * len(classes) + 0.5))
    if len(classes) < (n_classes or 2):
        raise InputError(
            f"{len(classes)} classes have at least {least} training and "
            f"{params.eval_per_class or 1} val images; {n_classes or 2} are needed"
        )
    n_candidates = len(classes)
    if n_classes is not None:
        classes = draw_classes(classes, pool.class_names, n_classes, params.seed)
    groups, names = natural_groups(pool, classes)
    return Draft(
        train_rows=pool.draw_train(classes, params.images_per_class),
        eval_rows=pool.draw_eval(classes, params.eval_per_class),
        groups=groups,
        names=names,
        factors={"share_of_classes": len(classes) / n_candidates},
        notes={"candidate_classes": n_candidates},
    )


def _build(material: Material, params: ScaleParams) -> Built:
    pool = material.pool(params.seed)
    return pool, scale_task(pool, params)


BUILDER = Builder("scale", ScaleParams, _build)
