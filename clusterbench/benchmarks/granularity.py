"""Class granularity: one set of images, labelled at several levels of the class tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..taxonomy.cuts import cut_into, without_inner
from ..taxonomy.tree import Tree
from .params import check_eval_per_class, require
from .pool import Draft, Pool
from .sampling import draw_classes


@dataclass(frozen=True)
class GranularityParams:
    """One level of labels over a set of images that the other parameters fix.

    depth: a class becomes its ancestor at this depth of the tree (0 = roots).
    n_coarse: classes are grouped into about this many nodes of the tree.
    Neither: the classes themselves. Both: refused.
    n_classes: fine classes, drawn; None: all. images_per_class: training images of each fine
    class, drawn; None: all. min_images: fine classes need this many training images.
    leaves_only: leave out classes that stand above another class of the data set, so that no
    label contains another one.
    eval_per_class: val images per fine class; None: all.
    """

    depth: int | None = None
    n_coarse: int | None = None
    n_classes: int | None = None
    images_per_class: int | None = None
    min_images: int = 1
    leaves_only: bool = True
    eval_per_class: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.depth is None or self.n_coarse is None,
            f"depth={self.depth} and n_coarse={self.n_coarse} are two cuts; give one of them",
        )
        require(self.depth is None or self.depth >= 0, f"depth={self.depth} should be >= 0")
        for name in ("n_coarse", "n_classes"):
            value = getattr(self, name)
            require(value is None or value >= 2, f"{name}={value} should be >= 2")
        for name in ("images_per_class", "min_images"):
            value = getattr(self, name)
            require(value is None or value >= 1, f"{name}={value} should be >= 1")
        check_eval_per_class(self.eval_per_class)


def granularity_task(pool: Pool, tree: Tree | None, params: GranularityParams) -> Draft:
    """The images of the drawn fine classes, each labelled by its class's node in the cut.

    Tasks that differ in `depth` or `n_coarse` alone have the same training and evaluation rows.
    Raises InputError without a tree, when too few classes remain, and when a cut leaves fewer
    than two labels.
    """
    if tree is None:
        raise InputError("this data set has no class tree; granularity tasks are cuts of one")
    classes = _fine_classes(pool, tree, params)
    nodes = tree.find(pool.class_names[c] for c in classes)
    if params.depth is not None:
        labels = tree.cut(params.depth)[nodes]
    elif params.n_coarse is not None:
        labels = cut_into(tree, nodes, params.n_coarse)
    else:
        labels = nodes
    used, targets = np.unique(labels, return_inverse=True)
    if len(used) < 2:
        raise InputError(f"the cut leaves {len(used)} label for {len(classes)} classes; cut deeper")
    groups = np.full(pool.n_classes, -1, dtype=np.int32)
    groups[classes] = targets
    return Draft(
        train_rows=pool.draw_train(classes, params.images_per_class),
        eval_rows=pool.draw_eval(classes, params.eval_per_class),
        groups=groups,
        names=tuple(tree.nodes[node] for node in used),
        factors={
            "n_fine_classes": float(len(classes)),
            "fine_per_class": len(classes) / len(used),
            "mean_label_depth": float(tree.depth[labels].mean()),
        },
        notes={},
    )


def _fine_classes(pool: Pool, tree: Tree, params: GranularityParams) -> np.ndarray:
    min_images = max(params.min_images, params.images_per_class or 1)
    classes = pool.usable(min_images, params.eval_per_class or 1)
    if params.leaves_only and len(classes):
        nodes = tree.find(pool.class_names[c] for c in classes)
        classes = classes[without_inner(tree, nodes)]
    wanted = params.n_classes or 2
    if len(classes) < wanted:
        raise InputError(
            f"{len(classes)} classes have at least {min_images} training and "
            f"{params.eval_per_class or 1} val images"
            f"{' and no other class below them' if params.leaves_only else ''}; "
            f"{wanted} are needed"
        )
    if params.n_classes is not None:
        classes = draw_classes(classes, pool.class_names, params.n_classes, params.seed)
    return classes
