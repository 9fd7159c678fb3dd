"""Rankings, class trees and label sets to score, as hypothesis strategies and as large arrays."""

import numpy as np
from hypothesis import strategies as st

from clusterbench.kernels.assignment import assign
from clusterbench.kernels.contingency import contingency

GAPS = st.sampled_from([1, 3, 10**9])  # what cluster numbers are multiplied by
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def ranked_targets(draw, max_n=25, n_classes=None, missing=True):
    """(targets, ranked): (n,) and (n, n_ranks) int64; -1 ends some rows, and is some targets."""
    rng = np.random.default_rng(draw(SEEDS))
    n, n_classes = draw(st.integers(1, max_n)), n_classes or draw(st.integers(1, 6))
    targets = rng.integers(n_classes, size=n)
    if missing:
        targets[rng.random(n) < draw(st.sampled_from([0, 0.3]))] = -1
        targets[rng.integers(n)] = rng.integers(n_classes)
    return targets, draw(rankings(n))


@st.composite
def rankings(draw, n):
    """(n, n_ranks) int64: clusters, different in each row, -1 from some rank on."""
    rng = np.random.default_rng(draw(SEEDS))
    n_clusters = draw(st.integers(1, 8))
    n_ranks = draw(st.integers(1, min(4, n_clusters)))
    rows = np.array([rng.permutation(n_clusters)[:n_ranks] for _ in range(n)])
    if draw(st.booleans()):
        rows *= draw(GAPS)
    lengths = rng.integers(draw(st.sampled_from([0, n_ranks])), n_ranks + 1, size=n)
    rows[np.arange(n_ranks) >= lengths[:, None]] = -1
    return rows


@st.composite
def forests(draw, max_nodes=12):
    """(n_nodes,) int32 parents: a forest of one or more roots, its nodes in any order."""
    rng = np.random.default_rng(draw(SEEDS))
    return random_forest(rng, draw(st.integers(1, max_nodes)), draw(st.integers(1, 4)))


def random_forest(rng, n_nodes, n_roots, reach=None):
    """Parents in random order; with `reach` a node hangs from one of that many before it: deep."""
    parents = np.full(n_nodes, -1)
    for node in range(min(n_roots, n_nodes), n_nodes):
        parents[node] = rng.integers(0 if reach is None else max(0, node - reach), node)
    place = rng.permutation(n_nodes)
    shuffled = np.empty(n_nodes, np.int32)
    shuffled[place] = np.where(parents >= 0, place[parents], -1)
    return shuffled


@st.composite
def label_sets(draw, n, n_labels=6):
    """A list of n sorted lists of labels, some of them empty but not all."""
    rng = np.random.default_rng(draw(SEEDS))
    sizes = rng.integers(0, n_labels + 1, size=n)
    sizes[rng.integers(n)] = rng.integers(1, n_labels + 1)
    return [rng.choice(n_labels, size, replace=False).tolist() for size in sizes]


def flat(sets):
    """(labels, offsets) of lists of labels."""
    offsets = np.concatenate([[0], np.cumsum([len(labels) for labels in sets])])
    return np.array([label for labels in sets for label in labels]), offsets


def chain(parents, node):
    """The nodes from `node` to its root."""
    nodes = [int(node)]
    while parents[nodes[-1]] >= 0:
        nodes.append(int(parents[nodes[-1]]))
    return nodes


def pairing(pairs):
    """cluster -> label of the best one-to-one pairing of (label, cluster) pairs, -1 left out."""
    pairs = [(label, cluster) for label, cluster in pairs if label >= 0 and cluster >= 0]
    if not pairs:
        return {}
    labels, rows = np.unique([label for label, _ in pairs], return_inverse=True)
    clusters, columns = np.unique([cluster for _, cluster in pairs], return_inverse=True)
    assigned = assign(contingency(rows, columns, len(labels), len(clusters))).columns
    return {
        int(clusters[c]): int(label) for label, c in zip(labels, assigned, strict=True) if c >= 0
    }


def full_size(rng, n=522_500, n_classes=10_450, n_ranks=5, right=0.6):
    """Balanced int32 targets; int32 rankings whose primary cluster is right for a share of them."""
    targets = (np.arange(n) % n_classes).astype(np.int32)
    first = np.where(rng.random(n) < right, targets, rng.integers(n_classes, size=n))
    steps = rng.integers(1, n_classes // n_ranks, size=n)
    ranked = (first[:, None] + steps[:, None] * np.arange(n_ranks)) % n_classes
    return targets, ranked.astype(np.int32)
