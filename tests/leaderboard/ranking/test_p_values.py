"""Given differences and their variances: p-values against root finding, and Holm by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t

from clusterbench.leaderboard.ranking.p_values import bounded_p_values, holm_by_row, reach

POSITIVE = st.floats(1e-3, 10)
DEGREES = st.integers(1, 300)


def plain(difference, parts):
    """The p at which the bound is the difference, by bisection of its logarithm."""

    def excess(log_p):
        squares = [v * t.isf(math.exp(log_p) / 2, degrees) ** 2 for v, degrees in parts]
        return sum(squares) - difference**2

    return math.exp(brentq(excess, math.log(1e-15), 0, xtol=1e-10))


@given(st.floats(0.001, 20), POSITIVE, DEGREES)
def test_with_one_variance_it_is_students_test(difference, variance, degrees):
    (found,) = bounded_p_values(np.array([difference]), [(np.array([variance]), degrees)])
    wanted = 2 * t.sf(difference / math.sqrt(variance), degrees)
    assert found == pytest.approx(wanted, rel=2e-4, abs=2e-15)


@settings(max_examples=25)
@given(st.floats(0.01, 5), st.lists(st.tuples(POSITIVE, DEGREES), min_size=2, max_size=3))
def test_with_several_it_is_where_the_bound_is_the_difference(difference, parts):
    given_ = [(np.array([v]), degrees) for v, degrees in parts]
    (found,) = bounded_p_values(np.array([difference]), given_)
    assert found == pytest.approx(plain(difference, parts), rel=2e-4)


@given(st.floats(1e-6, 0.5), st.lists(st.tuples(POSITIVE, DEGREES), min_size=1, max_size=3))
def test_reach_is_the_inverse(p_value, parts):
    given_ = [(np.array([v]), degrees) for v, degrees in parts]
    found = bounded_p_values(reach(given_, p_value), given_)
    assert found == pytest.approx(p_value, rel=2e-4)


def test_without_variance_a_difference_is_certain():
    nothing = np.zeros(2)
    found = bounded_p_values(np.array([0.1, -0.1]), [(nothing, 199), (nothing, 2)])
    assert found.tolist() == [0.0, 0.0]
    # A single seed says nothing about its variance, so that part is left out.
    (found,) = bounded_p_values(np.array([1.0]), [(np.array([1.0]), 10), (np.array([5.0]), 0)])
    assert found == pytest.approx(2 * t.sf(1, 10), rel=2e-4)


def test_holm_by_hand():
    """Pairs with p-values ab .01, ac .04, bc .03.

    a: .01 x 2, .04. b: .01 x 2, .03. c: .03 x 2, and .04 is less than .06.
    """
    given_ = np.array([[1, 0.01, 0.04], [0.01, 1, 0.03], [0.04, 0.03, 1]])
    wanted = [[1, 0.02, 0.06], [0.02, 1, 0.06], [0.06, 0.06, 1]]
    assert holm_by_row(given_) == pytest.approx(np.array(wanted))
    assert holm_by_row(np.ones((1, 1))).tolist() == [[1]]
    assert holm_by_row(np.zeros((2, 2))).tolist() == [[1, 0], [0, 1]]


@given(st.integers(2, 6), st.data())
def test_holm_rejects_step_by_step(n, data):
    """The method as Holm states it: the k-th smallest of m against level / (m - k + 1).

    Of each entrant's pairs; a pair is rejected if both of its entrants reject it.
    """
    pairs = [(i, j) for i in range(n) for j in range(i)]
    values = data.draw(st.lists(st.floats(1e-6, 1), min_size=len(pairs), max_size=len(pairs)))
    table = np.ones((n, n))
    for (i, j), p in zip(pairs, values, strict=True):
        table[i, j] = table[j, i] = p

    def rejected(i):
        found = set()
        for step, (p, j) in enumerate(sorted((table[i, j], j) for j in range(n) if j != i)):
            if p * (n - 1 - step) > 0.05:
                break
            found.add(j)
        return found

    adjusted = holm_by_row(table)
    for i, j in pairs:
        assert (adjusted[i, j] <= 0.05) == (j in rejected(i) and i in rejected(j))
