"""What `predict` says leads `predict_top`, also where clusters are equally near."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.methods import get, names
from clusterbench.methods.top_order import led_by

FAST = {"n_heads": 2, "epochs": 2, "hidden": 16, "bottleneck": 8, "n_neighbors": 5}
FEW = {"epochs": 2, "batch_size": 64, "n_neighbors": 5}
SMALL = {
    "kmeans": {"n_init": 2, "max_iter": 5},
    "temi": FAST,
    "scanv2": FAST,
    "turtle": {"steps": 5, "inner_steps": 3},
    "p2ot": {**FAST, "memory": 100},
    "icon": FEW,
    "sinkhorn": FEW,
    "self-labelling": {"warm_epochs": 1, "epochs": 2, "n_neighbors": 5},
}


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_first_leads_and_the_others_keep_their_order(seed: int, n_ranks: int) -> None:
    rng = np.random.default_rng(seed)
    ranked = np.array([rng.permutation(6)[:n_ranks] for _ in range(20)])
    first = rng.integers(6, size=20)
    led = led_by(first, ranked)
    np.testing.assert_array_equal(led[:, 0], first)
    for row, before, own in zip(led.tolist(), ranked.tolist(), first.tolist(), strict=True):
        assert row[1:] == [c for c in before if c != own][: n_ranks - 1]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("n_ranks", [1, 3, 5])
def test_every_methods_ranking_begins_with_its_prediction(name: str, n_ranks: int) -> None:
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    X[:60] = np.round(X[:60])  # repeated rows, some between two centroids
    method = get(name)(n_clusters=5, random_state=1, device="cpu", **SMALL.get(name, {})).fit(X)
    ranked = method.predict_top(X, n_ranks)
    assert ranked.shape == (300, n_ranks)
    np.testing.assert_array_equal(ranked[:, 0], method.predict(X))
    assert all(len(set(row)) == n_ranks for row in ranked.tolist())


def test_equally_near_centroids() -> None:
    """Of two equal centroids faiss's search for one and for several may name different ones."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 8)).astype(np.float32)
    method = get("kmeans")(n_clusters=50, n_init=1, max_iter=1, device="cpu").fit(X)
    centers = rng.normal(size=(50, 8)).astype(np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    centers[5], centers[7] = centers[3], centers[2] + 1e-7
    method.cluster_centers_ = centers  # type: ignore[attr-defined]
    np.testing.assert_array_equal(method.predict_top(X, 5)[:, 0], method.predict(X))


def test_equally_likely_clusters_of_a_head() -> None:
    X = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    method = get("temi")(n_clusters=7, device="cpu", **FAST).fit(X)
    direction = method._head["direction"]  # type: ignore[attr-defined]
    direction[..., [1, 4, 6]] = direction[..., [0]].clone()
    gain = method._head["gain"]  # type: ignore[attr-defined]
    gain[..., [1, 4, 6]] = gain[..., [0]].clone()
    assert isinstance(direction, torch.Tensor)
    ranked = method.predict_top(X, 4)
    np.testing.assert_array_equal(ranked[:, 0], method.predict(X))
    assert all(len(set(row)) == 4 for row in ranked.tolist())
