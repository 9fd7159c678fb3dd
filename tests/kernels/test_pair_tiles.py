"""The exponential and the extremes that the losses' kernels stand on, against NumPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from clusterbench.kernels.pair_tiles import LEAST, extremes, place_of, put_exponentials

ONE, ZERO = np.float32(1), np.float32(0)


def exp(x: np.ndarray) -> np.ndarray:
    result = np.empty_like(x)
    put_exponentials(x, ZERO, ONE, LEAST, result)
    return result


def test_exp_is_within_two_units_in_the_last_place() -> None:
    small = -np.logspace(-40, 0, 100_000)
    middles = -np.log(2) * (np.arange(125)[:, None] + np.linspace(0.49, 0.51, 2001))
    x = np.concatenate([np.linspace(-87, 0, 2_000_000), small, middles.ravel()]).astype(np.float32)
    right = np.exp(x.astype(np.float64))
    errors = np.abs(exp(x) - right) / np.spacing(right.astype(np.float32))
    assert errors.max() <= 2


def test_exp_at_its_ends() -> None:
    x = np.array([0, -0.0, -87.0001, -88, -200, -3e38, -np.inf, np.nan], np.float32)
    np.testing.assert_array_equal(exp(x), [1, 1, 0, 0, 0, 0, 0, np.nan])


@given(
    hnp.arrays(
        np.float32,
        st.integers(1, 200),
        elements=st.floats(width=32, allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, -1.0]),
    )
)
@settings(deadline=None)
def test_extremes_and_the_first_place_of_the_highest(row: np.ndarray) -> None:
    low, high = extremes(row)
    assert (low, high) == (row.min(), row.max())
    assert place_of(row, high) == row.argmax()


def test_a_nan_is_an_extreme() -> None:
    for sign in (1, -1):
        row = np.linspace(-1, 1, 100, dtype=np.float32)
        row[40] = np.copysign(np.float32(np.nan), sign)
        row[50] = np.inf
        row[60] = -np.inf
        assert np.isnan(extremes(row)).any()
        assert place_of(row, np.float32(np.nan)) == 0
