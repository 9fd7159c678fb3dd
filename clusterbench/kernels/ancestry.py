"""Common ancestors in a forest of classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import compiled
from .contingency import Contingency
from .top_ranks import read_only


class Forest(NamedTuple):
    """Nodes with at most one parent each."""

    parents: np.ndarray  # (n_nodes,) int32: -1 for a root
    depth: np.ndarray  # (n_nodes,) int32: steps up to the root, 0 for a root
    height: np.ndarray  # (n_nodes,) int32: steps down to the farthest leaf, 0 for a leaf
    deepest_first: (
        np.ndarray
    )  # (n_nodes,) int32: nodes in an order that has children before parents


class Agreement(NamedTuple):
    """How far predicted classes agree with the samples' own."""

    credit: float  # summed over samples: 2 x shared nodes / (nodes of the two chains), at most 1
    shared: np.ndarray  # (longest chain + 1,) int64: samples by the number of nodes shared
    mistakes: np.ndarray  # (n_nodes,) int64: wrong samples by their lowest common ancestor


def depths(parents: np.ndarray) -> np.ndarray:
    """Steps from each node up to its root, in time O(n_nodes).

    Args:
        parents: (n_nodes,) int32 in [-1, n_nodes).

    Returns:
        (n_nodes,) int32. Where there are cycles, -1 marks at least one node of one of them.
    """
    depth = np.full(len(parents), -1, np.int32)
    _measure_depth(read_only(parents), depth)
    return depth


def forest(parents: np.ndarray, depth: np.ndarray) -> Forest:
    """The forest of these parents.

    Args:
        parents: (n_nodes,) int32 in [-1, n_nodes), without a cycle.
        depth: (n_nodes,) int32, as of `depths`.
    """
    order = np.argsort(-depth, kind="stable").astype(np.int32)
    height = np.zeros(len(parents), np.int32)
    arrays = read_only(parents), read_only(order)
    _measure_height(*arrays, height)
    return Forest(arrays[0], read_only(depth), read_only(height), arrays[1])


def sum_below(forest: Forest, weights: np.ndarray) -> np.ndarray:
    """For every node the weights of itself and all nodes below it: (n_nodes,) float64.

    Args:
        forest: the nodes.
        weights: (n_nodes,) numbers.
    """
    sums = weights.astype(np.float64)
    _sum_below(forest.parents, forest.deepest_first, sums)
    return sums


def agreement(
    table: Contingency, class_nodes: np.ndarray, cluster_nodes: np.ndarray, forest: Forest
) -> Agreement:
    """Compare the node of every class with the nodes of the clusters it falls into.

    Time O(depth) for each entry of the table; memory O(n_nodes).

    Args:
        table: samples by class (rows) and cluster (columns).
        class_nodes: (n_rows,) int32, the node of each class.
        cluster_nodes: (n_columns or more,) int32, the node of the class that a cluster stands for,
            -1 for none.
        forest: the nodes.
    """
    shared = np.zeros(int(forest.depth.max()) + 2, np.int64)
    mistakes = np.zeros(len(forest.parents), np.int64)
    credit = _agree(
        table.indptr,
        table.indices,
        table.data,
        read_only(class_nodes),
        read_only(cluster_nodes),
        forest.parents,
        forest.depth,
        shared,
        mistakes,
    )
    return Agreement(float(credit), shared, mistakes)


def chain_overlap(
    targets: np.ndarray,
    ranked: np.ndarray,
    class_nodes: np.ndarray,
    cluster_nodes: np.ndarray,
    forest: Forest,
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes that the chain of a sample's class shares with those of its ranked clusters.

    The chain of a node leads from it to its root, both included. As chains that meet go on
    together, what is shared with any of several ranks is the largest of what is shared with each.
    Time O(n x n_ranks x depth).

    Args:
        targets: (n,) int32 or int64 classes.
        ranked: (n, n_ranks) int32 clusters, -1 for none.
        class_nodes: as for `agreement`.
        cluster_nodes: as for `agreement`.
        forest: the nodes.

    Returns:
        Nodes shared at each rank, and nodes shared with any rank up to it: two (n_ranks, longest
        chain + 1) int64, summed over the samples by the length of their own chain.
    """
    shape = ranked.shape[1], int(forest.depth.max()) + 2
    shared, covered = np.zeros((2, *shape), np.int64)
    arrays = read_only(targets), read_only(ranked), read_only(class_nodes), read_only(cluster_nodes)
    _overlap(*arrays, forest.parents, forest.depth, shared, covered)
    return shared, covered


@compiled
def _measure_depth(parents: np.ndarray, depth: np.ndarray) -> None:
    for start in range(parents.size):
        steps, node = 0, start
        while node >= 0 and depth[node] < 0:
            if steps == parents.size:
                return
            steps += 1
            node = parents[node]
        below = depth[node] if node >= 0 else -1
        node = start
        for step in range(steps):
            depth[node] = below + steps - step
            node = parents[node]


@compiled
def _measure_height(parents: np.ndarray, deepest_first: np.ndarray, height: np.ndarray) -> None:
    for node in deepest_first:
        if parents[node] >= 0:
            height[parents[node]] = max(height[parents[node]], height[node] + 1)


@compiled
def _sum_below(parents: np.ndarray, deepest_first: np.ndarray, sums: np.ndarray) -> None:
    for node in deepest_first:
        if parents[node] >= 0:
            sums[parents[node]] += sums[node]


@compiled
def _common(parents: np.ndarray, depth: np.ndarray, a: int, b: int) -> int:
    """The lowest common ancestor of two nodes, -1 for none or where one is -1.

    Two roots step to -1 together, so different trees meet there.
    """
    if a < 0 or b < 0:
        return -1
    while a != b:
        depth_a, depth_b = depth[a], depth[b]
        if depth_a >= depth_b:
            a = parents[a]
        if depth_b >= depth_a:
            b = parents[b]
    return a


@compiled
def _agree(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    class_nodes: np.ndarray,
    cluster_nodes: np.ndarray,
    parents: np.ndarray,
    depth: np.ndarray,
    shared: np.ndarray,
    mistakes: np.ndarray,
) -> float:
    credit = 0.0
    for row in range(indptr.size - 1):
        node = class_nodes[row]
        for entry in range(indptr[row], indptr[row + 1]):
            other = cluster_nodes[indices[entry]]
            common = _common(parents, depth, node, other)
            if common < 0:
                shared[0] += data[entry]
                continue
            length = depth[common] + 1
            shared[length] += data[entry]
            if other != node:
                mistakes[common] += data[entry]
            credit += data[entry] * (2.0 * length / (depth[node] + depth[other] + 2))
    return credit


@compiled
def _overlap(
    targets: np.ndarray,
    ranked: np.ndarray,
    class_nodes: np.ndarray,
    cluster_nodes: np.ndarray,
    parents: np.ndarray,
    depth: np.ndarray,
    shared: np.ndarray,
    covered: np.ndarray,
) -> None:
    for sample in range(ranked.shape[0]):
        node = class_nodes[targets[sample]]
        length = depth[node] + 1
        most = 0
        for rank in range(ranked.shape[1]):
            cluster = ranked[sample, rank]
            if cluster >= 0:
                common = _common(parents, depth, node, cluster_nodes[cluster])
                if common >= 0:
                    shared[rank, length] += depth[common] + 1
                    most = max(most, depth[common] + 1)
            covered[rank, length] += most
