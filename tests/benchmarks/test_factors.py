import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.factors import effective_classes, gini, imbalance_ratio, measure
from clusterbench.errors import InputError

counts = st.lists(st.integers(1, 1000), min_size=1, max_size=40)


@given(counts)
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(values):
    x = np.array(values, dtype=float)
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(np.array(values)) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50)
@given(counts)
def test_effective_classes_is_exp_of_the_entropy(values):
    p = np.array(values) / sum(values)
    expected = np.exp(-sum(q * np.log(q) for q in p))
    assert effective_classes(np.array(values)) == pytest.approx(expected)


def test_hand_worked_case():
    sizes = np.array([8, 4, 2, 2])
    assert imbalance_ratio(sizes) == 4.0
    assert gini(sizes) == pytest.approx(0.3125)  # sum |x_i - x_j| = 40, over 2 * 16 * 4
    assert effective_classes(sizes) == pytest.approx(2**1.75)


def test_balanced_classes_are_the_zero_of_each_scale():
    sizes = np.full(7, 5)
    assert (imbalance_ratio(sizes), gini(sizes)) == (1.0, 0.0)
    assert effective_classes(sizes) == pytest.approx(7.0)


def test_an_empty_class_has_no_ratio_but_leaves_the_others_defined():
    assert effective_classes(np.array([4, 0, 4])) == pytest.approx(2.0)
    assert gini(np.array([4, 0, 4])) == pytest.approx(1 / 3)
    with pytest.raises(InputError, match="class 1 of 3 has no sample"):
        imbalance_ratio(np.array([4, 0, 4]))


@pytest.mark.parametrize("bad", [[], [0, 0], [1, -1]])
def test_counts_that_are_none_are_refused(bad):
    with pytest.raises(InputError, match="class counts"):
        gini(np.array(bad, dtype=int))


def test_measure_reports_training_sizes():
    found = measure(np.array([0, 0, 0, 1]), np.array([0, 1, 1]), 2)
    assert found["imbalance_ratio"] == 3.0
    assert (found["n_train"], found["n_eval"], found["images_per_class"]) == (4.0, 3.0, 2.0)
    assert (found["eval_smallest_class"], found["eval_largest_class"]) == (1.0, 2.0)
