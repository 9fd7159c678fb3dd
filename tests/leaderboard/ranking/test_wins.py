"""Given scores by task: mean ranks and shares of tasks won, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.leaderboard.ranking.wins import mean_ranks, win_rates

#: Rows are entrants: a wins the first task, b the second, both are equal in the third; c is last.
SCORES = np.array([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.7, 0.0, 0.1]])
EVEN = np.full(3, 1 / 3)


def test_by_hand():
    # a: ranks 1, 2, 1.5; b: 2, 1, 1.5; c: 3, 3, 3.
    assert mean_ranks(SCORES, EVEN) == pytest.approx([1.5, 1.5, 3])
    wanted = [[0.5, 0.5, 1], [0.5, 0.5, 1], [0, 0, 0.5]]
    assert win_rates(SCORES, EVEN) == pytest.approx(np.array(wanted))


def test_tasks_count_by_their_weights():
    weights = np.array([0.5, 0.25, 0.25])
    assert mean_ranks(SCORES, weights) == pytest.approx([1.375, 1.625, 3])
    assert win_rates(SCORES, weights)[0, 1] == pytest.approx(0.5 + 0.25 / 2)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 99))
def test_a_win_is_the_others_loss(n, n_tasks, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(3, size=(n, n_tasks)) / 2
    weights = rng.dirichlet(np.ones(n_tasks))
    rates = win_rates(scores, weights)
    assert rates + rates.T == pytest.approx(np.ones((n, n)))
    # Who wins against k others, ties half, has rank n - k.
    assert mean_ranks(scores, weights) == pytest.approx(n + 0.5 - rates.sum(axis=1))
