"""The whole data set, or the classes of it that are in a named list: nothing drawn."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...taxonomy import imagenet
from ..class_pool import Draft, Pool, natural_groups
from ..params import check_count, check_draw
from .builder import Builder, Built, Material


@dataclass(frozen=True)
class WholeParams:
    """All classes that have training and val images, with all of them.

    class_list: name of a shipped class list (`clusterbench list trees`); only its classes are
    taken, and those that the data set lacks are counted in the recipe. None: all classes.
    min_images: classes need this many training images.
    """

    class_list: str | None = None
    min_images: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_draw(self.seed)
        check_count("min_images", self.min_images, 1)


def whole_task(pool: Pool, params: WholeParams, listed: Collection[str] | None = None) -> Draft:
    """The task of all classes, or of those in `listed`.

    Raises InputError when fewer than two classes qualify.
    """
    classes = pool.usable(params.min_images)
    notes = {}
    if listed is not None:
        names = set(listed)
        classes = classes[[pool.class_names[c] in names for c in classes]]
        notes = {"listed_classes": len(names), "listed_classes_absent": len(names) - len(classes)}
    if len(classes) < 2:
        among = f" of the list {params.class_list!r}" if listed is not None else ""
        raise InputError(
            f"{len(classes)} classes{among} have at least {params.min_images} training and 1 val "
            "images; at least 2 are needed"
        )
    groups, class_names = natural_groups(pool, np.asarray(classes))
    return Draft(
        train_rows=pool.draw_train(classes, None),
        eval_rows=pool.draw_eval(classes, None),
        groups=groups,
        names=class_names,
        factors={},
        notes=notes,
    )


def _build(material: Material, params: WholeParams) -> Built:
    pool = material.pool(params.seed)
    if params.class_list is None:
        return pool, whole_task(pool, params)
    return pool, whole_task(pool, params, imagenet.classes(params.class_list))


BUILDER = Builder("whole", WholeParams, _build)
