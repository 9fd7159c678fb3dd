"""Class granularity: one set of images, labelled at several levels of the class tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from ...taxonomy.cuts import cut_into, without_inner
from ...taxonomy.tree import Tree
from ..class_pool import Draft, Pool
from ..params import check_eval_per_class, require
from ..sampling import draw_classes, text_priorities
from .inner import assign_to_leaves

MERGES = ("tree", "random")
INNER = ("drop", "keep", "nearest-mean")

Read = Callable[[np.ndarray], np.ndarray]


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
        require(self.depth is None or self.depth >= 0, f"depth={self.depth} should be >= 0")
        require(
            self.coarse_share is None or 0 < self.coarse_share <= 1,
            f"coarse_share={self.coarse_share} should be in (0, 1]",
        )
        for name in ("n_coarse", "n_classes"):
            value = getattr(self, name)
            require(value is None or value >= 2, f"{name}={value} should be >= 2")
        for name in ("images_per_class", "min_images"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name}={value} should be >= 1")
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


def granularity_task(
    pool: Pool, tree: Tree | None, params: GranularityParams, read: Read | None = None
) -> Draft:
    """The images of the drawn fine classes, each labelled by its class's node in the cut.

    Tasks that differ in their cut or in `merge` alone have the same training and evaluation rows.
    read: rows -> (n, dim) features, for inner = "nearest-mean".
    Raises InputError without a tree, when too few classes remain, and when a cut leaves fewer
    than two labels.
    """
    if tree is None:
        raise InputError("this data set has no class tree; granularity tasks are cuts of one")
    classes = _fine_classes(pool, tree, params)
    nodes = tree.find(pool.class_names[c] for c in classes)
    labels = _cut(tree, nodes, params)
    used, targets = np.unique(labels, return_inverse=True)
    if len(used) < 2:
        raise InputError(f"the cut leaves {len(used)} label for {len(classes)} classes; cut deeper")
    names = tuple(tree.nodes[node] for node in used)
    if params.merge == "random":
        targets = _shuffled(pool, classes, targets, params.seed)
        names = tuple(f"random-{number:05d}" for number in range(len(used)))
    groups = np.full(pool.n_classes, -1, dtype=np.int32)
    groups[classes] = targets
    draft = Draft(
        train_rows=pool.draw_train(classes, params.images_per_class),
        eval_rows=pool.draw_eval(classes, params.eval_per_class),
        groups=groups,
        names=names,
        factors={
            "n_fine_classes": float(len(classes)),
            "fine_per_class": len(classes) / len(used),
            "mean_label_depth": float(tree.depth[labels].mean()),
        },
        notes={},
    )
    if params.inner != "nearest-mean":
        return draft
    if read is None:
        raise InputError('inner = "nearest-mean" needs features, and none were given')
    inner = _inner_classes(pool, tree, classes, nodes, params)
    return assign_to_leaves(draft, pool, tree, inner, params, read)


def _fine_classes(pool: Pool, tree: Tree, params: GranularityParams) -> np.ndarray:
    classes = _large_enough(pool, params)
    if params.inner != "keep" and len(classes):
        nodes = tree.find(pool.class_names[c] for c in classes)
        classes = classes[without_inner(tree, nodes)]
    wanted = params.n_classes or 2
    if len(classes) < wanted:
        raise InputError(
            f"{len(classes)} classes have at least {_least(params)} training and "
            f"{params.eval_per_class or 1} val images"
            f"{' and no other class below them' if params.inner != 'keep' else ''}; "
            f"{wanted} are needed"
        )
    if params.n_classes is not None:
        classes = draw_classes(classes, pool.class_names, params.n_classes, params.seed)
    return classes


def _inner_classes(
    pool: Pool, tree: Tree, leaves: np.ndarray, nodes: np.ndarray, params: GranularityParams
) -> np.ndarray:
    """Classes outside `leaves` that are above at least one of them."""
    above = np.zeros(len(tree), dtype=bool)
    front = nodes
    while len(front):
        front = np.unique(tree.parents[front])
        front = front[front >= 0]
        front = front[~above[front]]
        above[front] = True
    others = np.setdiff1d(_large_enough(pool, params), leaves)
    inner: np.ndarray = others[above[tree.find(pool.class_names[c] for c in others)]]
    return inner


def _large_enough(pool: Pool, params: GranularityParams) -> np.ndarray:
    return pool.usable(_least(params), params.eval_per_class or 1)


def _least(params: GranularityParams) -> int:
    return max(params.min_images, params.images_per_class or 1)


def _cut(tree: Tree, nodes: np.ndarray, params: GranularityParams) -> np.ndarray:
    """(n_classes,) int32: the node each class is labelled by."""
    if params.depth is not None:
        labels: np.ndarray = tree.cut(params.depth)[nodes]
        return labels
    n_coarse = params.n_coarse
    if params.coarse_share is not None:
        n_roots = len(np.unique(tree.cut(0)[nodes]))
        n_coarse = max(2, n_roots, int(params.coarse_share * len(nodes) + 0.5))
    return nodes if n_coarse is None else cut_into(tree, nodes, n_coarse)


def _shuffled(pool: Pool, classes: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """Targets of the same sizes, dealt out to the classes in seeded order."""
    # Another hash than the one that drew the classes, whose order is that of the draw.
    names = [f"merge/{pool.class_names[c]}" for c in classes]
    dealt = np.empty(len(targets), dtype=targets.dtype)
    dealt[np.argsort(text_priorities(names, seed), kind="stable")] = np.sort(targets)
    return dealt
