"""Defect 11: NaN where a class is absent; ACC that asserts K == number of classes."""

import math

import pytest

from clusterbench.metrics import METRICS, random_floor, score


@pytest.mark.parametrize("n_classes", [None, 4, 50])
@pytest.mark.parametrize("n_clusters", [None, 8, 50])
def test_absent_classes_and_clusters_leave_every_score_finite(n_classes, n_clusters):
    scores = score([0, 0, 3, 3, 3], [1, 1, 7, 7, 1], n_classes=n_classes, n_clusters=n_clusters)
    assert all(math.isfinite(getattr(scores, name)) for name in METRICS)
    assert math.isfinite(scores.clusters.gini)
    assert scores.acc == 0.8


@pytest.mark.parametrize("n_clusters", [1, 2, 3, 6])
def test_any_number_of_clusters_has_an_accuracy(n_clusters):
    """Six samples of three classes in order, clusters of consecutive samples."""
    targets = [0, 0, 1, 1, 2, 2]
    predictions = [sample * n_clusters // 6 for sample in range(6)]
    expected = {1: 2 / 6, 2: 4 / 6, 3: 1.0, 6: 3 / 6}
    assert score(targets, predictions, n_clusters=n_clusters).acc == expected[n_clusters]
    assert 0 < random_floor(targets, n_clusters).acc <= 1
