"""Rows that walks reach, against sets."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.methods.trained.walks import walked_table, walked_width


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 4), st.integers(1, 3))
def test_a_row_has_what_walks_from_it_reach(seed: int, n: int, k: int, walks: int) -> None:
    k = min(k, n - 1)
    rng = np.random.default_rng(seed)
    ids = np.array([rng.choice(np.delete(np.arange(n), i), k, False) for i in range(n)], np.int32)
    found = walked_table(ids, walks, seed)
    assert found.shape == (n, walked_width(k, walks)) and found.dtype == np.int32
    for i in range(n):
        wanted, last = set(), {i}
        for _ in range(walks):
            last = {int(j) for row in last for j in ids[row]}
            wanted |= last
        times = Counter(found[i].tolist())
        assert set(times) == wanted - {i}
        assert max(times.values()) - min(times.values()) <= 1
    np.testing.assert_array_equal(found, walked_table(ids, walks, seed))


def test_which_rows_stand_there_once_more_is_drawn() -> None:
    # Given a ring of three, where each row reaches two others and has three places for them
    ids = np.array([[1], [2], [3], [1]], dtype=np.int32)
    rows = [walked_table(ids, 3, seed)[1].tolist() for seed in range(40)]
    assert {row for each in rows for row in each if each.count(row) == 2} == {2, 3}
