"""Sinkhorn's scaling against plain loops, its masses, and the linear programs it tends to."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, linprog

from clusterbench.heads.transport import sinkhorn_scaling
from clusterbench.heads.transport.sinkhorn_scaling import sinkhorn, uniform

SEEDS = st.integers(0, 2**32 - 1)


def masses(rng: np.random.Generator, n: int) -> torch.Tensor:
    found = rng.uniform(0.1, 1.0, n)
    return torch.tensor(found / found.sum())


def looped(
    scores: np.ndarray, rows: np.ndarray, columns: np.ndarray, iterations: int, power: float
) -> np.ndarray:
    """The plan by scales that are no logarithms, one number at a time."""
    n, n_columns = scores.shape
    kernel = [[math.exp(scores[i, j]) for j in range(n_columns)] for i in range(n)]
    u, v = [1.0] * n, [1.0] * n_columns
    for _ in range(iterations):
        for j in range(n_columns):
            v[j] = (columns[j] / sum(u[i] * kernel[i][j] for i in range(n))) ** power
        for i in range(n):
            u[i] = rows[i] / sum(kernel[i][j] * v[j] for j in range(n_columns))
    return np.array([[u[i] * kernel[i][j] * v[j] for j in range(n_columns)] for i in range(n)])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(1, 5), st.integers(1, 6), st.sampled_from([1.0, 0.6]))
def test_it_is_the_plain_loop(seed: int, n: int, k: int, iterations: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    scores = torch.tensor(rng.normal(scale=3.0, size=(n, k)))
    rows, columns = masses(rng, n), masses(rng, k)
    found = sinkhorn(scores, rows, columns, iterations, column_power=power).log_plan(scores).exp()
    wanted = looped(scores.numpy(), rows.numpy(), columns.numpy(), iterations, power)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-9, atol=1e-300)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 40), st.integers(1, 9), st.floats(0.0, 1.5), st.floats(-1e4, 1e4))
def test_run_to_convergence_it_meets_its_masses(
    seed: int, n: int, k: int, spread: float, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = torch.tensor(shift + rng.normal(scale=spread, size=(n, k)), dtype=torch.float32)
    rows, columns = masses(rng, n), masses(rng, k)
    found = sinkhorn(scores, rows, columns, 20_000, tolerance=1e-7)
    assert float(found.change) <= 1e-7
    plan = found.log_plan(scores).exp()
    torch.testing.assert_close(plan.sum(dim=1), rows, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(plan.sum(dim=0), columns, rtol=1e-6, atol=0.0)


def check_near_best(gain: np.ndarray, epsilon: float, best: float) -> None:
    """The plan of gain / epsilon gains the best but for its entropy, epsilon * log(pairs)."""
    scores = torch.tensor(gain / epsilon)
    even = uniform(gain.shape[0], scores), uniform(gain.shape[1], scores)
    found = sinkhorn(scores, *even, 2_000, tolerance=1e-6)
    change = float(found.change)  # what columns lack of their masses can gain, since gains are <= 1
    assert change < 0.1
    value = (found.log_plan(scores).exp().numpy() * gain).sum()
    assert best - epsilon * math.log(gain.size) - change <= value <= best + change


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(2, 6))
def test_a_small_entropy_comes_near_the_best_assignment(seed: int, n: int) -> None:
    gain = np.random.default_rng(seed).uniform(size=(n, n))
    best = gain[linear_sum_assignment(gain, maximize=True)].mean()
    for epsilon in (0.1, 0.02):
        check_near_best(gain, epsilon, best)


@pytest.mark.parametrize(("n", "k"), [(7, 3), (10, 4), (5, 1)])
def test_a_small_entropy_comes_near_the_linear_program(n: int, k: int) -> None:
    # Given sizes that are no whole numbers, since K does not divide n
    gain = np.random.default_rng(n).uniform(size=(n, k))
    sums = np.vstack([np.kron(np.eye(n), np.ones(k)), np.kron(np.ones(n), np.eye(k))])
    mass = np.concatenate([np.full(n, 1 / n), np.full(k, 1 / k)])
    program = linprog(-gain.ravel(), A_eq=sums, b_eq=mass, bounds=(0, None))
    for epsilon in (0.1, 0.01):
        check_near_best(gain, epsilon, -program.fun)


def test_scores_of_any_size_come_to_finite_plans() -> None:
    scores = torch.tensor([[1e6, -1e6, 0.0], [-1e6, 1e6, 3e5], [7e5, 1e6, 9e5], [0.0, 0.0, 0.0]])
    found = sinkhorn(scores, uniform(4, scores), uniform(3, scores), iterations=50)
    plan = found.log_plan(scores).exp()
    assert torch.isfinite(plan).all()
    torch.testing.assert_close(plan.sum(dim=1), uniform(4, scores))


def test_columns_without_mass_get_none() -> None:
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    columns = torch.tensor([0.25, 0.0, 0.75], dtype=torch.float64)
    found = sinkhorn(scores, uniform(6, scores), columns, tolerance=1e-8)
    plan = found.log_plan(scores).exp()
    torch.testing.assert_close(plan.sum(dim=0), columns)


def test_problems_side_by_side_are_solved_as_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given problems that converge at different iterations, in blocks of two rows
    monkeypatch.setattr(sinkhorn_scaling, "_BLOCK_NUMBERS", 8)
    drawing = torch.Generator().manual_seed(5)
    scores = torch.randn(3, 11, 4, generator=drawing) * torch.tensor([0.1, 2.0, 6.0])[:, None, None]
    even = (uniform(11, scores), uniform(4, scores))
    together = sinkhorn(scores, *even, tolerance=1e-4)
    for h in range(3):
        alone = sinkhorn(scores[h], *even, tolerance=1e-4)
        assert torch.equal(together.rows[h], alone.rows)
        assert torch.equal(together.columns[h], alone.columns)
        assert float(together.change[h]) == float(alone.change) <= 1e-4
    monkeypatch.undo()
    whole = sinkhorn(scores, *even, tolerance=1e-4)
    torch.testing.assert_close(whole.columns, together.columns)


def test_a_plan_is_made_by_blocks_of_rows() -> None:
    scores = torch.randn(9, 4, generator=torch.Generator().manual_seed(2))
    found = sinkhorn(scores, uniform(9, scores), uniform(4, scores), iterations=3)
    parts = [found.log_plan(scores[a : a + 4], a) for a in (0, 4, 8)]
    assert torch.equal(torch.cat(parts), found.log_plan(scores))
