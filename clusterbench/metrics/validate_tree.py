"""Checks on a class tree that a caller hands in as arrays, and on where its classes are."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.ancestry import Forest, depths, forest
from .validate import Labels, as_array, check_labels, check_targets, whole_numbers


def check_parents(parents: Any) -> Forest:
    """Parents as a forest, or InputError."""
    array = as_array(parents, "parents")
    if array.ndim != 1:
        raise InputError(
            f"parents has shape {array.shape}; give a 1-D array, the parent of each node"
        )
    array = whole_numbers(array, "parents")
    wrong = (array < -1) | (array >= len(array))
    if wrong.any():
        node = int(wrong.argmax())
        raise InputError(
            f"parents has {array[node]} for node {node}; "
            f"a parent is a node, 0 to {len(array) - 1}, or -1 for a root"
        )
    array = np.ascontiguousarray(array, dtype=np.int32)
    depth = depths(array)
    if (depth < 0).any():
        raise InputError(
            f"parents has a cycle: the chain from node {int((depth < 0).argmax())} never ends; "
            "a chain of parents must end at a root, -1"
        )
    return forest(array, depth)


def check_class_nodes(class_nodes: Any, n_nodes: int) -> np.ndarray:
    """(n_classes,) int32 nodes, no two the same, or InputError."""
    array = as_array(class_nodes, "class_nodes")
    if array.ndim != 1:
        raise InputError(
            f"class_nodes has shape {array.shape}; give a 1-D array, the node of each class"
        )
    array = whole_numbers(array, "class_nodes")
    wrong = (array < 0) | (array >= n_nodes)
    if wrong.any():
        position = int(wrong.argmax())
        raise InputError(
            f"class_nodes has {array[position]} for class {position}; "
            f"the nodes of the tree are 0 to {n_nodes - 1}"
        )
    found, repeats = np.unique(array, return_counts=True)
    if len(found) < len(array):
        node = found[repeats > 1][0]
        first, second = np.flatnonzero(array == node)[:2].tolist()
        raise InputError(
            f"class_nodes has node {node} for classes {first} and {second}; "
            "give each class a node of its own"
        )
    return array.astype(np.int32)


def check_placed_targets(targets: Any, nodes: np.ndarray) -> tuple[Labels, np.ndarray]:
    """Targets as labels below len(nodes), and the node of each class from 0 to the highest.

    nodes: (n_classes,) int32. Raises InputError for targets without a node, and as `check_targets`.
    """
    classes = check_labels(targets, "targets", limit=len(nodes), option="len(class_nodes)")
    return check_targets(classes.values), nodes[classes.given]
