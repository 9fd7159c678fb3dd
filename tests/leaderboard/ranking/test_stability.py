"""Given scores by seed and deviations: how often an entrant is first, and keeps its place."""

import itertools

import numpy as np
import pytest

from clusterbench.leaderboard.ranking.differences import Estimates
from clusterbench.leaderboard.ranking.stability import N_DRAWS, stability

STILL = np.zeros(200)


def estimates(by_seed, deviations):
    rows = tuple(np.asarray(values, float) for values in by_seed)
    return Estimates(np.array([row.mean() for row in rows]), rows, np.asarray(deviations, float))


def test_a_clear_winner_is_always_first_and_two_equal_ones_share_the_rest():
    found = stability(estimates([[0.9] * 3, [0.5] * 3, [0.5] * 3], [STILL] * 3), [(0, 1), (1, 3)])
    assert [(s.first, s.kept) for s in found] == [(1, 1), (0, 1), (0, 1)]
    equal = stability(estimates([[0.5] * 3, [0.5] * 3], [STILL] * 2), [(0, 2)])
    assert [s.first for s in equal] == [0.5, 0.5]
    assert {s.n_draws for s in equal} == {N_DRAWS}


def test_over_images_alone_it_is_the_share_of_the_subsets():
    rng = np.random.default_rng(0)
    a, b = 0.01 * rng.normal(size=(2, 200))
    found = stability(estimates([[0.51] * 3, [0.5] * 3], [a, b]), [(0, 1), (1, 2)])
    wins = 0.01 + 3 * ((a - a.mean()) - (b - b.mean())) > 0
    assert found[0].first == found[0].kept == pytest.approx(wins.mean())
    assert found[1].first == pytest.approx(1 - wins.mean())


def test_what_moves_both_alike_changes_no_place():
    shared = 0.1 * np.random.default_rng(0).normal(size=200)
    found = stability(estimates([[0.2, 0.9], [0.1, 0.8]], [shared, shared]), [(0, 1), (1, 2)])
    assert (found[0].first, found[1].kept) == (1, 1)


def test_over_seeds_alone_it_is_the_share_of_all_draws():
    """Three seeds: 27 draws with replacement, the same ones for both.

    In six of them the gap of 0.1 moves by -0.09: enough only with the factor sqrt(3 / 2).
    """
    a, b = np.array([0.87, 0.6, 0.33]), np.full(3, 0.5)
    gap, wins = a - b, []
    for drawn in itertools.product(range(3), repeat=3):
        moved = gap[list(drawn)].mean() - gap.mean()
        wins.append(gap.mean() + np.sqrt(3 / 2) * moved > 0)
    found = stability(estimates([a, b], [STILL, STILL]), [(0, 2)])
    share = np.mean(wins)
    assert 0.1 < share < 0.9
    assert found[0].first == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / N_DRAWS))
    assert [s.kept for s in found] == [1, 1]  # they share both places


def test_the_same_board_gives_the_same_shares():
    rng = np.random.default_rng(3)
    given = estimates(rng.normal(size=(4, 3)), rng.normal(size=(4, 200)))
    assert stability(given, [(0, 4)]) == stability(given, [(0, 4)])
