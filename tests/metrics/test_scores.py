import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from labellings import labellings

import clusterbench as cb
from clusterbench.metrics import METRICS, ClusterStatistics, score


def test_scores_by_hand():
    """One sample of class 1 strays into the cluster of class 0."""
    scores = score([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 1])
    assert (scores.n, scores.n_classes, scores.n_clusters) == (6, 2, 2)
    assert scores.acc == scores.acc_many_to_one == 5 / 6
    assert scores.ari == pytest.approx(0.3243243243243243)


def test_counts_are_what_occurs_or_what_is_said():
    assert score([0, 5], [7, 7]).n_classes == 2
    assert score([0, 5], [7, 7]).n_clusters == 1
    said = score([0, 5], [7, 7], n_classes=6, n_clusters=8)
    assert (said.n_classes, said.n_clusters) == (6, 8)
    assert said.clusters.n_empty == 7


@settings(max_examples=50)
@given(labellings())
def test_empty_labels_and_the_order_of_samples_change_no_score(pair):
    targets, predictions = pair
    order = np.random.default_rng(0).permutation(len(targets))
    moved = score((targets % 1000)[order] * 3, predictions[order], n_classes=10**6)
    plain = score(targets % 1000, predictions)
    for name in METRICS:
        assert getattr(moved, name) == pytest.approx(getattr(plain, name), abs=1e-12)


def test_scores_are_frozen_and_go_to_json():
    scores = score(np.array([0, 1, 1]), np.array([0, 1, 0]))
    with pytest.raises(FrozenInstanceError):
        scores.acc = 1.0
    record = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert ClusterStatistics(**record.pop("clusters")) == scores.clusters
    assert record.pop("bands") == scores.bands.to_dict()
    counts = {"n", "n_classes", "n_clusters", "n_unassigned", "n_unlabelled"}
    assert set(record) == {*counts, "average", *METRICS}


def test_the_package_exports_score():
    assert cb.score is score
    assert cb.Scores is type(score([0], [0]))
