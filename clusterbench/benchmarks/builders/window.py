"""Natural class imbalance: windows of the class-frequency histogram around its median."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...errors import InputError
from ..class_pool import Draft, Pool, natural_groups
from ..params import check_count, check_draw, check_eval_per_class, check_evaluation, require
from ..sampling import draw_classes
from .builder import Builder, Built, Material
from .class_sizes import following_sizes


@dataclass(frozen=True)
class WindowParams:
    """A window of the class-frequency histogram, centred on the median; sizes stay natural.

    half_width: the window is the percentiles [50 - half_width, 50 + half_width].
    n_classes: K; drawn from the window's classes; None: all of them (nested windows).
    min_images: classes with fewer training images do not enter the histogram.
    evaluation: "balanced", or "natural": val images in proportion to the training images.
    eval_per_class: val images per class; None: all. A natural evaluation has as many as the
    proportions allow; classes need these many all the same.
    depth: classes are the nodes at this depth of the class tree; None: the data set's own.
    """

    half_width: float
    n_classes: int | None = None
    depth: int | None = None
    min_images: int = 1
    evaluation: str = "balanced"
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_draw(self.seed, self.depth)
        require(0 < self.half_width <= 50, f"half_width={self.half_width} should be in (0, 50]")
        check_count("n_classes", self.n_classes, 2)
        check_count("min_images", self.min_images, 1)
        check_evaluation(self.evaluation)
        check_eval_per_class(self.eval_per_class)


def frequency_window(counts: np.ndarray, half_width: float) -> tuple[int, int]:
    """Smallest and largest class size inside percentiles [50 - half_width, 50 + half_width].

    counts: (n,) class sizes. Percentile q of n sorted sizes is at position q/100 * (n - 1), as in
    `np.percentile`; the bounds are the first and last size inside, found in exact arithmetic. A
    wider window contains a narrower one. Low is above high when no size lies inside.
    """
    ordered = np.sort(counts)
    last = len(ordered) - 1
    width = Fraction(str(half_width))
    low = math.ceil((50 - width) / 100 * last)
    high = math.floor((50 + width) / 100 * last)
    return int(ordered[low]), int(ordered[high])


def window_task(pool: Pool, params: WindowParams) -> Draft:
    """The classes whose number of training images lies in the window, with all their images.

    Raises InputError when the window leaves fewer than two classes, or fewer than `n_classes`.
    """
    classes = pool.usable(params.min_images, params.eval_per_class or 1)
    if len(classes) < 2:
        raise InputError(
            f"{len(classes)} classes have {params.min_images} training and "
            f"{params.eval_per_class or 1} val images; at least 2 are needed"
        )
    counts = pool.train_counts[classes]
    low, high = frequency_window(counts, params.half_width)
    inside = classes[(counts >= low) & (counts <= high)]
    wanted = params.n_classes or 2
    if len(inside) < wanted:
        raise InputError(
            f"half_width={params.half_width:g} leaves {len(inside)} of {len(classes)} classes; "
            f"{wanted} are needed: widen the window"
        )
    if params.n_classes is not None:
        inside = draw_classes(inside, pool.class_names, params.n_classes, params.seed)
    groups, names = natural_groups(pool, inside)
    eval_sizes: np.ndarray | int | None = params.eval_per_class
    if params.evaluation == "natural":
        sizes = pool.train_counts[inside]
        eval_sizes = following_sizes(sizes, sizes, pool.eval_counts[inside])
    return Draft(
        train_rows=pool.draw_train(inside, None),
        eval_rows=pool.draw_eval(inside, eval_sizes),
        groups=groups,
        names=names,
        factors={"window_smallest_class": float(low), "window_largest_class": float(high)},
        notes={"classes_in_histogram": len(classes)},
    )


def _build(material: Material, params: WindowParams) -> Built:
    pool = material.pool(params.seed, params.depth)
    return pool, window_task(pool, params)


BUILDER = Builder("window", WindowParams, _build)
