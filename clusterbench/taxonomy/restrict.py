"""A tree with fewer nodes: each kept node hangs from its nearest kept ancestor."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .tree import Tree


def restrict(tree: Tree, kept: np.ndarray) -> Tree:
    """The tree of the kept nodes; one without a kept ancestor becomes a root.

    Restricting twice is the same as restricting to the smaller set at once. At most `tree.height`
    vector steps.

    Args:
        tree: the nodes to choose from.
        kept: (n_nodes,) bool.

    Raises:
        InputError: a mask of another shape.
    """
    kept = np.asarray(kept, dtype=bool)
    if kept.shape != (len(tree),):
        raise InputError(f"kept has shape {kept.shape}; wanted ({len(tree)},), one per node")
    above = tree.parents.copy()
    while (skipped := (above >= 0) & ~kept[above]).any():
        above[skipped] = tree.parents[above[skipped]]
    rank = np.cumsum(kept, dtype=np.int32) - 1
    rows = np.flatnonzero(kept)
    parents = np.where(above[rows] >= 0, rank[above[rows]], -1)
    return Tree(
        tuple(tree.nodes[row] for row in rows), parents, tuple(tree.names[row] for row in rows)
    )


def with_ancestors(tree: Tree, nodes: np.ndarray) -> np.ndarray:
    """(n_nodes,) bool: the node is one of the given indices or above one of them."""
    found = np.zeros(len(tree), dtype=bool)
    found[np.asarray(nodes, dtype=np.int32)] = True
    for level in range(tree.height, 0, -1):
        at_level = np.flatnonzero(found & (tree.depth == level))
        found[tree.parents[at_level]] = True
    return found
