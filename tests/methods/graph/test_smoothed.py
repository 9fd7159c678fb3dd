"""Smoothed k-means: rows and new rows are averaged as plain loops do it."""

from __future__ import annotations

from typing import Any

import graph_plain as plain
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmeans_plain import nearest

from clusterbench.errors import InputError
from clusterbench.methods import KMeans, SmoothedKMeans
from clusterbench.methods.graph.links import row_hashes


def made(k: int, **settings: Any) -> SmoothedKMeans:
    return SmoothedKMeans(k, **{"device": "cpu", **settings})


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize(("k", "rounds"), [(1, 1), (4, 1), (5, 3), (40, 2)])
def test_rows_and_new_rows_are_averaged_as_by_loops(k: int, rounds: int, mutual: bool) -> None:
    rows, new = plain.blobs(80, 5), plain.blobs(30, 5, seed=1)
    found = made(4, n_neighbors=k, rounds=rounds, mutual=mutual).fit(rows)
    trained, placed = plain.smoothed(rows, new, k, rounds, mutual)
    means = [trained[found.labels_ == c].mean(axis=0) for c in range(4)]
    np.testing.assert_allclose(found.cluster_centers_, means, atol=2e-6)
    np.testing.assert_array_equal(found.labels_, nearest(trained, found.cluster_centers_)[0])
    np.testing.assert_array_equal(found.predict(new), nearest(placed, found.cluster_centers_)[0])
    squared = ((placed[:, None] - found.cluster_centers_[None]) ** 2).sum(axis=2)
    ranked = np.sort(np.take_along_axis(squared, found.predict_top(new, 4), axis=1), axis=1)
    np.testing.assert_allclose(ranked, np.sort(squared, axis=1), atol=1e-5)
    assert found.counts_.tolist() == np.bincount(found.labels_, minlength=4).tolist()


def test_without_rounds_it_is_kmeans() -> None:
    rows = plain.blobs(200, 9)
    found, kmeans = made(7, rounds=0).fit(rows), KMeans(7, device="cpu").fit(rows)
    np.testing.assert_array_equal(found.labels_, kmeans.labels_)
    np.testing.assert_array_equal(found.predict(rows[::-1]), kmeans.labels_[::-1])
    assert found.diagnostics_["neighbors_counted"] == 0.0


def test_means_of_other_scalings_are_plain_means() -> None:
    rows = plain.blobs(50, 3)
    found = made(1, n_neighbors=4, rounds=1, mutual=False, scaling="none").fit(rows)
    near = plain.nearest(rows, rows, 4, True)
    means = np.stack([np.mean(rows[[i, *near[i]]], axis=0) for i in range(50)])
    np.testing.assert_allclose(found.cluster_centers_[0], means.mean(axis=0), atol=1e-6)
    spread = ((means - means.mean(axis=0)) ** 2).sum()
    assert found.inertia_ == pytest.approx(spread, rel=1e-5)


def test_a_lone_row_is_no_mutual_neighbour_of_a_crowd() -> None:
    rows = np.array([[1, 0.01 * i, 0] for i in range(8)] + [[0.5, 0, 1]], dtype=np.float32)
    one, both = (made(2, n_neighbors=3, rounds=1, mutual=m).fit(rows) for m in (False, True))
    assert one.diagnostics_["neighbors_counted"] == 3.0
    assert both.diagnostics_["neighbors_counted"] < 3.0
    np.testing.assert_allclose(both.cluster_centers_[both.labels_[8]], plain.unit(rows)[8])


