import numpy as np
import pytest
from hypothesis import given, settings
from labellings import labellings
from sklearn.metrics import adjusted_rand_score, fowlkes_mallows_score

from clusterbench.kernels.contingency import Contingency
from clusterbench.metrics import score
from clusterbench.metrics.counts import Counts
from clusterbench.metrics.pairs import ari, fowlkes_mallows


@settings(max_examples=200)
@given(labellings())
def test_ari_equals_scikit_learn(pair):
    assert score(*pair).ari == pytest.approx(adjusted_rand_score(*pair), abs=1e-9)


@settings(max_examples=200)
@given(labellings())
def test_fowlkes_mallows_equals_scikit_learn(pair):
    expected = fowlkes_mallows_score(*pair)
    assert score(*pair).fowlkes_mallows == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("targets", "predictions", "expected"),
    [
        ([0, 0, 0], [1, 1, 1], 1.0),
        ([0, 1, 2], [5, 3, 4], 1.0),
        ([0], [0], 1.0),
        ([0, 1, 2], [0, 0, 0], 0.0),
        ([0, 0, 0], [0, 1, 2], 0.0),
        ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
    ],
)
def test_ari_where_it_is_degenerate_or_lowest(targets, predictions, expected):
    assert score(targets, predictions).ari == expected


def test_ari_of_two_billion_samples_does_not_overflow():
    """Two classes of 1e9 samples each; clusters that agree on all but 2 samples."""

    half = 10**9
    sizes = np.array([half, half])
    data = np.array([half - 1, 1, 1, half - 1])
    table = Contingency(
        np.array([0, 2, 4]), np.array([0, 1, 0, 1]), data, sizes, sizes, sizes - 1, sizes - 1
    )
    # For two halves, ARI is (2 agreement - 1)^2 up to O(1 / n).
    assert ari(Counts(table)) == pytest.approx((1 - 2 / half) ** 2, rel=1e-12)
    # Precision and recall on pairs are equal here: one half of all pairs is in one class.
    assert fowlkes_mallows(Counts(table)) == pytest.approx(1 - 2 / half, rel=1e-9)
