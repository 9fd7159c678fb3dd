"""Partial transport against plain loops, the conditions of its optimum and a general solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from clusterbench.heads.transport.partial_transport import Scalings, column_scalings, shares

EPSILON = 0.1


def costs(seed: int, n_heads: int, rows: int, n_clusters: int, spread: float) -> torch.Tensor:
    drawing = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_heads, rows, n_clusters, generator=drawing, dtype=torch.float64)
    return -torch.log_softmax(spread * drawn, dim=2)


def plan(cost: torch.Tensor, found: Scalings, epsilon: float = EPSILON) -> np.ndarray:
    """(H, n, K + 1), rows that sum to 1 / n."""
    given_ = shares(cost, found.log_b, epsilon)
    whole = torch.cat([given_, 1.0 - given_.sum(dim=2, keepdim=True)], dim=2)
    return (whole / cost.shape[1]).numpy()


problems = st.tuples(
    st.integers(0, 2**31),
    st.integers(1, 3),
    st.integers(2, 40),
    st.integers(2, 8),
    st.floats(0.1, 8.0),
    st.sampled_from([0.1, 0.106, 0.5, 0.9, 0.999999, 1.0]),
)


@given(problems, st.sampled_from([0.0, 0.05, 1.0, 20.0]))
def test_the_conditions_of_the_optimum_hold(
    problem: tuple[int, int, int, int, float, float], kl: float
) -> None:
    *sizes, rho = problem
    cost = costs(*sizes)

    found = column_scalings(cost, rho, EPSILON, kl)

    assert (found.change <= 1e-6).all() and (found.iterations < 1000).all()
    q = plan(cost, found)
    np.testing.assert_allclose(q.sum(axis=2), 1.0 / q.shape[1], rtol=1e-12)
    np.testing.assert_allclose(q[:, :, -1].sum(axis=1), 1.0 - rho, atol=1e-6)
    # C + epsilon log Q + kl log(size) is the same in all clusters of a row, up to rounding of what
    # is next to nothing; that of the virtual cluster differs by the same in all rows.
    size = q[:, :, :-1].sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        pull = cost.numpy() + EPSILON * np.log(q[:, :, :-1]) + (kl * np.log(size) if kl else 0.0)
    counts = q[:, :, :-1] > 1e-200
    highest = np.where(counts, pull, -np.inf).max(axis=2)
    lowest = np.where(counts, pull, np.inf).min(axis=2)
    assert (highest - lowest).max() <= 2.1e-6 * (kl + EPSILON) + 1e-9
    if rho < 1.0:
        sure = (q[:, :, -1] > 1e-9 * q.sum(axis=2)) & (highest > -np.inf)
        against = np.where(sure, EPSILON * np.log(np.maximum(q[:, :, -1], 1e-300)) - highest, 0.0)
        for head, kept in zip(against, sure, strict=True):
            assert not kept.any() or np.ptp(head[kept]) <= 1e-6


@settings(max_examples=30)
@given(problems, st.sampled_from([0.0, 1.0, math.inf]))
def test_it_is_what_a_plain_loop_comes_to(
    problem: tuple[int, int, int, int, float, float], kl: float
) -> None:
    seed, n_heads, rows, n_clusters, spread, rho = problem
    cost = costs(seed, n_heads, rows, n_clusters, min(spread, 2.0))
    found = column_scalings(cost, rho, EPSILON, kl, tolerance=1e-10, max_iter=20_000)
    power = 1.0 if kl == math.inf else kl / (kl + EPSILON)
    for head, mine in zip(cost.numpy(), plan(cost, found), strict=True):
        kernel = np.concatenate([np.exp(-head / EPSILON), np.ones((rows, 1))], axis=1)
        to = np.append(np.full(n_clusters, rho / n_clusters), 1.0 - rho)
        powers = np.append(np.full(n_clusters, power), 1.0)
        b = np.ones(n_clusters + 1)
        for _ in range(20_000):
            a = 1.0 / rows / (kernel @ b)
            before, b = b, (to / (kernel.T @ a)) ** powers
            if np.abs(b - before).max() <= 1e-12 * b.max():
                break
        expected = (1.0 / rows / (kernel @ b))[:, None] * kernel * b
        np.testing.assert_allclose(mine, expected, atol=1e-7)


@pytest.mark.parametrize(("rho", "kl"), [(0.3, 1.0), (0.8, 0.2), (1.0, 1.0)])
def test_a_general_solver_finds_no_better_plan(rho: float, kl: float) -> None:
    rows, n_clusters = 6, 3
    cost = costs(5, 1, rows, n_clusters, 1.0)
    whole = np.concatenate([cost[0].numpy(), np.zeros((rows, 1))], axis=1)
    whole = whole if rho < 1.0 else whole[:, :-1]
    width = whole.shape[1]

    def objective(flat: np.ndarray) -> float:
        q = np.maximum(flat, 1e-300).reshape(rows, width)
        size = q[:, :n_clusters].sum(axis=0)
        pull = size * np.log(size * n_clusters / rho) - size + rho / n_clusters
        return float((q * whole + EPSILON * q * (np.log(q) - 1.0)).sum() + kl * pull.sum())

    def gradient(flat: np.ndarray) -> np.ndarray:
        q = np.maximum(flat, 1e-300).reshape(rows, width)
        found = whole + EPSILON * np.log(q)
        found[:, :n_clusters] += kl * np.log(q[:, :n_clusters].sum(axis=0) * n_clusters / rho)
        return found.ravel()

    marginals = [np.kron(np.eye(rows), np.ones(width))]
    wanted = [np.full(rows, 1.0 / rows)]
    if rho < 1.0:
        marginals.append(np.tile(np.eye(width)[-1], rows)[None])
        wanted.append(np.array([1.0 - rho]))
    left, right = np.concatenate(marginals), np.concatenate(wanted)
    begun = np.full((rows, width), rho / n_clusters / rows)
    if rho < 1.0:
        begun[:, -1] = (1.0 - rho) / rows
    solved = minimize(
        objective, begun.ravel(), jac=gradient, method="SLSQP",
        bounds=[(1e-12, 1.0)] * (rows * width), options={"maxiter": 2000, "ftol": 1e-14},
        constraints={"type": "eq", "fun": lambda q: left @ q - right, "jac": lambda _: left},
    )  # fmt: skip
    mine = plan(cost, column_scalings(cost, rho, EPSILON, kl))[0, :, :width]
    np.testing.assert_allclose(mine, solved.x.reshape(rows, width), atol=2e-5)
    assert objective(mine.ravel()) <= solved.fun + 1e-8


def test_equal_sizes_are_equal_and_free_ones_are_not() -> None:
    cost = costs(1, 2, 200, 5, 3.0) + 3.0 * torch.arange(5.0, dtype=torch.float64)
    sizes = {
        kl: plan(cost, column_scalings(cost, 0.6, EPSILON, kl))[:, :, :-1].sum(axis=1)
        for kl in (0.0, 0.3, 1.0, math.inf)
    }
    np.testing.assert_allclose(sizes[math.inf], 0.12, rtol=1e-5)
    ranges = [np.ptp(of_kl, axis=1).min() for of_kl in sizes.values()]
    assert ranges == sorted(ranges, reverse=True)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.1, 1.0))
def test_heads_and_starts_change_nothing(seed: int, rho: float) -> None:
    # Given an easy head beside a hard one
    cost = torch.cat([costs(seed, 1, 30, 4, 0.1), costs(seed + 1, 1, 30, 4, 6.0)])
    both = column_scalings(cost, rho)
    for h in range(2):
        alone = column_scalings(cost[h : h + 1], rho)
        torch.testing.assert_close(both.log_b[h], alone.log_b[0], rtol=1e-9, atol=1e-9)
        assert both.iterations[h] == alone.iterations[0]
    start = 20.0 * torch.randn(2, 5, generator=torch.Generator().manual_seed(seed)).double()
    warm = column_scalings(cost, rho, start=start)
    np.testing.assert_allclose(plan(cost, warm), plan(cost, both), atol=1e-5)
    again = column_scalings(cost, rho, start=both.log_b)
    assert (again.iterations <= 11).all()


@pytest.mark.parametrize("spread", [1e3, 1e5])
@pytest.mark.parametrize("rho", [0.1, 0.9, 1.0])
def test_kernels_beyond_floats_are_no_hindrance(spread: float, rho: float) -> None:
    # exp(-C / epsilon) alone is 0 in nearly all places
    cost = costs(3, 2, 50, 6, spread)
    assert (torch.exp(-cost / EPSILON) == 0.0).sum(dim=2).double().mean() > 4.5

    found = column_scalings(cost, rho)

    q = plan(cost, found)
    assert np.isfinite(q).all() and (found.change <= 1e-6).all()
    np.testing.assert_allclose(q[:, :, -1].sum(axis=1), 1.0 - rho, atol=1e-6)


def test_what_does_not_converge_says_so() -> None:
    # Equal sizes of five rows in two clusters, of which each wants one
    cost = 1e3 * torch.tensor([[[0.0, 1.0]] * 4 + [[1.0, 0.0]]], dtype=torch.float64)
    found = column_scalings(cost, 1.0, EPSILON, math.inf, max_iter=20)
    assert found.iterations.tolist() == [21] and found.change.item() > 1e-6
    assert torch.isfinite(shares(cost, found.log_b, EPSILON)).all()
