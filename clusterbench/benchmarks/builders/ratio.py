"""Controlled class imbalance: the same classes and N, class sizes reshaped to a ratio."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...limits import RATIO, SERIES
from ..class_pool import Draft, Pool, natural_groups
from ..params import (
    check_count,
    check_draw,
    check_eval_per_class,
    check_evaluation,
    check_number,
    require,
)
from ..sampling import text_priorities
from .builder import Builder, Built, Material
from .class_sizes import SHAPES, following_sizes, profile_sizes


@dataclass(frozen=True)
class RatioParams:
    """One task of a series in which only the shape of the class sizes moves.

    ratio: largest over smallest class of this task; one of `series`, or of `zipf_series` where
    shape = "zipf". shape: "exponential" or "zipf" (see `class_sizes.profile_sizes`).
    series, zipf_series: all tasks of the series; the classes are chosen so that each is possible.
    n_classes, images_per_class: K and the mean class size, the same in the whole series. None:
    half of the classes, and the largest mean that the data allow.
    evaluation: "balanced", equally many val images of each class and the same in the whole series,
    or "natural", in proportion to the training sizes.
    eval_per_class: val images per class; None: as many as the chosen class with the fewest has. A
    natural evaluation has as many as the proportions allow; classes need these many all the same,
    so that the classes of both are the same.
    depth: classes are the nodes at this depth of the class tree; None: the data set's own.
    """

    ratio: float
    series: tuple[float, ...]
    n_classes: int | None = None
    images_per_class: int | None = None
    shape: str = "exponential"
    zipf_series: tuple[float, ...] = ()
    depth: int | None = None
    evaluation: str = "balanced"
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_draw(self.seed, self.depth)
        check_count("n_classes", self.n_classes, 2)
        check_count("images_per_class", self.images_per_class, 1)
        require(self.shape in SHAPES, f"shape={self.shape!r} should be one of {', '.join(SHAPES)}")
        name = "series" if self.shape == "exponential" else "zipf_series"
        ratios = getattr(self, name)
        require(self.ratio in ratios, f"ratio={self.ratio} is not in {name}={list(ratios)}")
        for ratio in (*self.series, *self.zipf_series):
            check_number("ratio", ratio, 1, RATIO)
        n_ratios = len(self.series) + len(self.zipf_series)
        require(n_ratios <= SERIES, f"{n_ratios:,} ratios in a series; at most {SERIES}")
        check_evaluation(self.evaluation)
        check_eval_per_class(self.eval_per_class)


def ratio_task(pool: Pool, params: RatioParams) -> Draft:
    """The task of one ratio.

    The same in every task of the series: the classes, which of them is the i-th largest, the
    number of training images, and, balanced, the evaluation images. For one class, the images of a
    smaller size are part of those of a larger size.
    """
    params = _with_sizes(pool, params)
    assert params.n_classes is not None and params.images_per_class is not None
    sizes = profile_sizes(params.shape, params.n_classes, params.images_per_class, params.ratio)
    need = _need(params)
    ranked = _assign(pool, need, params)
    classes = np.sort(ranked)
    size_of = np.zeros(pool.n_classes, dtype=np.int64)
    size_of[ranked] = sizes
    groups, names = natural_groups(pool, classes)
    notes: dict[str, Any] = {
        "sampled_n_classes": params.n_classes,
        "sampled_images_per_class": params.images_per_class,
    }
    eval_sizes: np.ndarray | int
    if params.evaluation == "natural":
        largest = np.zeros(pool.n_classes, dtype=np.int64)
        largest[ranked] = need
        eval_sizes = following_sizes(size_of[classes], largest[classes], pool.eval_counts[classes])
    else:
        eval_sizes = params.eval_per_class or int(pool.eval_counts[classes].min())
        notes["sampled_eval_per_class"] = eval_sizes
    return Draft(
        train_rows=pool.draw_train(classes, size_of[classes]),
        eval_rows=pool.draw_eval(classes, eval_sizes),
        groups=groups,
        names=names,
        factors={"asked_ratio": params.ratio},
        notes=notes,
    )


def _need(params: RatioParams) -> np.ndarray:
    """(n_classes,) int64, descending: the largest size of each rank in any task of the series."""
    assert params.n_classes is not None and params.images_per_class is not None
    series = [("exponential", r) for r in params.series] + [("zipf", r) for r in params.zipf_series]
    need: np.ndarray = np.maximum.reduce(
        [
            profile_sizes(shape, params.n_classes, params.images_per_class, ratio)
            for shape, ratio in sorted(set(series))
        ]
    )
    return need


def _with_sizes(pool: Pool, params: RatioParams) -> RatioParams:
    """The parameters with numbers for those that were left to the data.

    InputError for more images than there are, before arrays of that size are made.
    """
    n_train = int(pool.train_counts.sum())
    if (params.n_classes or 1) * (params.images_per_class or 1) > n_train:
        raise InputError(
            f"n_classes={params.n_classes} and images_per_class={params.images_per_class} ask for "
            f"more than the {n_train} images of the train split"
        )
    if params.n_classes is None:
        n_usable = len(pool.usable(min_eval=params.eval_per_class or 1))
        if n_usable < 4:
            raise InputError(
                f"{n_usable} classes have training and val images; half of them are fewer than 2"
            )
        params = replace(params, n_classes=n_usable // 2)
    if params.images_per_class is not None:
        return params
    low, high = 0, int(pool.train_counts.max(initial=0))  # the largest mean possible lies between
    refused: InputError | None = None
    while low < high:
        middle = (low + high + 1) // 2
        trial = replace(params, images_per_class=middle)
        try:
            _need(trial)
        except InputError as error:  # too few images to round to the ratio: try more
            refused, low = error, middle
            continue
        try:
            _assign(pool, _need(trial), trial)
            low = middle
        except InputError as error:
            refused, high = error, middle - 1
    found = replace(params, images_per_class=max(low, 1))
    try:
        _assign(pool, _need(found), found)
    except InputError as error:
        raise InputError(f"no mean class size suits these ratios: {refused or error}") from error
    return found


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
            ratios = ", ".join(f"{ratio:g}" for ratio in (*params.series, *params.zipf_series))
            raise InputError(
                f"the ratios {ratios} need {rank + 1} classes with at least {size} training "
                f"images (and {params.eval_per_class or 1} val); there are {rank}: lower "
                f"n_classes={params.n_classes}, images_per_class={params.images_per_class} "
                "or the largest ratio"
            )
        ranked.append(heapq.heappop(heap)[1])
    return np.array(ranked, dtype=np.int64)


def _build(material: Material, params: RatioParams) -> Built:
    pool = material.pool(params.seed, params.depth)
    return pool, ratio_task(pool, params)


BUILDER = Builder("ratio", RatioParams, _build)
