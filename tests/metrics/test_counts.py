import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labellings import labellings
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    fowlkes_mallows_score,
    v_measure_score,
)

from clusterbench.metrics import METRICS, score
from clusterbench.metrics.counts import count
from clusterbench.metrics.validate import check_labels


@st.composite
def with_missing(draw):
    targets, predictions = draw(labellings())
    missing = np.array(draw(st.lists(st.booleans(), min_size=len(targets), max_size=len(targets))))
    return targets, np.where(missing, -1, predictions)


@settings(max_examples=150)
@given(with_missing())
def test_unassigned_samples_are_one_more_group_for_scores_of_partitions(pair):
    targets, predictions = pair
    scores = score(targets, predictions)
    group = score(targets, predictions + 1)  # the same partition with every group a cluster
    for name, metric in METRICS.items():
        if metric.partition:
            assert getattr(scores, name) == pytest.approx(getattr(group, name), abs=1e-12)
    assert scores.ari == pytest.approx(adjusted_rand_score(*pair), abs=1e-9)
    assert scores.ami == pytest.approx(adjusted_mutual_info_score(*pair), abs=1e-9)
    assert scores.v_measure == pytest.approx(v_measure_score(*pair), abs=1e-9)
    assert scores.fowlkes_mallows == pytest.approx(fowlkes_mallows_score(*pair), abs=1e-9)


@settings(max_examples=150)
@given(with_missing())
def test_unassigned_samples_are_wrong_for_accuracies(pair):
    targets, predictions = pair
    scores = score(targets, predictions)
    assigned = predictions >= 0
    assert scores.n == len(targets)
    assert scores.n_unassigned == len(targets) - assigned.sum()
    if assigned.any():
        kept = score(targets[assigned], predictions[assigned])
        share = assigned.sum() / len(targets)
        assert scores.acc == pytest.approx(kept.acc * share, abs=1e-12)
        assert scores.acc_many_to_one == pytest.approx(kept.acc_many_to_one * share, abs=1e-12)
        assert scores.clusters == kept.clusters
    else:
        for name, metric in METRICS.items():
            worst = metric.low if metric.higher_is_better else metric.high
            assert metric.partition or getattr(scores, name) == worst


@given(with_missing())
def test_samples_without_a_class_are_left_out(pair):
    predictions, targets = pair  # here the targets are missing
    if (targets < 0).all():
        return
    known = targets >= 0
    left = score(targets, predictions)
    right = score(targets[known], predictions[known])
    assert left.n_unlabelled == len(targets) - known.sum()
    for name in METRICS:
        assert getattr(left, name) == pytest.approx(getattr(right, name), abs=1e-12)
    assert (left.n, left.n_clusters) == (right.n, right.n_clusters)
    assert (left.bands, left.clusters) == (right.bands, right.clusters)


def test_all_samples_unassigned_have_scores_too():
    scores = score([0, 1, 1], [-1, -1, -1])
    assert (scores.acc, scores.nmi, scores.ami, scores.ari) == (0.0, 0.0, 0.0, 0.0)
    assert (scores.n_clusters, scores.n_unassigned) == (0, 3)
    assert (scores.clusters.largest, scores.clusters.effective) == (0, 0.0)


@settings(max_examples=50)
@given(with_missing())
def test_right_counts_the_samples_in_the_paired_cluster(pair):
    classes, clusters = (check_labels(part, "labels") for part in pair)
    counts = count(classes, clusters)
    expected = np.zeros(classes.highest + 1, int)
    for row, column in enumerate(counts.pairing.columns):
        if column >= 0:
            expected[row] = ((classes.values == row) & (clusters.values == column)).sum()
    assert counts.right.tolist() == expected.tolist()
    assert counts.right.sum() == counts.pairing.total


def test_mutual_information_by_hand():
    """Independent halves share nothing; equal halves share log 2."""
    halves = check_labels([0, 0, 1, 1], "labels")
    across = check_labels([0, 1, 0, 1], "labels")
    assert count(halves, across).mutual_information == 0.0
    assert count(halves, halves).mutual_information == pytest.approx(np.log(2))
