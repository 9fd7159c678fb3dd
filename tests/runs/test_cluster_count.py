"""K as a number, as a factor of the classes, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.runs.cluster_count import cluster_count


@pytest.mark.parametrize(
    ("k", "n_classes", "expected"),
    [
        (None, 7, 7),
        (5, 7, 5),
        ("5", 7, 5),
        ("2x", 7, 14),
        ("2X", 7, 14),
        (" 2x ", 7, 14),
        ("0.5x", 8, 4),
        ("0.5x", 5, 3),  # halves are rounded up
        ("0.5x", 7, 4),
        (".5x", 8, 4),
        ("1.1x", 10, 11),
        ("0.01x", 5, 1),  # at least one
        ("1x", 7, 7),
    ],
)
def test_what_is_given_and_what_a_task_gets(k: Any, n_classes: int, expected: int) -> None:
    assert cluster_count(k)(n_classes) == expected


@pytest.mark.parametrize(
    "k",
    [0, -1, True, 2.0, ("2x",), b"2x", "", "0", "0x", "0.0x", "-1x", "x", "x2", "2.x", "1e3x"],
)
def test_anything_else_is_refused(k: Any) -> None:
    with pytest.raises(InputError, match="wanted a whole number >= 1, or a factor"):
        cluster_count(k)


@pytest.mark.parametrize("k", ["nanx", "infx", "2xx", "2 x", "two", "\u0663", "9" * 400 + "x"])
def test_nearly_a_factor_is_refused(k: Any) -> None:
    with pytest.raises(InputError, match="wanted a whole number >= 1, or a factor"):
        cluster_count(k)


@given(st.integers(1, 400), st.integers(1, 20000))
def test_a_factor_is_the_nearest_whole_number(hundredths: int, n_classes: int) -> None:
    found = cluster_count(f"{hundredths / 100:.2f}x")(n_classes)
    exact = hundredths * n_classes  # in hundredths
    assert found >= 1 and (abs(100 * found - exact) <= 50 or (found == 1 and exact < 50))
