"""Agreement of halves: hand-worked cases, and sklearn's AMI on the other side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from clusterbench.selection.halves import ami, halves_agreement, two_halves


@given(n=st.integers(2, 200), seed=st.integers(0, 99))
def test_halves_are_all_rows_once(n: int, seed: int) -> None:
    first, second = two_halves(n, seed)
    assert len(second) - len(first) == n % 2
    assert sorted([*first, *second]) == list(range(n))
    assert (np.diff(first) > 0).all() and (np.diff(second) > 0).all()
    np.testing.assert_array_equal(first, two_halves(n, seed)[0])


@settings(max_examples=50)
@given(labels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_ami_is_sklearns(labels: list[tuple[int, int]]) -> None:
    a, b = np.array(labels).T
    assert ami(a, b) == pytest.approx(adjusted_mutual_info_score(a, b), abs=1e-9)


def test_the_same_rule_agrees_wholly_and_other_names_do_not_matter() -> None:
    sign = np.sign(np.random.default_rng(0).normal(size=40)) > 0

    def same(own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        swapped = sign if own[0] < others[0] else ~sign  # each half has names of its own
        return swapped[own].astype(int), swapped[others].astype(int)

    assert halves_agreement(two_halves(40, 0), same) == pytest.approx(1.0)


def test_both_directions_count_alike() -> None:
    """The fit to the first half predicts the second's clusters; the other way one cluster only."""
    truth = np.arange(20) % 2
    first, second = two_halves(20, 3)

    def fitted(own: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        knows = own is first
        return truth[own], truth[others] if knows else np.zeros(len(others), dtype=int)

    assert halves_agreement((first, second), fitted) == pytest.approx(0.5)
