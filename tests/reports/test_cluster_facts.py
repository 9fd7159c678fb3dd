"""Sizes and contents of clusters by a case worked by hand, and against plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
from for_reports.edited_results import counts_of
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.reports.cluster_facts import cluster_sizes


def test_by_hand() -> None:
    # Cluster 0 holds classes 0 0 1, cluster 1 holds 2 2, cluster 3 holds 1, cluster 4 holds 0 2.
    targets = [0, 0, 1, 2, 2, 1, 0, 2]
    clusters = [0, 0, 0, 1, 1, 3, 4, 4]
    found = cluster_sizes(counts_of(targets, clusters), k=6, n_classes=4, n=1)
    assert found.clusters.tolist() == [3, 2, 2, 1, 0, 0]
    assert found.classes.tolist() == [3, 3, 2, 0]
    assert (found.n_empty, found.n_single) == (2, 1)
    (largest,) = found.largest
    assert (largest.cluster, largest.size, largest.classes) == (0, 3, ((0, 2), (1, 1)))
    assert (largest.n_classes, largest.paired) == (2, 0)
    (mixed,) = found.mixed  # cluster 1 is pure, so it is not mixed
    assert (mixed.cluster, mixed.classes, mixed.paired) == (4, ((0, 1), (2, 1)), None)
    assert [content.cluster for content in found.smallest] == [3]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=60))
def test_against_counting(samples: list[tuple[int, int]]) -> None:
    targets, clusters = (np.array(column) for column in zip(*samples, strict=True))
    found = cluster_sizes(counts_of(targets, clusters), k=9, n_classes=7, n=3)
    sizes = Counter(clusters.tolist())
    assert found.clusters.tolist() == sorted((sizes[c] for c in range(9)), reverse=True)
    assert found.n_empty == 9 - len(sizes)
    named = [*found.largest, *found.mixed, *found.smallest]
    assert len({content.cluster for content in named}) == len(named)
    assert len(found.largest) == min(3, len(sizes))
    for content in named:
        inside = Counter(targets[clusters == content.cluster].tolist())
        wanted = sorted(inside.items(), key=lambda item: (-item[1], item[0]))
        assert content.classes == tuple(wanted[:4])
        assert content.size == sizes[content.cluster] and content.n_classes == len(inside)
