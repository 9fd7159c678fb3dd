"""Images of inner classes of the tree, each counted as one of the leaf classes below.

The arithmetic is exact (see `unit_integers`): class means come from integer sums, and
inner products are integers that float32 holds, so every machine assigns the same images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...taxonomy.tree import Tree
from ..class_pool import Draft, Pool
from ..difficulty.unit_integers import NORM, unit_integers

if TYPE_CHECKING:
    from .granularity_params import GranularityParams

_BLOCK = 1 << 15  # rows of features held at a time


def assign_to_leaves(
    draft: Draft,
    pool: Pool,
    tree: Tree,
    inner: np.ndarray,
    params: GranularityParams,
    read: Callable[[np.ndarray], np.ndarray],
) -> Draft:
    """The draft with the images of `inner` classes in it, each as the nearest leaf below.

    draft: of leaf classes only; its training rows give the class means. inner: classes that have
    at least one of the draft's classes below them. read: rows -> (n, dim) features.

    Train and val images of inner classes are assigned by the means of training images alone.
    """
    if not len(inner):
        raise InputError('inner = "nearest-mean": no class stands above another one; drop it')
    leaves = np.flatnonzero(draft.groups >= 0)
    means = _class_means(pool, draft.train_rows, leaves, read)
    below = _leaves_below(pool, tree, inner, leaves)
    rows, classes = {}, {}
    for split, known, drawn in (
        ("train", draft.train_rows, pool.draw_train(inner, params.images_per_class)),
        ("eval", draft.eval_rows, pool.draw_eval(inner, params.eval_per_class)),
    ):
        assigned = leaves[_nearest(pool.labels[drawn], drawn, means, below, read)]
        merged = np.concatenate([known, drawn])
        counted = np.concatenate([pool.labels[known], assigned.astype(np.int32)])
        order = np.argsort(merged, kind="stable")
        rows[split], classes[split] = merged[order], counted[order]
    n_inner = len(rows["train"]) - len(draft.train_rows)
    return replace(
        draft,
        train_rows=rows["train"],
        eval_rows=rows["eval"],
        train_classes=classes["train"],
        eval_classes=classes["eval"],
        factors={
            **draft.factors,
            "n_inner_classes": float(len(inner)),
            "inner_share": n_inner / len(rows["train"]),
        },
    )


def _class_means(
    pool: Pool, rows: np.ndarray, leaves: np.ndarray, read: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """(n_leaves, dim) float32 integers: directions of the mean training features, norm 4000."""
    position = np.full(pool.n_classes, -1, dtype=np.int64)
    position[leaves] = np.arange(len(leaves))
    sums: np.ndarray | None = None
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        integers = unit_integers(read(block)).astype(np.int64)
        if sums is None:
            sums = np.zeros((len(leaves), integers.shape[1]), dtype=np.int64)
        np.add.at(sums, position[pool.labels[block]], integers)
    assert sums is not None
    # Sums of at most 2^24 images of 2^12 each would overflow the square; fewer are in one class.
    length = np.sqrt(np.square(sums).sum(axis=1).astype(np.float64))
    if (length == 0).any():
        lost = pool.class_names[int(leaves[int(np.argmin(length))])]
        raise InputError(f"the mean feature of class {lost!r} is zero; a cosine needs a direction")
    means: np.ndarray = np.rint(sums * (NORM / length)[:, None]).astype(np.float32)
    return means


def _leaves_below(
    pool: Pool, tree: Tree, inner: np.ndarray, leaves: np.ndarray
) -> dict[int, np.ndarray]:
    """Inner class -> positions in `leaves` of the classes below it, ascending."""
    is_inner = dict(zip(tree.find(pool.class_names[c] for c in inner).tolist(), inner, strict=True))
    found: dict[int, list[int]] = {int(c): [] for c in inner}
    nodes = tree.find(pool.class_names[c] for c in leaves)
    for position, node in enumerate(nodes.tolist()):
        for above in tree.chain(node).tolist()[1:]:
            if above in is_inner:
                found[int(is_inner[above])].append(position)
    return {c: np.array(positions, dtype=np.int64) for c, positions in found.items()}


def _nearest(
    labels: np.ndarray,
    rows: np.ndarray,
    means: np.ndarray,
    below: dict[int, np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """(n,) int64: for each row the position of the nearest mean below its class."""
    out = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        integers = unit_integers(read(rows[block]))
        own = labels[block]
        for c in np.unique(own).tolist():
            members = np.flatnonzero(own == c)
            candidates = below[c]
            cosine = integers[members] @ means[candidates].T
            out[start + members] = candidates[cosine.argmax(axis=1)]  # ties: the first class
    return out
