import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.metrics import score
from clusterbench.metrics.clusters import gini


def test_statistics_by_hand():
    clusters = score([0] * 8, [0, 0, 0, 0, 2, 2, 3, 7], n_clusters=10).clusters
    assert clusters.n_nonempty == 4
    assert clusters.n_empty == 6
    assert clusters.singletons == 2
    assert (clusters.largest, clusters.smallest) == (4, 1)
    # Entropy of (1/2, 1/4, 1/8, 1/8) is 1.75 bits.
    assert clusters.effective == pytest.approx(2**1.75)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=15).filter(any), st.integers(0, 5))
def test_gini_is_half_the_relative_mean_difference(sizes, empty):
    padded = np.array(sizes + [0] * empty)
    expected = np.abs(padded[:, None] - padded).mean() / (2 * padded.mean())
    assert gini(np.array(sizes), len(padded)) == pytest.approx(expected, abs=1e-12)
    assert gini(padded) == pytest.approx(expected, abs=1e-12)


def test_equal_clusters_have_gini_zero_and_count_in_full():
    clusters = score([0] * 12, np.arange(12) % 4).clusters
    assert clusters.gini == 0.0
    assert clusters.effective == pytest.approx(4)


def test_a_collapsed_prediction_shows():
    clusters = score([0, 1, 2, 3], [5, 5, 5, 5], n_clusters=100).clusters
    assert (clusters.n_nonempty, clusters.n_empty) == (1, 99)
    assert clusters.effective == 1.0
    assert clusters.gini == pytest.approx(0.99)
    assert math.isfinite(clusters.gini)
