import numpy as np
import pytest
from hypothesis import given, settings
from labellings import labellings
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from clusterbench.metrics import score


@settings(max_examples=200, deadline=None)
@given(labellings())
def test_nmi_and_ami_equal_scikit_learn(pair):
    scores = score(*pair)
    assert scores.nmi == pytest.approx(normalized_mutual_info_score(*pair), abs=1e-9)
    assert scores.ami == pytest.approx(adjusted_mutual_info_score(*pair), abs=1e-9)


@pytest.mark.parametrize(("n", "n_classes", "n_clusters"), [(3000, 20, 50), (5000, 300, 200)])
def test_nmi_and_ami_equal_scikit_learn_at_hundreds_of_clusters(n, n_classes, n_clusters):
    rng = np.random.default_rng(0)
    targets = (rng.random(n) ** 2 * n_classes).astype(int)
    predictions = np.where(rng.random(n) < 0.4, targets, rng.integers(n_clusters, size=n))
    scores = score(targets, predictions)
    expected = normalized_mutual_info_score(targets, predictions)
    assert scores.nmi == pytest.approx(expected, rel=1e-9)
    assert scores.ami == pytest.approx(adjusted_mutual_info_score(targets, predictions), rel=1e-9)


def test_one_class_in_one_cluster_is_a_match():
    scores = score([0, 0, 0], [4, 4, 4])
    assert (scores.nmi, scores.ami) == (1.0, 1.0)


def test_one_cluster_for_several_classes_tells_nothing():
    scores = score([0, 1, 2], [0, 0, 0])
    assert (scores.nmi, scores.ami) == (0.0, 0.0)


def test_singletons_that_match_score_one_and_others_are_worth_chance():
    assert score([0, 1, 2], [2, 0, 1]).ami == 1.0
    assert score([0, 0, 1, 1], [0, 1, 2, 3]).ami == 0.0


def test_random_predictions_raise_nmi_but_not_ami():
    rng = np.random.default_rng(0)
    scores = score(rng.integers(500, size=5000), rng.integers(500, size=5000))
    assert scores.nmi > 0.4
    assert abs(scores.ami) < 0.01
