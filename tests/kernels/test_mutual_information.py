import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.cluster import expected_mutual_information as sklearn_expected

from clusterbench.kernels.mutual_information import entropy, expected_mutual_information


def exact_expected(rows, columns):
    """Vinh et al. 2010, eq. 24a: rational probabilities, logarithms to 40 digits."""
    n = sum(rows)
    with localcontext() as context:
        context.prec = 40
        total = Decimal(0)
        for a in rows:
            for b in columns:
                for x in range(max(1, a + b - n), min(a, b) + 1):
                    ways = math.comb(a, x) * math.comb(n - a, b - x)
                    p = Fraction(ways, math.comb(n, b)) * Fraction(x, n)
                    nats = (Decimal(n * x) / Decimal(a * b)).ln()
                    total += Decimal(p.numerator) / Decimal(p.denominator) * nats
        return float(total)


def exact_overlap(a, b, n):
    """E[x log(x n / (a b))] for a hypergeometric overlap x, outward from the mode, 50 digits."""
    with localcontext() as context:
        context.prec = 50
        mode = (a + 1) * (b + 1) // (n + 2)
        weights = total = Decimal(0)
        for step in (1, -1):
            x, weight = mode, Decimal(1)
            while max(0, a + b - n) <= x <= min(a, b) and weight > Decimal("1e-40"):
                if step == 1 or x != mode:
                    weights += weight
                    total += weight * x * (Decimal(x * n) / (a * b)).ln() if x else 0
                if step == 1:
                    weight = weight * ((a - x) * (b - x)) / ((x + 1) * (n - a - b + x + 1))
                else:
                    weight = weight * (x * (n - a - b + x)) / ((a - x + 1) * (b - x + 1))
                x += step
        return float(total / weights)


@st.composite
def sizes_of_two_partitions(draw):
    n = draw(st.integers(1, 40))
    parts = []
    for _ in range(2):
        labels = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
        parts.append(np.bincount(labels, minlength=8))
    return parts


@settings(max_examples=60)
@given(sizes_of_two_partitions())
def test_expected_equals_exact_rational_arithmetic(sizes):
    rows, columns = sizes
    expected = exact_expected(rows[rows > 0].tolist(), columns[columns > 0].tolist())
    assert expected_mutual_information(rows, columns) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(("n", "k"), [(200, 7), (2000, 40), (3000, 1500)])
def test_expected_equals_scikit_learn(n, k):
    rng = np.random.default_rng(0)
    table = np.zeros((k, k), np.int64)
    np.add.at(table, (rng.integers(k, size=n), (rng.random(n) ** 2 * k).astype(int)), 1)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    ours = expected_mutual_information(table.sum(axis=1), table.sum(axis=0))
    assert ours == pytest.approx(sklearn_expected(table, n), rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "n"),
    [
        (1, 1, 10**8),
        (2, 5 * 10**7, 10**8),
        (10**4, 10**4, 10**8),
        (300, 10**6, 10**8),
        (10**8 - 3, 7 * 10**7, 10**8),
        (10**6, 2 * 10**6, 10**8),
        (1000, 1059, 11_060_223),
    ],
)
def test_expected_is_stable_to_a_hundred_million_samples(a, b, n):
    """Two groups each: four overlaps, every one a different regime of the sum."""
    exact = sum(exact_overlap(i, j, n) for i in (a, n - a) for j in (b, n - b)) / n
    ours = expected_mutual_information(np.array([a, n - a]), np.array([b, n - b]))
    assert ours == pytest.approx(exact, rel=1e-9, abs=0)


def test_expected_of_two_halves_follows_its_large_sample_limit():
    """(rows - 1)(columns - 1) / 2N, where lgamma differences have lost every digit."""
    n = 2 * 10**9
    halves = np.array([n // 2, n // 2])
    assert expected_mutual_information(halves, halves) == pytest.approx(1 / (2 * n), rel=1e-6)


def test_expected_of_nothing_and_of_one_group_is_zero():
    assert expected_mutual_information(np.zeros(3, np.int64), np.zeros(2, np.int64)) == 0.0
    assert expected_mutual_information(np.array([9]), np.array([4, 5])) == pytest.approx(0.0)


def test_entropy_by_hand():
    assert entropy(np.array([1, 1, 0, 2])) == pytest.approx(1.5 * math.log(2))
    assert entropy(np.array([5])) == 0.0
    assert entropy(np.array([], np.int64)) == 0.0


def test_entropy_keeps_its_digits_over_millions_of_parts():
    parts = 3_000_000
    assert entropy(np.full(parts, 3)) == pytest.approx(math.log(parts), rel=1e-14)
