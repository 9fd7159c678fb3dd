"""Parameters of one granularity task."""

from __future__ import annotations

from dataclasses import dataclass

from ..params import check_count, check_draw, check_eval_per_class, require

MERGES = ("tree", "random")
INNER = ("drop", "keep", "nearest-mean")


@dataclass(frozen=True)
class GranularityParams:
    """One level of labels over a set of images that the other parameters fix.

    depth: a class becomes its ancestor at this depth of the tree (0 = roots).
    n_coarse: classes are grouped into about this many nodes of the tree.
    coarse_share: the same, as a share of the number of classes. None of the three: the classes
    themselves. More than one: refused.
    merge: "tree", or "random": the control. Classes are merged at random into labels of as many
    classes each as the tree's have, so K and, with `images_per_class`, the label sizes are the
    same, and only what is together differs.
    n_classes: fine classes, drawn; None: all. images_per_class: training images of each fine
    class, drawn; None: all. min_images: fine classes need this many training images.
    inner: what becomes of classes that stand above another class of the data set. "drop": left
    out, so that no label contains another one. "keep": labels like the others. "nearest-mean":
    each of their images counts as the leaf class below it whose mean training feature is nearest
    (cosine; of the leaves in the task), as `encoder` sees it.
    encoder: whose features assign images of inner classes; None: the data set's default.
    eval_per_class: val images per fine class; None: all.
    """

    depth: int | None = None
    n_coarse: int | None = None
    coarse_share: float | None = None
    merge: str = "tree"
    n_classes: int | None = None
    images_per_class: int | None = None
    min_images: int = 1
    inner: str = "drop"
    encoder: str | None = None
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        cuts = [
            f"{name}={getattr(self, name)}"
            for name in ("depth", "n_coarse", "coarse_share")
            if getattr(self, name) is not None
        ]
        require(len(cuts) < 2, f"{' and '.join(cuts)} are {len(cuts)} cuts; give one of them")
        check_draw(self.seed, self.depth)
        require(
            self.coarse_share is None or 0 < self.coarse_share <= 1,
            f"coarse_share={self.coarse_share} should be in (0, 1]",
        )
        for name in ("n_coarse", "n_classes"):
            check_count(name, getattr(self, name), 2)
        for name in ("images_per_class", "min_images"):
            check_count(name, getattr(self, name), 1)
        require(self.merge in MERGES, f"merge={self.merge!r} should be one of {', '.join(MERGES)}")
        require(self.inner in INNER, f"inner={self.inner!r} should be one of {', '.join(INNER)}")
        require(
            self.merge == "tree" or bool(cuts),
            'merge="random" needs the cut whose sizes it copies; give depth or n_coarse',
        )
        require(
            self.encoder is None or self.inner == "nearest-mean",
            f'encoder={self.encoder!r} is for inner = "nearest-mean" only',
        )
        check_eval_per_class(self.eval_per_class)
