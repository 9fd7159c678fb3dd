import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare, hypergeom

from clusterbench.kernels.resampling import regrouped, subsampled


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.data())
def test_a_subset_has_its_size_and_takes_no_sample_twice(counts, data):
    counts = np.array(counts)
    size = data.draw(st.integers(0, int(counts.sum())))
    drawn = subsampled(counts, size, np.random.default_rng(0))
    assert drawn.sum() == size
    assert ((drawn >= 0) & (drawn <= counts)).all()
    assert np.array_equal(subsampled(counts, int(counts.sum()), np.random.default_rng(0)), counts)


@pytest.mark.parametrize("cell", [0, 1, 3])
def test_each_cell_is_hypergeometric(cell):
    counts, size = np.array([5, 1, 12, 7]), 10
    generator = np.random.default_rng(4)
    drawn = [int(subsampled(counts, size, generator)[cell]) for _ in range(8000)]
    law = hypergeom(25, counts[cell], size)
    values = np.arange(counts[cell] + 1)
    expected = 8000 * law.pmf(values)
    common = expected >= 5
    seen = np.bincount(drawn, minlength=len(values))
    pooled = [*seen[common], seen[~common].sum()], [*expected[common], expected[~common].sum()]
    if not (~common).any():
        pooled = seen, expected
    assert chisquare(*pooled).pvalue > 1e-4


def test_every_subset_is_equally_likely():
    generator = np.random.default_rng(7)
    codes = [
        int(subsampled(np.ones(5, int), 2, generator) @ 2 ** np.arange(5)) for _ in range(5000)
    ]
    found, seen = np.unique(codes, return_counts=True)
    assert len(found) == 10
    assert chisquare(seen).pvalue > 1e-4


def test_the_state_of_the_generator_decides_and_moves_on():
    counts = np.full(50, 3)
    one, two = np.random.default_rng(1), np.random.default_rng(1)
    first = subsampled(counts, 60, one)
    assert np.array_equal(first, subsampled(counts, 60, two))
    assert not np.array_equal(first, subsampled(counts, 60, one))


@given(st.lists(st.tuples(st.integers(0, 2**60), st.integers(0, 4)), max_size=6))
def test_regrouped_sums_exactly(pairs):
    weights = np.array([weight for weight, _ in pairs], np.int64)
    groups = np.array([group for _, group in pairs], np.int64)
    expected = [sum(w for w, g in pairs if g == group) for group in range(5)]
    assert regrouped(weights, groups, 5).tolist() == expected
