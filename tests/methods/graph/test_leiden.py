"""Leiden: as many communities as are wanted, merged by the rule, and new rows by their votes."""

from __future__ import annotations

import importlib.util
from typing import Any

import graph_plain as plain
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from clusterbench.errors import InputError
from clusterbench.methods import Leiden
from clusterbench.methods.graph.communities import TRIALS, by_resolution, merged, numbered


def made(k: int, **settings: Any) -> Leiden:
    return Leiden(k, **{"device": "cpu", **settings})


def modularity(graph: np.ndarray, labels: np.ndarray, resolution: float) -> float:
    degree, whole = graph.sum(axis=1), graph.sum()
    same = labels[:, None] == labels
    return float(((graph - resolution * np.outer(degree, degree) / whole) * same).sum() / whole)


def test_communities_are_of_higher_modularity_than_any_one_move_gives() -> None:
    rows = plain.blobs(150, 6)
    found = made(6, n_neighbors=8).fit(rows)
    assert found.diagnostics_["n_communities"] == 6
    graph = plain.adjacency(rows, 8)
    best = modularity(graph, found.labels_, found.resolution_)
    for row in range(150):
        for other in range(6):
            moved = found.labels_.copy()
            moved[row] = other
            assert modularity(graph, moved, found.resolution_) <= best + 1e-9


@pytest.mark.parametrize("k", [1, 2, 5, 17, 60, 200])
def test_there_are_as_many_clusters_as_are_wanted(k: int) -> None:
    found = made(k).fit(plain.blobs(200, 8))
    assert set(found.labels_) == set(range(k))


def steps(counts: dict[float, int]) -> Any:
    """A partition whose number of communities is a step function of the resolution."""

    def partition(resolution: float) -> np.ndarray:
        count = max(n for least, n in counts.items() if resolution >= least)
        return np.arange(200) % count

    return partition


@pytest.mark.parametrize(
    ("counts", "k", "expected"),
    [
        ({0: 1, 0.3: 7, 50: 90}, 7, 7),
        ({0: 1, 0.3: 7, 50: 90}, 8, 90),
        ({0: 3, 5: 7}, 2, 3),
        ({0: 3, 5: 7}, 9, 7),  # no resolution gives so many: the most there are
    ],
)
def test_the_fewest_that_are_enough(counts: dict[float, int], k: int, expected: int) -> None:
    told: list[tuple[int, int]] = []
    found, resolution = by_resolution(steps(counts), k, lambda *n: told.append(n))
    assert found.max() + 1 == expected
    assert (steps(counts)(resolution) == found).all()
    assert told[-1] == (TRIALS, TRIALS) and len(told) <= TRIALS + 1


def merged_by_loops(graph: np.ndarray, labels: np.ndarray, unit: np.ndarray, k: int) -> np.ndarray:
    groups = [set(np.flatnonzero(labels == c)) for c in range(labels.max() + 1)]
    alive = list(range(len(groups)))
    while len(alive) > k:
        small = min(alive, key=lambda c: (len(groups[c]), c))
        others = [c for c in alive if c != small]

        def weight(c: int, small: int = small) -> float:
            between = graph[np.ix_(sorted(groups[small]), sorted(groups[c]))].sum()
            return float(between) / len(groups[c])

        def cosine(c: int, small: int = small) -> float:
            a, b = (unit[sorted(groups[g])].sum(axis=0) for g in (small, c))
            return float(a @ b / np.linalg.norm(b))

        by = weight if any(weight(c) > 0 for c in others) else cosine
        best = max(others, key=lambda c: (round(by(c), 9), -c))
        groups[best] |= groups[small]
        alive.remove(small)
    result = np.empty(len(labels), dtype=np.int64)
    for number, group in enumerate(alive):
        result[sorted(groups[group])] = number
    return numbered(result)


@given(st.integers(2, 25), st.integers(1, 4), st.integers(0, 999))
def test_communities_are_merged_as_by_loops(n: int, degree: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = np.zeros((n, n))
    for _ in range(n * degree // 2):
        i, j = rng.integers(n, size=2)
        if i != j:
            graph[i, j] = graph[j, i] = rng.integers(1, 4) / 2
    labels = numbered(rng.integers(1 + n // 2, size=n))
    unit = plain.unit(rng.normal(size=(n, 3))).astype(np.float32)
    k = 1 + seed % (labels.max() + 1)
    found = merged(sparse.csr_array(graph), labels, unit, k)
    np.testing.assert_array_equal(found, merged_by_loops(graph, labels, unit, k))
    assert set(found) == set(range(k))


def test_new_rows_go_where_their_neighbours_votes_go() -> None:
    rows, new = plain.blobs(120, 5, spread=0.9), plain.blobs(60, 5, spread=0.9, seed=1)
    found = made(6, n_neighbors=5).fit(rows)
    a, b = plain.unit(new), plain.unit(rows)
    top = found.predict_top(new, 6)
    means = plain.unit(np.stack([b[found.labels_ == c].sum(axis=0) for c in range(6)]))
    for i, near in enumerate(plain.nearest(new, rows, 5, False)):
        votes = np.zeros(6)
        for j in near:
            votes[found.labels_[j]] += max(a[i] @ b[j], 0)
        order = sorted(range(6), key=lambda c: (-round(votes[c], 6), -(a[i] @ means[c])))
        assert top[i].tolist() == order
    np.testing.assert_array_equal(found.predict(new), top[:, 0])


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 999))
@pytest.mark.filterwarnings("ignore:.*all zeros")
def test_any_rows_and_any_number_of_clusters(n: int, n_neighbors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)).astype(np.float32)
    rows[rng.integers(n, size=2)] = 0.0
    k = (1, n, 1 + seed % n)[seed % 3]
    one, two = (made(k, n_neighbors=n_neighbors, random_state=seed).fit(rows) for _ in range(2))
    np.testing.assert_array_equal(one.labels_, two.labels_)
    np.testing.assert_array_equal(one.predict(rows), one.labels_)
    zeros = one.labels_[~rows.any(axis=1)]
    assert len(set(zeros)) == 1
    assert (np.sort(one.predict_top(rows, k), axis=1) == np.arange(k)).all()


def test_what_does_not_fit_is_refused_before_it_begins() -> None:
    with pytest.raises(InputError, match=r"leiden of 1,000,000 rows .* GB are available"):
        made(2, n_neighbors=10**6).fit(np.ones((10**6, 1), dtype=np.float32))


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"graspologic-native; pip install 'clusterbench\[graph\]'"
    ):
        made(3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors=0"),
        ({"iterations": 0}, "iterations=0"),
        ({"randomness": 0.0}, "randomness=0.0"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(3, **settings)
