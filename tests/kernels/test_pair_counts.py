import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.kernels.pair_counts import pairs_within


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_pairs_equal_python_integers(counts):
    expected = sum(count * (count - 1) // 2 for count in counts)
    assert pairs_within(np.array(counts, np.int64)) == expected


def test_two_billion_samples_in_one_group():
    assert pairs_within(np.array([2_000_000_000])) == 1_999_999_999_000_000_000
