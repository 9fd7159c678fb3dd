"""Which classes of a source are used, and which of its images are for evaluation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .dataset_index import DatasetIndex
from .source import ImageSource


@dataclass(frozen=True)
class Selection:
    """Choices that depend on the index only, so that they are the same for any kind of source.

    val_fraction:  this share of all images is val, by a hash of the id
    val_per_class: the images with the lowest hash of each class are val, this many
    val_first:     the first images of each class are val, in byte order of the ids, as `ls` lists
    min_per_class: classes with fewer images (of all splits) are left out

    The hash of an image does not change when others are added. Raises InputError for values out
    of range, and for more than one way to choose val.
    """

    val_fraction: float = 0.0
    val_per_class: int = 0
    val_first: int = 0
    min_per_class: int = 0

    def __post_init__(self) -> None:
        fraction, per_class = self.val_fraction, self.val_per_class
        if not 0 <= fraction < 1 or per_class < 0 or (fraction and per_class):
            raise InputError(
                f"val_fraction = {fraction}, val_per_class = {per_class}; "
                "wanted 0 <= val_fraction < 1 or a number per class, not both"
            )
        if self.val_first < 0 or self.min_per_class < 0:
            raise InputError(
                f"val_first = {self.val_first}, min_per_class = {self.min_per_class}; wanted >= 0"
            )
        if self.val_first and (fraction or per_class):
            raise InputError(
                f"val_first = {self.val_first} with val_fraction = {fraction} and val_per_class = "
                f"{per_class}; wanted one way to choose the val images"
            )

    @property
    def splits(self) -> bool:
        """Whether a val split is asked for."""
        return bool(self.val_fraction or self.val_per_class or self.val_first)


#: ImageNet-21K-P (Ridnik et al. 2021): classes of more than 500 images, the first 50 are val.
IMAGENET21K_P = Selection(val_first=50, min_per_class=501)


def chosen(
    val_fraction: float = 0.0,
    val_per_class: int = 0,
    val_first: int = 0,
    min_per_class: int = 0,
    imagenet21k_p: bool = False,
) -> Selection:
    """The selection that options ask for; InputError for those that exclude each other."""
    selection = Selection(val_fraction, val_per_class, val_first, min_per_class)
    if not imagenet21k_p:
        return selection
    if selection != Selection():
        raise InputError(
            "--imagenet21k-p is a choice of classes and val images; leave out --val-fraction, "
            "--val-per-class, --val-first and --min-per-class"
        )
    return IMAGENET21K_P


def select(source: ImageSource, selection: Selection) -> ImageSource:
    """The source with some classes left out and a val split, as asked.

    Raises InputError when a val split is asked for and the source has one, when no class has
    enough images, and when a class would be left without a training image.
    """
    if selection.splits and source.index.split.any():
        raise InputError("the source has its own val split; no other split can be asked for")
    if selection.min_per_class:
        source = _large_classes(source, selection.min_per_class)
    if not selection.splits:
        return source
    index = source.index
    split = np.zeros(index.n, np.uint8)
    ends = np.cumsum(np.bincount(index.labels, minlength=index.n_classes)).tolist()
    start = 0
    for name, end in zip(index.class_names, ends, strict=True):
        if end > start:
            split[start:end] = _choose_val(name, index.ids[start:end], selection)
        start = end
    return replace(source, index=DatasetIndex(index.ids, index.class_names, index.labels, split))


def _large_classes(source: ImageSource, least: int) -> ImageSource:
    index = source.index
    counts = np.bincount(index.labels, minlength=index.n_classes)
    enough = counts >= least
    if enough.all():
        return source
    if not enough.any():
        raise InputError(
            f"no class has {least} images (min_per_class); the largest, "
            f"{index.class_names[int(counts.argmax())]!r}, has {int(counts.max())}"
        )
    return source.take(np.flatnonzero(enough[index.labels]))


def _choose_val(name: str, ids: np.ndarray, selection: Selection) -> np.ndarray:
    """(n,) bool for the ids of one class, which are in byte order."""
    if selection.val_fraction:
        below: np.ndarray = _scores(ids) < np.uint64(int(selection.val_fraction * 2**64))
        return below
    option = "val_first" if selection.val_first else "val_per_class"
    wanted: int = getattr(selection, option)
    if len(ids) <= wanted:
        raise InputError(
            f"class {name!r} has {len(ids)} images; wanted more than {option} = "
            f"{wanted}, so that some are left to train on"
        )
    chosen = np.zeros(len(ids), bool)
    chosen[: wanted if selection.val_first else 0] = True
    if selection.val_per_class:
        chosen[np.argsort(_scores(ids), kind="stable")[:wanted]] = True
    return chosen


def _scores(ids: np.ndarray) -> np.ndarray:
    return np.array(
        [int.from_bytes(hashlib.sha256(i).digest()[:8], "big") for i in ids.tolist()], np.uint64
    )
