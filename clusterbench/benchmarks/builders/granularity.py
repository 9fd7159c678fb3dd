"""Class granularity: one set of images, labelled at several levels of the class tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...errors import InputError
from ...taxonomy.cuts import cut_into, without_inner
from ...taxonomy.tree import Tree
from ..class_pool import Draft, Pool
from ..sampling import draw_classes, text_priorities
from .builder import Builder, Built, Material
from .granularity_params import GranularityParams
from .inner import assign_to_leaves

Read = Callable[[np.ndarray], np.ndarray]


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


def _build(material: Material, params: GranularityParams) -> Built:
    pool = material.pool(params.seed)
    if params.inner != "nearest-mean":
        return pool, granularity_task(pool, material.dataset.tree, params)
    store = material.dataset.store(params.encoder)
    draft = granularity_task(pool, material.dataset.tree, params, store.read)
    assigned = {"assigned_by": store.encoder, "assigned_by_identity": store.identity}
    return pool, replace(draft, notes={**draft.notes, **assigned})


BUILDER = Builder("granularity", GranularityParams, _build, needs_tree=True)
