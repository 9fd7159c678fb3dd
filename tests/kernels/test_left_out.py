"""Given samples by number: who is left out of a numbered subset, and what the cells then hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.kernels.left_out import hashed, without_left_out

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
TENTH = 2**64 // 10


def mixed(value: int) -> int:
    """SplitMix64's output function in Python's whole numbers."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def left_out(samples, key, number, below):
    """(n,) bool by the plain formula."""
    start = mixed(key)
    hashes = [mixed((start + (sample + 1) * GOLDEN) & MASK) for sample in samples]
    return np.array([mixed((h + (number + 1) * GOLDEN) & MASK) < below for h in hashes], bool)


@given(
    st.lists(st.integers(0, 2**62), min_size=1, max_size=30),
    st.integers(0, MASK),
    st.integers(0, 2**31),
    st.integers(0, MASK),
    st.data(),
)
def test_counts_are_those_of_the_samples_that_are_kept(samples, key, number, below, data):
    cells = np.array([data.draw(st.integers(0, 4)) for _ in samples])
    counts = np.bincount(cells, minlength=5)
    gone = left_out(samples, key, number, below)
    found = without_left_out(counts, cells, hashed(np.array(samples), key), number, below)
    assert found.tolist() == np.bincount(cells[~gone], minlength=5).tolist()


def test_it_is_known_where_the_numbers_come_from():
    """The first outputs of SplitMix64 from seed 0, as its authors publish them."""
    assert [mixed(GOLDEN * i & MASK) for i in (1, 2)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@pytest.mark.parametrize("key", [0, 1, MASK])
def test_a_tenth_is_left_out_and_subsets_samples_and_keys_are_independent(key):
    n, subsets = 20_000, 20
    samples = np.arange(n)
    cells, ones = samples.astype(np.int64), np.ones(n, np.int64)

    def drawn(key):
        hashes = hashed(samples, key)
        return np.array(
            [1 - without_left_out(ones, cells, hashes, b, TENTH) for b in range(subsets)]
        )

    gone = drawn(key)
    assert abs(gone.mean() - 0.1) < 5 * np.sqrt(0.09 / gone.size)
    bound = 5 / np.sqrt(n)
    between_subsets = np.corrcoef(gone)
    assert np.abs(between_subsets - np.eye(subsets)).max() < bound
    neighbours = [np.corrcoef(row[:-1], row[1:])[0, 1] for row in gone]
    assert np.abs(neighbours).max() < bound
    other = drawn(key ^ 1)
    assert np.abs([np.corrcoef(a, b)[0, 1] for a, b in zip(gone, other, strict=True)]).max() < bound
