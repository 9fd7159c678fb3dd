"""Scores on a class tree: how near the predicted class is to the sample's own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..kernels.ancestry import Forest, agreement, chain_overlap, sum_below
from ..kernels.contingency import Contingency
from .counts import count
from .top_n import check_top, standing
from .validate import (
    check_class_nodes,
    check_count,
    check_parents,
    check_placed_targets,
    check_same_length,
)


@dataclass(frozen=True)
class Level:
    """One depth of the tree."""

    depth: int  # 0: the roots
    n: int  # samples whose class is at this depth or deeper
    acc: float  # of them, the share whose predicted class has the same ancestor (or is it) here


@dataclass(frozen=True)
class ChainCoverage:
    """How much of the chain from a sample's class to its root ranked clusters find.

    Entry r - 1 of each tuple is for rank r. A cluster finds the nodes that the chain of its class
    shares with the sample's; shares are of the sample's chain, then averaged over samples.
    """

    chain_share: tuple[float, ...]  # what the r-th clusters find
    cumulative: tuple[float, ...]  # what the clusters up to the r-th find together
    chance: tuple[float, ...]  # of chain_share, where the r-th clusters are dealt out at random


@dataclass(frozen=True)
class HierarchyScores:
    """Scores of a prediction on a class tree."""

    n: int  # samples scored: those with a class
    n_classes: int
    n_clusters: int
    n_ranks: int
    n_unassigned: int  # of the samples scored, those without a cluster (prediction -1)
    n_unlabelled: int  # samples left out, since they have no class (target -1)
    acc: float
    lca_acc: float
    semantic_acc: float
    mistake_height: float | None  # None without a wrong sample that has a common ancestor
    mistakes_unrelated: float | None  # share of the wrong samples; None if none is wrong
    mistakes_unpaired: float | None
    levels: tuple[Level, ...]
    chains: ChainCoverage

    def to_dict(self) -> dict[str, Any]:
        """Plain ints, floats and None for JSON; levels and chains are dicts."""
        return asdict(self)


def score_hierarchy(
    targets: Any,
    predictions: Any,
    tree: Any,
    class_nodes: Any,
    *,
    n_clusters: int | None = None,
) -> HierarchyScores:
    """Compare predicted clusters with target classes that are nodes of a tree.

    The predicted class of a sample is the one paired with its cluster, one-to-one as for ACC (from
    the first clusters alone); a cluster without a class, and -1, predict none. A chain leads from a
    node to its root, both included.

    `lca_acc`: mean of 2 x depth of the lowest common ancestor / (depth of the class + depth of the
    predicted one), depths counted from 1 at a root; 0 without a common ancestor or a predicted
    class (Wu & Palmer, "Verb semantics and lexical selection", ACL 1994). Never below ACC.
    `levels`: ACC at every depth down to that of the deepest class, among the samples whose class
    reaches it. `semantic_acc`: their mean weighted by `n`, as in the semantic accuracy of Ridnik et
    al., "ImageNet-21K pretraining for the masses" (arXiv:2104.10972), which has one classifier for
    each level where here one predicted class answers for all.
    `mistake_height`: mean height of the lowest common ancestor of wrong samples, the height of a
    node being the longest path down to a leaf of the tree given, 0 for a leaf (Bertinetto et al.,
    "Making better mistakes", CVPR 2020). A lower one is better at equal ACC only. It leaves out
    wrong samples whose predicted class hangs from another root (`mistakes_unrelated`) and those
    without predicted class (`mistakes_unpaired`).
    `chains`: whether other ranks find coarser classes of the chain. The chance level is exact for
    rankings dealt out to the samples at random, the pairing kept: the sum over nodes of (mean over
    samples of 1 / chain length where the node is in the chain) x (share of samples whose r-th
    predicted class is at or below the node). The pairing is fitted to rank 1, which therefore
    exceeds its chance level even for predictions that know nothing; later ranks do not.

    Args:
        targets: (n,) whole numbers below n_classes; -1 means no class, the sample is left out.
        predictions: (n,) clusters, or (n, n_ranks) clusters best first, as for `score_top`.
        tree: a class tree whose `parents` are taken, or these: (n_nodes,) whole numbers, the parent
            of each node, -1 for a root. Several roots are allowed.
        class_nodes: (n_classes,) the node of each class, inner nodes too, no two the same.
        n_clusters: as for `score_top`.

    All but `chains` comes from the entries of the contingency table; time grows with their number
    (for `chains` with n x n_ranks) and the depth of the tree, memory with n and n_nodes.

    Raises:
        InputError: targets and predictions that `score_top` refuses, a class without node, nodes
            and parents out of range, nodes used twice, or parents in a cycle.

    Examples:
        Node 0 (animal) is above 1 (pet) and 2 (bird), 1 above 3 (cat) and 4 (dog). One dog of five
        samples falls into the cluster of the cats, 2 x 2 / (3 + 3) = 2/3 right:

        >>> from clusterbench.metrics import score_hierarchy
        >>> parents, class_nodes = [-1, 0, 0, 1, 1], [3, 4, 2]
        >>> scores = score_hierarchy([0, 0, 1, 1, 2], [0, 0, 1, 0, 2], parents, class_nodes)
        >>> scores.acc, round(scores.lca_acc, 4), scores.mistake_height
        (0.8, 0.9333, 1.0)
        >>> [(level.depth, level.n, level.acc) for level in scores.levels]
        [(0, 5, 1.0), (1, 5, 1.0), (2, 4, 0.75)]
        >>> round(scores.semantic_acc, 4)
        0.9286
    """
    if n_clusters is not None:
        n_clusters = check_count(n_clusters, "n_clusters")
    woods = check_parents(getattr(tree, "parents", tree))
    nodes = check_class_nodes(class_nodes, len(woods.parents))
    classes, nodes = check_placed_targets(targets, nodes)
    clusters = check_top(predictions, "predictions", limit=n_clusters)
    check_same_length(classes.values, clusters.values)
    counts = count(classes, clusters.first)
    table, columns = counts.table, counts.pairing.columns
    paired = columns >= 0
    cluster_nodes = np.full(clusters.highest + 2, -1, np.int32)  # the last: not assigned
    cluster_nodes[columns[paired]] = nodes[paired]

    agreed = agreement(table, nodes, cluster_nodes, woods)
    levels = _levels(table, woods.depth[nodes], agreed.shared)
    right, related = counts.pairing.total, int(agreed.mistakes.sum())
    wrong = counts.n - right
    unpaired = counts.n - int(table.column_sums[columns[paired]].sum())

    scored = classes.values >= 0
    clusters = clusters.of(scored)
    values = classes.values if scored.all() else classes.values[scored]
    shared, covered = chain_overlap(values, clusters.values, nodes, cluster_nodes, woods)
    sizes = clusters.cluster_sizes()
    chance = _chain_chance(table.row_sums, standing(sizes, columns), nodes, woods)
    return HierarchyScores(
        n=counts.n,
        n_classes=counts.n_groups[0],
        n_clusters=n_clusters or int(np.count_nonzero(sizes.any(axis=0))),
        n_ranks=len(sizes),
        n_unassigned=counts.n_unassigned,
        n_unlabelled=len(classes.values) - counts.n,
        acc=right / counts.n,
        lca_acc=agreed.credit / counts.n,
        semantic_acc=_mean_over_levels(agreed.shared, levels),
        mistake_height=int(agreed.mistakes @ woods.height) / related if related else None,
        mistakes_unrelated=(wrong - related - unpaired) / wrong if wrong else None,
        mistakes_unpaired=unpaired / wrong if wrong else None,
        levels=levels,
        chains=ChainCoverage(_mean_share(shared, counts.n), _mean_share(covered, counts.n), chance),
    )


def _levels(table: Contingency, depth: np.ndarray, shared: np.ndarray) -> tuple[Level, ...]:
    """depth: of each class; shared: samples by the number of nodes shared with their own chain."""
    n_levels = int(depth[table.row_sums > 0].max()) + 1
    sizes = np.zeros(n_levels, np.int64)
    present = table.row_sums > 0
    np.add.at(sizes, depth[present], table.row_sums[present])
    reach = np.cumsum(sizes[::-1])[::-1]
    right = np.cumsum(shared[::-1])[::-1][1 : n_levels + 1]
    levels = zip(reach.tolist(), right.tolist(), strict=True)
    return tuple(Level(at, n, hits / n) for at, (n, hits) in enumerate(levels))


def _mean_over_levels(shared: np.ndarray, levels: tuple[Level, ...]) -> float:
    right = int(shared @ np.arange(len(shared)))  # a sample is right at as many levels as it shares
    return right / sum(level.n for level in levels)


def _mean_share(nodes: np.ndarray, n: int) -> tuple[float, ...]:
    """nodes: (n_ranks, longest chain + 1), summed over samples by the length of their chain."""
    lengths = np.maximum(np.arange(nodes.shape[1]), 1)
    shares: list[float] = ((nodes / lengths).sum(axis=1) / n).tolist()
    return tuple(shares)


def _chain_chance(
    class_sizes: np.ndarray, samples: np.ndarray, nodes: np.ndarray, woods: Forest
) -> tuple[float, ...]:
    """samples: (n_ranks, n_classes), those whose predicted class at a rank is the class."""
    n = int(class_sizes.sum())
    own = np.zeros(len(woods.parents))
    own[nodes] = class_sizes / (woods.depth[nodes] + 1)
    own = sum_below(woods, own)
    chances = []
    for predicted in samples:
        at = np.zeros(len(woods.parents))
        at[nodes] = predicted
        chances.append(float(own @ sum_below(woods, at)) / n**2)
    return tuple(chances)
