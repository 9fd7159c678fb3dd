"""Given who can be told apart: groups that share a place, and ranges of places."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.leaderboard.ranking.ties import groups, place_ranges


def apart(n, *pairs):
    table = np.zeros((n, n), bool)
    for i, j in pairs:
        table[i, j] = table[j, i] = True
    return table


def descending(n):
    return np.arange(n)[None, :] - np.arange(n)[:, None]


def test_a_clear_winner_has_a_place_of_its_own():
    table = apart(4, (0, 1), (0, 2), (0, 3))
    assert groups(table) == [(0, 1), (1, 4)]
    assert place_ranges(descending(4), table) == [(1, 1), (2, 4), (2, 4), (2, 4)]


def test_ties_that_are_not_transitive():
    """A and B, B and C cannot be told apart; A and C can."""
    table = apart(3, (0, 2))
    assert groups(table) == [(0, 2), (2, 3)]
    assert place_ranges(descending(3), table) == [(1, 2), (1, 3), (2, 3)]


def test_one_that_is_told_apart_from_a_middle_one_only():
    """D is told apart from B, though not from A above it: it does not join them."""
    table = apart(4, (1, 3))
    assert groups(table) == [(0, 3), (3, 4)]
    assert place_ranges(descending(4), table) == [(1, 4), (1, 3), (1, 4), (2, 4)]


def test_all_tied_all_apart_and_nobody():
    assert groups(apart(3)) == [(0, 3)]
    assert groups(apart(3, (0, 1), (0, 2), (1, 2))) == [(0, 1), (1, 2), (2, 3)]
    assert groups(apart(0)) == [] and groups(apart(1)) == [(0, 1)]
    assert place_ranges(descending(1), apart(1)) == [(1, 1)]


@given(st.integers(1, 8), st.data())
def test_what_a_place_says(n, data):
    pairs = [(i, j) for i in range(n) for j in range(i)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    table = apart(n, *chosen)
    found = groups(table)
    assert [k for run in found for k in range(*run)] == list(range(n))
    for start, stop in found:
        assert not table[start:stop, start:stop].any()
    for (start, stop), (following, _) in itertools.pairwise(found):
        assert stop == following and table[start:stop, following].any()
    ranges = place_ranges(descending(n), table)
    for start, stop in found:
        for low, high in ranges[start:stop]:
            assert low <= start + 1 and stop <= high
