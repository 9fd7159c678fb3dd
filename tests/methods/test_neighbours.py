from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.methods import neighbours
from clusterbench.methods.neighbours import nearest_neighbours


def reference(features: np.ndarray, k: int) -> np.ndarray:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]


@settings(max_examples=40)
@given(n=st.integers(2, 60), seed=st.integers(0, 999), data=st.data())
def test_equals_the_dense_reference(n: int, seed: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n - 1))
    features = np.random.default_rng(seed).normal(size=(n, 7))
    found = nearest_neighbours(torch.from_numpy(features).float(), k).numpy()
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    expected = reference(features, k)
    np.testing.assert_allclose(  # compared by similarity: ties may come in any order
        np.einsum("id,ikd->ik", unit, unit[found]),
        np.einsum("id,ikd->ik", unit, unit[expected]),
        atol=1e-5,
    )
    assert all(len(set(row)) == k for row in found.tolist())


@pytest.mark.parametrize("elements", [64, 300, 10**6])
def test_blocks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch, elements: int) -> None:
    features = np.random.default_rng(0).normal(size=(90, 5))
    monkeypatch.setattr(neighbours, "_BLOCK_ELEMENTS", elements)
    monkeypatch.setattr(neighbours, "_BLOCK_COLUMNS", 17)
    found = nearest_neighbours(torch.from_numpy(features), 6).numpy()
    np.testing.assert_array_equal(found, reference(features, 6))


def test_more_neighbours_than_a_block_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(1).normal(size=(20, 4))
    monkeypatch.setattr(neighbours, "_BLOCK_COLUMNS", 3)
    found = nearest_neighbours(torch.from_numpy(features), 19).numpy()
    np.testing.assert_array_equal(found, reference(features, 19))


def test_refuses_more_neighbours_than_other_samples() -> None:
    with pytest.raises(ValueError, match="k=3 should be in"):
        nearest_neighbours(torch.eye(3), 3)
