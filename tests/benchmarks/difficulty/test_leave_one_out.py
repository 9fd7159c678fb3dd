import numpy as np
import pytest
import torch
from benchmark_toys import clustered_features, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.difficulty import leave_one_out as knn
from clusterbench.benchmarks.difficulty.leave_one_out import knn_class_scores
from clusterbench.benchmarks.difficulty.unit_integers import unit_integers
from clusterbench.errors import InputError


def plain_scores(features, labels, n_classes, k):
    """Leave-one-out kNN in Python integers, one sample at a time."""
    units = unit_integers(features).astype(np.int64)
    correct, same = np.zeros(n_classes, int), np.zeros(n_classes, int)
    for i, label in enumerate(labels):
        cosine = {j: int(units[i] @ units[j]) for j in range(len(labels)) if j != i}
        bound = sorted(cosine.values(), reverse=True)[k - 1]
        near = [j for j, value in cosine.items() if value >= bound]
        votes = np.zeros(n_classes, dtype=object)
        for j in near:
            votes[labels[j]] += cosine[j] + 2**24
        others = [v for c, v in enumerate(votes) if c != label]
        correct[label] += votes[label] > max(others)
        same[label] += sum(labels[j] == label for j in near)
    return correct.tolist(), same.tolist()


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(4, 40), st.integers(1, 9), st.booleans())
def test_scores_agree_with_a_plain_reference(seed, n, k, coarse):
    rng = np.random.Generator(np.random.PCG64(seed))
    features = rng.standard_normal((n, 5)).astype(np.float32)
    if coarse:  # many equal similarities
        features = np.sign(features) + (features > 1)
    labels = rng.integers(0, 4, n)
    k = min(k, n - 1)
    found = knn_class_scores(features, labels, 4, n_neighbors=k)
    assert (found.n_correct.tolist(), found.n_same.tolist()) == plain_scores(features, labels, 4, k)
    assert found.n_images.tolist() == np.bincount(labels, minlength=4).tolist()


def test_blocks_do_not_change_the_answer_and_no_sample_is_its_own_neighbour(monkeypatch):
    index = make_index([20] * 10)
    features = clustered_features(index, np.full(10, 1.5))
    whole = knn_class_scores(features, index.labels, 10, n_neighbors=5)
    monkeypatch.setattr(knn, "_BLOCK_CELLS", 7 * index.n)
    parts = knn_class_scores(features, index.labels, 10, n_neighbors=5)
    assert whole.n_correct.tolist() == parts.n_correct.tolist()
    # One sample per class: only a sample that sees itself could be recognised.
    alone = knn_class_scores(features[:: index.n // 10], np.arange(10), 10, n_neighbors=1)
    assert alone.n_correct.sum() == 0


def test_similarities_are_exact_at_large_dimensions():
    features = np.random.Generator(np.random.PCG64(0)).standard_normal((50, 3000)) ** 3
    units = unit_integers(features.astype(np.float32))
    exact = units.astype(np.int64) @ units.astype(np.int64).T
    assert exact.max() <= 2**24
    assert (units @ units.T == exact).all()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_counts():
    index = make_index([20] * 10)
    features = clustered_features(index, np.full(10, 1.5))
    found = knn_class_scores(features, index.labels, 10, device="cuda")
    wanted = knn_class_scores(features, index.labels, 10)
    assert found.n_correct.tolist() == wanted.n_correct.tolist()
    assert found.n_same.tolist() == wanted.n_same.tolist()


def test_unusable_features_and_numbers_of_neighbours_are_refused():
    with pytest.raises(InputError, match="sample 1 are zero or not finite"):
        knn_class_scores(
            np.array([[1.0, 0], [0, 0], [1, 1]]), np.array([0, 0, 1]), 2, n_neighbors=1
        )
    with pytest.raises(InputError, match=r"n_neighbors=3 should be in 1\.\.n_samples-1=2"):
        knn_class_scores(np.eye(3), np.array([0, 0, 1]), 2, n_neighbors=3)
    with pytest.raises(InputError, match="dim=36865 should be <= 36864"):
        knn_class_scores(np.ones((3, 36_865)), np.array([0, 0, 1]), 2, n_neighbors=1)
