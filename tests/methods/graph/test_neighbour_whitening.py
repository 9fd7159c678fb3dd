"""Whitening by the scatter between neighbours, against its definition, and where it is left out."""

from __future__ import annotations

from typing import Any

import graph_plain as plain
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.methods.graph import neighbour_whitening as module
from clusterbench.methods.graph.neighbour_whitening import NeighbourWhitening, neighbour_whitening

CPU = torch.device("cpu")


def stretched(n: int = 400, dim: int = 20, seed: int = 0, by: float = 6.0) -> np.ndarray:
    """Groups whose rows scatter far more in some directions than in others."""
    rng = np.random.default_rng(seed)
    scales = np.where(np.arange(dim) < dim // 5, by, 1.0)
    rows = rng.normal(size=(8, dim))[rng.integers(0, 8, n)] + 0.4 * scales * rng.normal(
        size=(n, dim)
    )
    return plain.unit(rows.astype(np.float32))


def found(unit: np.ndarray) -> NeighbourWhitening:
    made = neighbour_whitening(unit, CPU)
    assert made is not None
    return made


def nearest(rows: np.ndarray, k: int) -> np.ndarray:
    """By float64 cosines; of equals those of the lowest numbers."""
    similar = plain.unit(rows).astype(np.float64) @ plain.unit(rows).astype(np.float64).T
    np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, :k]


def plainly(unit: np.ndarray) -> np.ndarray | None:
    """W^(-1/2) by its definition, two times; None where the differences are even."""
    n, dim = unit.shape
    x, seen, root = unit.astype(np.float64), unit, None
    for time in range(2):
        pairs = [(i, j) for i, row in enumerate(nearest(seen, min(10, n - 1))) for j in row]
        scatter = np.mean([np.outer(x[i] - x[j], x[i] - x[j]) for i, j in pairs], axis=0)
        values = np.linalg.eigvalsh(scatter)
        if not time and values.sum() ** 2 / (values**2).sum() > 2 / 3 * dim:
            return None
        share = max(0.1, dim / (n + dim))
        scatter = (1 - share) * scatter + share * np.trace(scatter) / dim * np.eye(dim)
        values, vectors = np.linalg.eigh(scatter)
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        seen = plain.unit(((x - x.mean(axis=0)) @ root).astype(np.float32))
    return root


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [30, 300])
def test_the_definition(n: int, seed: int) -> None:
    unit = stretched(n, seed=seed)
    wanted, made = plainly(unit), neighbour_whitening(unit, CPU)
    assert (wanted is None) == (made is None)
    if wanted is None or made is None:
        return
    scale = np.linalg.norm(wanted) / np.linalg.norm(made.basis)
    np.testing.assert_allclose(scale * made.basis, wanted, atol=2e-6 * np.abs(wanted).max())
    x = unit.astype(np.float64)
    rows = plain.unit(((x - x.mean(axis=0)) @ wanted).astype(np.float32))
    np.testing.assert_allclose(made(unit), rows, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60), dim=st.integers(1, 9), copies=st.booleans(), zeros=st.booleans(),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_any_rows_come_to_unit_length_and_to_their_bits_in_any_block(
    n: int, dim: int, copies: bool, zeros: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    unit = stretched(n, dim, seed)
    if copies:
        unit = unit[rng.integers(0, max(1, n // 12), n)]
    if zeros:
        unit = unit * (rng.random(n) < 0.8)[:, None].astype(np.float32)
    made = neighbour_whitening(unit, CPU)
    if made is None:
        return
    seen = made(unit)
    length = np.linalg.norm(seen, axis=1)
    assert np.isfinite(seen).all() and not length[~unit.any(axis=1)].any()
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    alone = np.concatenate([made(unit[i : i + 1]) for i in range(n)])
    np.testing.assert_array_equal(alone, seen)


def test_neighbours_differ_alike_in_all_directions_afterwards() -> None:
    unit = stretched(1500, 40)

    def spread(rows: np.ndarray) -> float:
        near = nearest(rows, 10)
        differences = (rows[:, None] - rows[near]).reshape(-1, rows.shape[1]).astype(np.float64)
        values = np.linalg.eigvalsh(differences.T @ differences)
        return float(values[-1] / values[0])

    assert spread(found(unit)(unit)) < spread(unit) / 4


def test_it_tells_noise_from_directions_that_tell_groups() -> None:
    """Whitening by the covariance makes much of weak noise; this leaves it where it is."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, 2000)
    centres = np.zeros((20, 100))
    centres[:, :10] = 2 * rng.normal(size=(20, 10))
    rows = centres[labels] + 0.5 * rng.normal(size=(2000, 100))
    rows[:, 80:] *= 4.0  # noise of two strengths, so that there is something to even out
    unit = plain.unit(rows.astype(np.float32))

    def pure(rows: np.ndarray) -> float:
        return float((labels[nearest(rows, 10)] == labels[:, None]).mean())

    assert pure(found(unit)(unit)) > pure(unit) + 0.05


@pytest.mark.parametrize("what", ["even", "copies", "one direction", "two rows", "zeros"])
def test_what_is_even_already_is_left_alone(what: str) -> None:
    rng = np.random.default_rng(0)
    rows = {
        "even": rng.normal(size=(300, 12)),
        "copies": np.eye(6)[np.arange(120) % 6] * [1, 2, 3, 4, 5, 6],
        "one direction": rng.normal(size=(50, 1)),
        "two rows": rng.normal(size=(2, 5)),
        "zeros": np.zeros((30, 4)),
    }[what]
    assert neighbour_whitening(plain.unit(rows.astype(np.float32)), CPU) is None


def test_rows_of_zeros_change_nothing_and_stay_zeros() -> None:
    unit = stretched(200)
    with_zeros = np.insert(unit, [0, 70, 71, 200], 0.0, axis=0)
    made = found(with_zeros)
    np.testing.assert_array_equal(made.basis, found(unit).basis)
    np.testing.assert_array_equal(made.mean, found(unit).mean)
    assert not made(with_zeros)[[0, 71, 73, 203]].any()


def test_of_many_rows_a_part_is_asked_for_its_neighbours_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    unit = stretched(900, 40, by=3.0)
    unit[::9] = unit[3]  # a hundred copies of one row, of which each is another's neighbour
    asked = np.sort(np.random.default_rng(900).choice(900, 100, replace=False))
    calls: list[Any] = []
    real = module.nearest_of
    monkeypatch.setattr(module, "nearest_of", lambda *a: calls.append(a) or real(*a))
    made = found(unit)
    assert len(calls) == 2 and len(calls[0][0]) == 100 and len(calls[0][1]) == 900
    near = module._neighbours(unit, asked, CPU, None)
    assert near.shape == (100, 10) and not (near == asked[:, None]).any()
    few = np.flatnonzero(~(unit[asked] == unit[3]).all(axis=1))
    np.testing.assert_array_equal(np.sort(near[few]), np.sort(nearest(unit, 10)[asked[few]]))
    again = found(unit)
    np.testing.assert_array_equal(again.basis, made.basis)


def test_threads_change_no_bit() -> None:
    from threadpoolctl import threadpool_limits

    unit = stretched(3000, 40)
    bases = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            bases.append(found(unit).basis)
    np.testing.assert_array_equal(*bases)
