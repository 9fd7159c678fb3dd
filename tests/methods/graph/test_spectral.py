"""Spectral clustering: eigenvectors are those of the dense matrix, new rows means of them."""

from __future__ import annotations

from typing import Any

import graph_plain as plain
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import SpectralClustering as Theirs
from sklearn.metrics import adjusted_rand_score

from clusterbench.errors import InputError
from clusterbench.methods import SpectralClustering
from clusterbench.methods.graph import eigenvectors


def made(k: int, **settings: Any) -> SpectralClustering:
    return SpectralClustering(k, **{"device": "cpu", **settings})


def normalised(graph: np.ndarray) -> np.ndarray:
    root = np.sqrt(graph.sum(axis=1))
    result: np.ndarray = graph / root[:, None] / root
    return result


def projector(vectors: np.ndarray) -> np.ndarray:
    """What does not depend on signs, nor on the basis of equal eigenvalues."""
    result: np.ndarray = vectors @ np.linalg.pinv(vectors)
    return result


@pytest.mark.parametrize("few", [10, 500])
@pytest.mark.parametrize("n_neighbors", [4, 8])
def test_eigenvectors_are_those_of_the_dense_matrix(
    few: int, n_neighbors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eigenvectors, "_FEW", few)
    rows, k = plain.blobs(150, 6, spread=0.9), 7
    found = made(k, n_neighbors=n_neighbors).fit(rows)
    values, vectors = np.linalg.eigh(normalised(plain.adjacency(rows, n_neighbors)))
    np.testing.assert_allclose(found.eigenvalues_, values[::-1][:k], atol=1e-8)
    lengths = np.linalg.norm(vectors[:, -k:], axis=1, keepdims=True)
    embedded = found.embedding_ * lengths
    np.testing.assert_allclose(projector(embedded), projector(vectors[:, -k:]), atol=1e-4)
    assert found.embedding_[np.abs(embedded).argmax(axis=0), np.arange(k)].min() > 0


def test_components_are_eigenvectors_of_their_own() -> None:
    rows = np.concatenate([plain.blobs(40, 1) + 9 * np.eye(6)[i] for i in range(3)])
    found = made(5, n_neighbors=5).fit(rows)
    assert found.diagnostics_["n_components"] == 3
    np.testing.assert_allclose(found.eigenvalues_[:3], 1.0)
    assert found.eigenvalues_[3] < 1.0
    side = np.repeat(np.arange(3), 40)
    alone = found.embedding_[:, :3] > 0
    assert (alone.argmax(axis=1) == side).all() and (alone.sum(axis=1) == 1).all()
    assert all(len(set(side[found.labels_ == c])) == 1 for c in range(5))


def test_more_components_than_clusters_are_merged_whole() -> None:
    directions = np.array([[1, 0, 0], [1, 0.3, 0], [0, 0, 1], [0, 0.3, 1.0]])
    rng = np.random.default_rng(0)
    rows = np.repeat(directions, 20, axis=0) + 0.01 * rng.normal(size=(80, 3))
    found = made(2, n_neighbors=5).fit(rows)
    assert found.diagnostics_["n_components"] >= 4
    assert found.labels_.tolist() == [found.labels_[0]] * 40 + [found.labels_[40]] * 40
    assert found.labels_[0] != found.labels_[40]
    np.testing.assert_array_equal(found.predict(directions), found.labels_[::20])


@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
def test_clusters_are_those_of_scikit_learn() -> None:
    rows = plain.blobs(240, 4, spread=0.35)
    ours = made(4, n_neighbors=10).fit(rows)
    theirs = Theirs(4, affinity="precomputed", random_state=0)
    labels = theirs.fit_predict(plain.adjacency(rows, 10))
    assert adjusted_rand_score(ours.labels_, labels) > 0.95


def test_new_rows_lie_where_the_weighted_mean_of_their_neighbours_lies() -> None:
    rows, new = plain.blobs(100, 5), plain.blobs(40, 5, seed=1)
    found = made(6, n_neighbors=4).fit(rows)
    a, b = plain.unit(new), plain.unit(rows)
    expected = []
    for i, near in enumerate(plain.nearest(new, rows, 4, False)):
        weights = np.maximum([a[i] @ b[j] for j in near], 0)
        place = plain.unit(np.sum(weights[:, None] * found.embedding_[near], axis=0)[None])[0]
        # A cluster's centroid is the mean of its rows.
        means = [found.embedding_[found.labels_ == c].mean(axis=0) for c in range(6)]
        expected.append(int(np.argmin([((place - mean) ** 2).sum() for mean in means])))
    np.testing.assert_array_equal(found.predict(new), expected)


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 999))
@pytest.mark.filterwarnings("ignore:.*all zeros")
def test_any_rows_and_any_number_of_clusters(n: int, n_neighbors: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3)).astype(np.float32)
    rows[rng.integers(n)] = 0.0
    k = (1, n, 1 + seed % n)[seed % 3]
    found = made(k, n_neighbors=n_neighbors, random_state=seed).fit(rows)
    again = made(k, n_neighbors=n_neighbors, random_state=seed).fit(rows)
    assert found.embedding_.tobytes() == again.embedding_.tobytes()
    np.testing.assert_array_equal(found.predict(rows), found.labels_)
    ranked = found.predict_top(rows, k)
    np.testing.assert_array_equal(ranked[:, 0], found.labels_)
    assert (np.sort(ranked, axis=1) == np.arange(k)).all()


@pytest.mark.filterwarnings("ignore:.*all zeros")
def test_rows_without_a_direction_are_one_cluster() -> None:
    found = made(2).fit(np.zeros((5, 3)))
    assert len(set(found.labels_)) == 1 and found.diagnostics_["n_components"] == 0
    rows = np.concatenate([plain.blobs(40, 2), np.zeros((3, 6))])
    found = made(3, n_neighbors=5).fit(rows)
    assert len(set(found.labels_[40:])) == 1


def test_what_does_not_fit_is_refused_before_it_begins() -> None:
    with pytest.raises(InputError, match=r"spectral of 2,000,000 rows in 1,000,000 .* GB are av"):
        made(10**6).fit(np.ones((2 * 10**6, 1), dtype=np.float32))


def test_wrong_settings() -> None:
    with pytest.raises(InputError, match="n_neighbors=0"):
        made(3, n_neighbors=0)


@pytest.mark.parametrize("n_groups", [20, 40])
def test_the_same_seed_gives_the_same_labels_of_many_copies(n_groups: int) -> None:
    """Copies make small invariant spaces, in which a search for eigenvectors begins anew."""
    x = np.kron(np.eye(n_groups, dtype=np.float32), np.ones((30, 1), dtype=np.float32))
    first, *others = [
        SpectralClustering(n_groups + 10, device="cpu").fit(x).labels_ for _ in range(3)
    ]
    for labels in others:
        np.testing.assert_array_equal(first, labels)
