import math

import numpy as np
import pytest
from hypothesis import given, settings
from labellings import labellings
from sklearn.metrics import (
    adjusted_mutual_info_score,
    homogeneity_completeness_v_measure,
    normalized_mutual_info_score,
    v_measure_score,
)

from clusterbench import InputError
from clusterbench.kernels.contingency import contingency, reweighted
from clusterbench.metrics import score
from clusterbench.metrics.counts import Counts, count
from clusterbench.metrics.information import ami, completeness, homogeneity, nmi, v_measure
from clusterbench.metrics.validate import check_labels

AVERAGES = ["arithmetic", "geometric", "min", "max"]


@settings(max_examples=200)
@given(labellings())
@pytest.mark.parametrize("average", AVERAGES)
def test_nmi_and_ami_equal_scikit_learn(average, pair):
    scores = score(*pair, average=average)
    nmi = normalized_mutual_info_score(*pair, average_method=average)
    assert scores.nmi == pytest.approx(nmi, abs=1e-9)
    assert scores.average == average
    if average == "min" and len(pair[0]) in (scores.n_classes, scores.n_clusters):
        return  # one sample in each group: 0 / 0, which scikit-learn rounds to either 0 or 1
    ami = adjusted_mutual_info_score(*pair, average_method=average)
    assert scores.ami == pytest.approx(ami, abs=1e-9)


@settings(max_examples=200)
@given(labellings())
def test_v_measure_and_its_parts_equal_scikit_learn(pair):
    scores = score(*pair)
    ours = (scores.homogeneity, scores.completeness, scores.v_measure)
    assert ours == pytest.approx(homogeneity_completeness_v_measure(*pair), abs=1e-9)
    assert scores.v_measure == pytest.approx(scores.nmi, abs=1e-12)


@given(labellings())
@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_v_measure_weighs_completeness_by_beta(beta, pair):
    counts = count(check_labels(pair[0], "targets"), check_labels(pair[1], "predictions"))
    assert v_measure(counts, beta) == pytest.approx(v_measure_score(*pair, beta=beta), abs=1e-9)


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


@given(labellings())
def test_scores_of_information_never_leave_their_range_by_a_rounding(pair):
    for average in AVERAGES:
        scores = score(*pair, average=average)
        for name in ("nmi", "homogeneity", "completeness", "v_measure"):
            assert 0.0 <= getattr(scores, name) <= 1.0
        assert scores.ami <= 1.0


def test_pure_clusters_are_homogeneous_to_the_last_digit():
    rng = np.random.default_rng(0)
    clusters = rng.integers(997, size=30_000)
    scores = score(clusters % 31, clusters)
    assert scores.homogeneity == 1.0
    assert score(clusters, clusters % 31).completeness == 1.0


def test_an_unknown_average_is_refused_with_the_choices():
    with pytest.raises(InputError, match=r"average='mean'; choose arithmetic, geometric, min, max"):
        score([0, 1], [0, 1], average="mean")


def counts_of(dense):
    rows, columns = np.nonzero(dense)
    table = contingency(rows, columns, *dense.shape)
    return Counts(reweighted(table, dense[rows, columns]))


def test_a_hundred_million_samples_keep_their_digits():
    """Independent partitions: MI is a hair above its expectation, (R - 1)(C - 1) / 2N."""
    n, k = 10**8, 200
    rng = np.random.default_rng(0)
    share = rng.dirichlet(np.full(k, 5.0), size=2)
    counts = counts_of(rng.multinomial(n, np.outer(*share).ravel()).reshape(k, k))
    expected = counts.expected_mutual_information
    assert expected == pytest.approx((k - 1) ** 2 / (2 * n), rel=1e-3)
    assert counts.mutual_information == pytest.approx(expected, rel=0.05)
    assert abs(ami(counts)) < 1e-5
    assert 0 < nmi(counts) < 1e-4


@pytest.mark.parametrize("size", [1, 7, 2_500_000])
def test_exact_independence_is_zero_without_a_sign(size):
    """Every class is spread evenly over every cluster, up to a hundred million samples."""
    counts = counts_of(np.full((8, 5), size))
    values = [nmi(counts), homogeneity(counts), completeness(counts), v_measure(counts)]
    for value in values:
        assert value == pytest.approx(0, abs=1e-14)
        assert math.copysign(1, value) == 1
    assert -0.5 < ami(counts) < 0  # less than chance would give, by ever less
    assert ami(counts) > -1 / size
