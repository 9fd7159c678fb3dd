"""Class imbalance: reshaped class sizes (`ratio`) and natural ones (`window`)."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import InputError
from .params import check_eval_per_class, require
from .pool import Draft, Pool, natural_groups
from .sampling import draw_classes, text_priorities

_TOLERANCE = 0.25  # of the asked ratio, for what rounding to whole images may change


@dataclass(frozen=True)
class RatioParams:
    """One task of a series in which only the shape of the class sizes moves.

    ratio: largest over smallest class of this task; one of `series`.
    series: all ratios of the series; the classes are chosen so that each of them is possible.
    n_classes, images_per_class: K and the mean class size, the same in the whole series.
    eval_per_class: val images per class; None: as many as the chosen class with the fewest has.
    depth: classes are the nodes at this depth of the class tree; None: the data set's own.
    """

    ratio: float
    series: tuple[float, ...]
    n_classes: int
    images_per_class: int
    depth: int | None = None
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.n_classes >= 2, f"n_classes={self.n_classes} should be >= 2")
        require(
            self.images_per_class >= 1, f"images_per_class={self.images_per_class} should be >= 1"
        )
        require(
            self.ratio in self.series, f"ratio={self.ratio} is not in series={list(self.series)}"
        )
        for ratio in self.series:
            require(ratio >= 1 and math.isfinite(ratio), f"ratio={ratio} should be >= 1")
        require(self.depth is None or self.depth >= 0, f"depth={self.depth} should be >= 0")
        check_eval_per_class(self.eval_per_class)


def exponential_sizes(n_classes: int, images_per_class: int, ratio: float) -> np.ndarray:
    """(n_classes,) int64, descending: sizes n_max * ratio^(-i/(K-1)) that sum to K * mean.

    Rounded by largest remainder, so the sum is exact and the order is kept (the exponential
    profile of long-tailed CIFAR, Cui et al. 2019, with the sum held fixed instead of n_max).
    Raises InputError when whole images cannot come within 25% of the ratio.
    """
    total = n_classes * images_per_class
    profile = ratio ** (-np.arange(n_classes) / (n_classes - 1))
    # Rounded to 1e-6 images so that the last digits of a platform's pow() decide no rounding.
    exact = np.round(profile * (total / math.fsum(profile.tolist())), 6)
    sizes = np.floor(exact).astype(np.int64)
    missing = total - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:missing]] += 1
    if sizes[-1] < 1 or abs(sizes[0] / sizes[-1] / ratio - 1) > _TOLERANCE:
        raise InputError(
            f"images_per_class={images_per_class} is too small for ratio {ratio:g} with "
            f"{n_classes} classes: the smallest class would have {exact[-1]:.2f} images; "
            "ask for more images per class or a smaller ratio"
        )
    return sizes


def ratio_task(pool: Pool, params: RatioParams) -> Draft:
    """The task of one ratio.

    The same in every task of the series: the classes, which of them is the i-th largest, the
    number of training images, and a balanced set of evaluation images. For one class, the images
    of a smaller size are part of those of a larger size.
    """
    sizes = {
        r: exponential_sizes(params.n_classes, params.images_per_class, r)
        for r in sorted({*params.series})
    }
    need = np.maximum.reduce(list(sizes.values()))
    ranked = _assign(pool, need, params)
    classes = np.sort(ranked)
    size_of = np.zeros(pool.n_classes, dtype=np.int64)
    size_of[ranked] = sizes[params.ratio]
    groups, names = natural_groups(pool, classes)
    eval_per_class = params.eval_per_class or int(pool.eval_counts[classes].min())
    return Draft(
        train_rows=pool.draw_train(classes, size_of[classes]),
        eval_rows=pool.draw_eval(classes, eval_per_class),
        groups=groups,
        names=names,
        factors={"asked_ratio": params.ratio},
        notes={"sampled_eval_per_class": eval_per_class},
    )


def _assign(pool: Pool, need: np.ndarray, params: RatioParams) -> np.ndarray:
    """(n_classes,) class for each rank: a seeded draw among the classes that are large enough.

    Ranks are filled from the greatest need down; the classes that can fill a rank can fill every
    later one too, so no draw can lead into a dead end that another draw would have avoided.
    """
    classes = pool.usable(min_eval=params.eval_per_class or 1)
    counts = pool.train_counts[classes]
    priority = text_priorities([pool.class_names[c] for c in classes], params.seed)
    waiting = classes[np.argsort(-counts, kind="stable")].tolist()
    order = dict(zip(classes.tolist(), priority.tolist(), strict=True))
    heap: list[tuple[int, int]] = []
    ranked = []
    following = 0
    for rank, size in enumerate(need.tolist()):
        while following < len(waiting) and pool.train_counts[waiting[following]] >= size:
            heapq.heappush(heap, (order[waiting[following]], waiting[following]))
            following += 1
        if not heap:
            ratios = ", ".join(f"{ratio:g}" for ratio in params.series)
            raise InputError(
                f"the ratios {ratios} need {rank + 1} classes with at least {size} training "
                f"images (and {params.eval_per_class or 1} val); there are {rank}: lower "
                f"n_classes={params.n_classes}, images_per_class={params.images_per_class} "
                "or the largest ratio"
            )
        ranked.append(heapq.heappop(heap)[1])
    return np.array(ranked, dtype=np.int64)


@dataclass(frozen=True)
class WindowParams:
    """A window of the class-frequency histogram, centred on the median; sizes stay natural.

    half_width: the window is the percentiles [50 - half_width, 50 + half_width].
    n_classes: K; drawn from the window's classes; None: all of them (nested windows).
    min_images: classes with fewer training images do not enter the histogram.
    eval_per_class: val images per class; None: all.
    depth: classes are the nodes at this depth of the class tree; None: the data set's own.
    """

    half_width: float
    n_classes: int | None = None
    depth: int | None = None
    min_images: int = 1
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(0 < self.half_width <= 50, f"half_width={self.half_width} should be in (0, 50]")
        require(
            self.n_classes is None or self.n_classes >= 2,
            f"n_classes={self.n_classes} should be >= 2",
        )
        require(self.min_images >= 1, f"min_images={self.min_images} should be >= 1")
        require(self.depth is None or self.depth >= 0, f"depth={self.depth} should be >= 0")
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
    return Draft(
        train_rows=pool.draw_train(inside, None),
        eval_rows=pool.draw_eval(inside, params.eval_per_class),
        groups=groups,
        names=names,
        factors={"window_smallest_class": float(low), "window_largest_class": float(high)},
        notes={"classes_in_histogram": len(classes)},
    )
