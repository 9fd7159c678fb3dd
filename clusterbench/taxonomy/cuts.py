"""Cuts of a class tree that aim at a number of coarse classes instead of a depth."""

from __future__ import annotations

import heapq

import numpy as np

from ..errors import InputError
from .tree import Tree


def cut_into(
    tree: Tree, classes: np.ndarray, n_coarse: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Group classes under about `n_coarse` nodes, always opening the heaviest group.

    Starts with one group per root. The group with the greatest weight (ties: the smaller node
    id) is replaced by one group per child that holds classes; where the opened node is a class
    itself, it stays as a group of its own. A node whose children would overshoot `n_coarse` by
    more than is missing stays closed, and the next heaviest is tried; hence "about".

    Args:
        tree: the nodes.
        classes: (n_classes,) node indices, unique.
        n_coarse: groups wanted.
        weights: (n_classes,) integers >= 1, by default 1 each (a group weighs what it has in
            classes; give image counts to weigh it by images).

    Returns:
        (n_classes,) int32: the node each class is grouped under, itself or an ancestor.

    Raises:
        InputError: `n_coarse` is not in 1..n_classes, the roots are already more, or a weight is
            below 1.
    """
    classes = np.asarray(classes, dtype=np.int32)
    n_classes = len(classes)
    if not 1 <= n_coarse <= n_classes:
        raise InputError(f"n_coarse={n_coarse} should be in 1..n_classes={n_classes}")
    total = _weight_below(tree, classes, weights)
    is_class = np.zeros(len(tree), dtype=bool)
    is_class[classes] = True

    open_groups: list[tuple[int, int]] = []  # (-weight, node): groups that can still be opened
    n_groups = 0
    for root in tree.roots.tolist():
        if total[root]:
            heapq.heappush(open_groups, (-int(total[root]), root))
            n_groups += 1
    if n_groups > n_coarse:
        raise InputError(
            f"n_coarse={n_coarse}, but the classes hang from {n_groups} roots; "
            f"ask for at least {n_groups}"
        )
    opened = np.zeros(len(tree), dtype=bool)
    while open_groups and n_groups < n_coarse:
        _, node = heapq.heappop(open_groups)
        below = [child for child in tree.children(node).tolist() if total[child]]
        if not below:
            continue  # a class without classes below it: nothing to open
        after = n_groups - 1 + len(below) + int(is_class[node])
        if after - n_coarse > n_coarse - n_groups:
            continue
        n_groups = after
        opened[node] = True
        for child in below:
            heapq.heappush(open_groups, (-int(total[child]), child))
    return _nearest_unopened(tree, classes, opened)


def _weight_below(tree: Tree, classes: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """(n_nodes,) int64: the weight of the classes at or below each node."""
    total = np.zeros(len(tree), dtype=np.int64)
    total[classes] = 1 if weights is None else np.asarray(weights, dtype=np.int64)
    if (total[classes] <= 0).any():
        raise InputError("the weight of every class must be at least 1")
    for level in range(tree.height, 0, -1):
        at_level = np.flatnonzero(tree.depth == level)
        np.add.at(total, tree.parents[at_level], total[at_level])
    return total


def _nearest_unopened(tree: Tree, classes: np.ndarray, opened: np.ndarray) -> np.ndarray:
    """The topmost node of each class's chain that was not opened (the class itself if all were)."""
    group = np.arange(len(tree), dtype=np.int32)
    for level in range(1, tree.height + 1):
        at_level = np.flatnonzero(tree.depth == level)
        parents = tree.parents[at_level]
        inherits = ~opened[group[parents]]
        group[at_level[inherits]] = group[parents[inherits]]
    nearest: np.ndarray = group[classes]
    return nearest


def without_inner(tree: Tree, classes: np.ndarray) -> np.ndarray:
    """(n_classes,) bool: the class is above no other of the given classes.

    Classes kept by this mask form an antichain, so that no label contains another one.
    """
    classes = np.asarray(classes, dtype=np.int32)
    weight = _weight_below(tree, classes, None)
    mask: np.ndarray = weight[classes] == 1
    return mask
