import numpy as np
import pytest
from hypothesis import given, settings
from labellings import dense_table, labellings
from scipy.optimize import linear_sum_assignment

from clusterbench.metrics import score


@settings(max_examples=200)
@given(labellings())
def test_acc_equals_scipy_on_the_dense_table(pair):
    dense = dense_table(*pair)
    right = dense[linear_sum_assignment(dense, maximize=True)].sum()
    assert score(*pair).acc == right / len(pair[0])


@given(labellings())
def test_many_to_one_is_the_majority_of_each_cluster(pair):
    scores = score(*pair)
    assert scores.acc_many_to_one == dense_table(*pair).max(axis=0).sum() / len(pair[0])
    assert 0 < scores.acc <= scores.acc_many_to_one <= 1


def test_surplus_clusters_count_as_errors():
    """Two classes of four, split into four clusters of two: two clusters stay unpaired."""
    scores = score([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 2, 3, 3])
    assert scores.acc == 0.5
    assert scores.acc_many_to_one == 1.0


def test_surplus_classes_count_as_errors():
    scores = score([0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0])
    assert scores.acc == scores.acc_many_to_one == 0.5


@pytest.mark.parametrize("shift", [1, 3])
def test_the_names_of_clusters_do_not_matter(shift):
    targets = np.arange(12) % 4
    assert score(targets, (targets + shift) % 4).acc == 1.0
