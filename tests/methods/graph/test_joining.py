"""Parts that are joined along the graph: beside a plain reference, and where k-means cuts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from clusterbench.methods import SmoothedKMeans, StableKMeans
from clusterbench.methods.graph.adjacency import adjacency
from clusterbench.methods.graph.communities import numbered
from clusterbench.methods.graph.joining import JoinedParts, joined, joined_to
from clusterbench.methods.graph.links import Neighbourhood, held_together
from clusterbench.metrics import score


def plainly_joined(graph: np.ndarray, parts: np.ndarray, k: int) -> np.ndarray:
    """The definition: all pairs of sets of rows are looked at anew before each join."""
    names = sorted(set(parts.tolist()), key=lambda part: np.flatnonzero(parts == part)[0])
    sets = [np.flatnonzero(parts == name).tolist() for name in names]
    while len(sets) > k:
        best, which = 0.0, None
        for i, j in combinations(range(len(sets)), 2):
            weight = graph[np.ix_(sets[i], sets[j])].sum()
            ends = graph[sets[i]].sum() * graph[sets[j]].sum()
            if weight > 0 and weight / ends**0.75 > best:
                best, which = weight / ends**0.75, (i, j)
        if which is None:
            break
        i, j = which
        sets[i] += sets.pop(j)
    labels = np.empty(len(parts), dtype=np.int64)
    for name, rows in enumerate(sets):
        labels[rows] = name
    return labels


def random_graph(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Symmetric weights whose sums are exact and hardly ever equal."""
    upper = np.triu(rng.random((n, n)) < share, 1) * rng.integers(1, 1 << 20, (n, n)) / 2**20
    found: np.ndarray = upper + upper.T
    return found


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 40), n_parts=st.integers(1, 12), k=st.integers(1, 6),
    share=st.sampled_from([0.0, 0.03, 0.1, 0.5]), seed=st.integers(0, 9999),
)  # fmt: skip
def test_the_definition(n: int, n_parts: int, k: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, parts = random_graph(n, share, rng), rng.integers(0, n_parts, n)
    found = joined(sparse.csr_array(graph), parts, k)
    np.testing.assert_array_equal(found, plainly_joined(graph, parts, k))
    np.testing.assert_array_equal(found, numbered(found))
    for part in set(parts.tolist()):  # a part stays together
        assert len(set(found[parts == part])) == 1


def test_parts_without_edges_are_joined_by_what_is_most_similar() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    rows[15:] = rows[0] + 0.1 * rows[15:]  # the fourth group lies beside the first
    parts = SmoothedKMeans(4, device="cpu", rounds=0).fit(rows)
    found = JoinedParts.of(parts, joined_to(sparse.csr_array((20, 20)), parts.labels_, rows, 3), 3)
    assert sorted(np.bincount(found.labels_).tolist()) == [5, 5, 10]
    assert len(set(found.labels_[[0, 15]])) == 1


def unequal(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A cluster of 400 rows along an arc, and ten of 40 in a point each."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2.4, 400)
    arc = np.zeros((400, 12))
    arc[:, 0], arc[:, 1] = np.cos(angle), np.sin(angle)
    rows = np.vstack([arc, np.repeat(np.eye(12)[2:], 40, axis=0)])
    rows += 0.2 * rng.normal(size=rows.shape)
    return rows.astype(np.float32), np.repeat(np.arange(11), [400, *[40] * 10])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_large_cluster_that_kmeans_cuts_is_whole(seed: int) -> None:
    rows, labels = unequal(seed)

    class Cut(StableKMeans):
        _joins = False

    found, cut = (each(11, device="cpu").fit(rows) for each in (StableKMeans, Cut))
    assert found.diagnostics_["parts"] == 22
    assert cut.diagnostics_["parts"] == 11
    assert score(labels, found.labels_).ami > score(labels, cut.labels_).ami + 0.1
    assert len(np.unique(found.labels_)) == 11


@pytest.mark.parametrize(
    ("n", "k", "parts"), [(480, 10, 20), (160, 10, 20), (150, 10, 18), (140, 10, 17), (139, 10, 10)]
)
def test_a_part_has_eight_rows_and_there_are_two_at_most(n: int, k: int, parts: int) -> None:
    """With fewer than 14 rows a cluster nothing is averaged, and so nothing joined."""
    rng = np.random.default_rng(0)
    rows = np.eye(k)[np.arange(n) % k] + 0.2 * rng.normal(size=(n, k))
    found = StableKMeans(k, device="cpu").fit(rows.astype(np.float32))
    assert ("neighbours" in found.preparation_) == (n >= 140)
    assert found.diagnostics_["parts"] == parts


def test_given_centroids_are_not_joined() -> None:
    rows, _ = unequal(0)
    start = np.eye(12, dtype=np.float32)[1:]
    found = StableKMeans(11, device="cpu", init=start).fit(rows)
    assert found.diagnostics_["parts"] == 11


@pytest.mark.parametrize("refinements", [0, 3])
def test_ranks_are_of_different_clusters_and_begin_with_the_prediction(refinements: int) -> None:
    rows, _ = unequal(0)
    new = unequal(1)[0][::7]
    found = StableKMeans(11, device="cpu", refinements=refinements).fit(rows)
    assert found.diagnostics_["parts"] == 22
    for x in (rows, new):
        for n in (1, 4, 11):
            top = found.predict_top(x, n)
            np.testing.assert_array_equal(top[:, 0], found.predict(x))
            assert all(len(set(row)) == n for row in top.tolist())
    if not refinements:
        whole = found.predict_top(new, 11)
        np.testing.assert_array_equal(whole[:, :4], found.predict_top(new, 4))


def test_a_part_of_no_row_goes_where_its_centre_is() -> None:
    rows, _ = unequal(0)
    parts = SmoothedKMeans(22, device="cpu", rounds=0).fit(rows)
    graph = adjacency(Neighbourhood(rows, rows, rows, 10, False, "cpu").links, len(rows))
    whole = JoinedParts.of(parts, joined_to(graph, parts.labels_, rows, 11), 11)
    lost, near = 3, parts.cluster_centers_ - parts.cluster_centers_[3]
    nearest = int(np.argsort((near**2).sum(axis=1))[1])
    parts.labels_ = np.where(parts.labels_ == lost, nearest, parts.labels_)
    without = JoinedParts.of(parts, joined_to(graph, parts.labels_, rows, 11), 11)
    assert without.cluster_of[lost] == without.cluster_of[nearest]
    assert (whole.cluster_of >= 0).all() and (without.cluster_of >= 0).all()


def noise(n: int, dim: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Twenty clouds that lie so much in each other that a row's neighbours are of any."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 20, n)
    rows = rng.normal(size=(20, dim))[labels] + 3.0 * rng.normal(size=(n, dim))
    return rows.astype(np.float32), labels


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neighbours_that_are_noise_are_left_alone(seed: int) -> None:
    rows, labels = noise(2000, 64, seed)
    found = StableKMeans(20, device="cpu").fit(rows)
    plainly = SmoothedKMeans(20, device="cpu", rounds=0).fit(rows)
    assert "neighbours" not in found.preparation_ and found.diagnostics_["parts"] == 20
    assert np.bincount(found.labels_).max() < 300
    assert score(labels, found.labels_).ami > score(labels, plainly.labels_).ami - 0.03


def test_how_many_neighbours_are_of_a_rows_own_cluster() -> None:
    rows, labels = unequal(0)
    links = Neighbourhood(rows, rows, rows, 4, False, "cpu").links
    same = np.mean([labels[j] == labels[i] for i in range(len(rows)) for j in links.ids[i]])
    chance = sum(np.mean(labels == c) ** 2 for c in range(11))
    assert held_together(links, labels) == pytest.approx((same - chance) / (1 - chance), abs=1e-12)
    assert held_together(links, np.zeros(len(rows), dtype=int)) == 1.0
    none = Neighbourhood(0 * rows, 0 * rows, 0 * rows, 4, False, "cpu").links
    assert held_together(none, labels) == 0.0
    anyhow = np.random.default_rng(0).permutation(labels)
    assert abs(held_together(links, anyhow)) < 0.05
