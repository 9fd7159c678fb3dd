"""The ranking that a data set's `easy` tasks use: its file, or one made on the spot."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...datasets.registry import Dataset
from ...errors import InputError
from ..class_pool import Pool
from .class_ranking import ClassRanking
from .ranking_file import read_ranking

FILE = "easiness.json"
"""In the data set's folder, beside `dataset.toml`."""

_MAX_IMAGES = 50_000
_MAX_CLASSES = 2_000


def easiness(
    dataset: Dataset, pool: Pool, encoders: Sequence[str] | None, images_per_class: int
) -> ClassRanking:
    """`easiness.json` of the data set's folder; where there is none, a ranking made now.

    encoders: whose columns count; None for all of the file, or for the data set's default
    encoder. images_per_class: of a ranking made now, whose seed is the pool's.

    Raises InputError for a file that is damaged, of another index, or without an encoder that is
    asked for, and for a data set that is too large to be ranked on the spot.
    """
    path = dataset.folder / FILE
    command = f"clusterbench rank --dataset {dataset.name}"
    if os.path.lexists(path):
        ranking = read_ranking(path)
        if ranking.index_hash != dataset.index.hash:
            raise InputError(
                f"{path}: made for index {ranking.index_hash[:12]}, and data set {dataset.name!r} "
                f"has {dataset.index.hash[:12]}; run `{command} --force` again"
            )
        return ranking if encoders is None else ranking.of_encoders(encoders)
    classes = pool.usable(images_per_class, min_eval=0)
    n_images = len(classes) * images_per_class
    if n_images > _MAX_IMAGES or len(classes) > _MAX_CLASSES:
        raise InputError(
            f"data set {dataset.name!r} has no {FILE}, and ranking {n_images:,} images of "
            f"{len(classes):,} classes takes a while (on the spot: up to {_MAX_IMAGES:,} of "
            f"{_MAX_CLASSES:,}); run `{command}` once"
        )
    from .rank_classes import DEFAULT_FOLDS, rank_classes

    stores = [dataset.store(encoder) for encoder in encoders or (None,)]
    folds = min(DEFAULT_FOLDS, images_per_class)
    return rank_classes(pool, stores, images_per_class, folds=folds)
