"""Speed of scoring; not part of the test run: pytest tests/speed/bench_scoring.py

Peers side by side, and the largest shapes, are in scripts/compare_scoring.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterbench.kernels.assignment import assign
from clusterbench.kernels.contingency import Contingency, contingency
from clusterbench.kernels.mutual_information import expected_mutual_information
from clusterbench.kernels.resampling import subsampled
from clusterbench.metrics import Resampling, compare, score

SHAPES = {"1k": (50_000, 1_000), "10k": (522_500, 10_450), "21k": (425_872, 20_992)}
SHARES = {"easy": 0.8, "chance": 0.0}

Labels = tuple[np.ndarray, np.ndarray, int]


@pytest.fixture(scope="module", params=SHAPES)
def shape(request: pytest.FixtureRequest) -> tuple[int, int]:
    return SHAPES[request.param]


@pytest.fixture(scope="module", params=SHARES)
def labels(request: pytest.FixtureRequest, shape: tuple[int, int]) -> Labels:
    n, k = shape
    rng = np.random.default_rng(0)
    targets = (np.arange(n) * k // n).astype(np.int32)
    guesses = rng.integers(k, size=n, dtype=np.int32)
    return targets, np.where(rng.random(n) < SHARES[request.param], targets, guesses), k


@pytest.fixture(scope="module")
def table(labels: Labels) -> Contingency:
    targets, predictions, k = labels
    return contingency(targets, predictions, k, k)


def test_contingency(benchmark: Any, labels: Labels) -> None:
    targets, predictions, k = labels
    assert benchmark(contingency, targets, predictions, k, k).n == len(targets)


def test_assign(benchmark: Any, table: Contingency) -> None:
    assert benchmark(assign, table).total > 0


def test_expected_mutual_information(benchmark: Any, table: Contingency) -> None:
    assert benchmark(expected_mutual_information, table.row_sums, table.column_sums) > 0


def test_subsampled(benchmark: Any, table: Contingency) -> None:
    size, generator = table.n * 9 // 10, np.random.default_rng(0)
    assert benchmark(subsampled, table.data, size, generator).sum() == size


def test_score(benchmark: Any, labels: Labels) -> None:
    assert benchmark(score, *labels[:2]).n == len(labels[0])


def test_score_with_twenty_resamples(benchmark: Any, labels: Labels) -> None:
    scores = benchmark(score, *labels[:2], intervals=Resampling(20))
    assert scores.intervals.metrics["acc"].standard_error > 0


def test_compare_with_twenty_resamples(benchmark: Any, labels: Labels) -> None:
    targets, predictions, _ = labels
    found = benchmark(compare, targets, predictions, targets, resampling=Resampling(20))
    assert found.metrics["acc"].b == 1.0