@settings(max_examples=60)
@given(
    n=st.integers(1, 30),
    k=st.integers(1, 12),
    rounds=st.integers(0, 3),
    mutual=st.booleans(),
    scaling=st.sampled_from(["l2", "none", "standardize"]),
    seed=st.integers(0, 999),
)
@pytest.mark.filterwarnings("ignore:.*all zeros")
def test_training_rows_get_their_labels_again(
    n: int, k: int, rounds: int, mutual: bool, scaling: str, seed: int
) -> None:
    """Few rows, rows twice, rows of zeros, one cluster or as many as rows."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)).astype(np.float32)
    rows[rng.integers(n)] = 0.0
    rows[rng.integers(n)] = rows[rng.integers(n)]
    clusters = (1, n, 1 + seed % n)[seed % 3]
    found = made(
        clusters, n_neighbors=k, rounds=rounds, mutual=mutual, scaling=scaling, random_state=seed
    ).fit(rows)
    order = rng.permutation(n)
    np.testing.assert_array_equal(found.predict(rows[order]), found.labels_[order])
    ranked = found.predict_top(rows, clusters)
    np.testing.assert_array_equal(ranked[:, 0], found.labels_)
    assert (np.sort(ranked, axis=1) == np.arange(clusters)).all()


def test_rows_of_zeros_have_no_neighbours() -> None:
    rows = plain.blobs(30, 2, spread=0.1)
    without = made(2, n_neighbors=3, rounds=2).fit(rows)
    with pytest.warns(UserWarning, match="2 of 32 rows are all zeros"):
        found = made(3, n_neighbors=3, rounds=2).fit(np.concatenate([rows, np.zeros((2, 6))]))
    assert found.labels_[30] == found.labels_[31] == found.predict(np.zeros((1, 6)))[0]
    together = found.labels_[:30, None] == found.labels_[:30]
    assert (together == (without.labels_[:, None] == without.labels_)).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    rows = plain.blobs(300, 12)
    one, two = (made(9, init="k-means++", random_state=5).fit(rows) for _ in range(2))
    assert one.cluster_centers_.tobytes() == two.cluster_centers_.tobytes()
    whole = two.predict(rows + 0.01)
    parts = [two.predict(rows[i : i + 7] + 0.01) for i in range(0, 300, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_auto_is_seven_mutual_neighbours_twice_but_not_with_fewer_rows_than_that() -> None:
    rows = plain.blobs(70, 5)
    for k, rounds in ((10, 2), (11, 0)):
        found = made(k).fit(rows)
        named = made(k, n_neighbors=7, rounds=rounds, mutual=True).fit(rows)
        np.testing.assert_array_equal(found.labels_, named.labels_)
        assert found.diagnostics_["rounds"] == rounds
    assert made(11, n_neighbors=6).fit(rows).diagnostics_["rounds"] == 2


def test_what_does_not_fit_is_refused_before_it_begins() -> None:
    with pytest.raises(InputError, match=r"smoothed-kmeans of 1,000 rows .* GB are available"):
        made(3, rounds=10**9).fit(plain.blobs(1000, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors=0"),
        ({"n_neighbors": "many"}, "n_neighbors='many' should be a whole number or 'auto'"),
        ({"rounds": -1}, "rounds=-1"),
        ({"rounds": True}, "rounds=True"),
        ({"mutual": "False"}, "mutual='False'"),
        ({"scaling": "minmax"}, "scaling='minmax'"),
        ({"init": "kmeans"}, "init='kmeans' should be one of auto, random"),
        ({"tol": -1.0}, "tol=-1.0"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        made(3, **settings)


@pytest.mark.parametrize("scaling", ["none", "standardize", "l2"])
def test_training_rows_are_recognised_among_many_of_one_direction(scaling: str) -> None:
    rng = np.random.default_rng(0)
    rays = np.eye(3, dtype=np.float32)[rng.integers(3, size=600)]
    x = rays * rng.uniform(0.5, 2.0, size=(600, 1)).astype(np.float32)
    fitted = SmoothedKMeans(9, scaling=scaling, device="cpu").fit(x)
    np.testing.assert_array_equal(fitted.predict(x), fitted.labels_)


def test_equal_rows_have_equal_hashes_and_others_mostly_not() -> None:
    x = np.random.default_rng(0).normal(size=(5000, 9)).astype(np.float32)
    x[:, 3] = 0.0
    negative = x.copy()
    negative[:, 3] = -0.0
    np.testing.assert_array_equal(row_hashes(x), row_hashes(negative))
    assert len(np.unique(row_hashes(x))) == 5000
    assert len(np.unique(row_hashes(np.eye(64, dtype=np.float32)))) == 64
