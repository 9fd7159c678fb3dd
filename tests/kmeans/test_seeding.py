"""Starts: k-means++ has its odds exactly, drawn one by one or many together."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from clusterbench.kernels.rejection import accepted
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.lloyd import Alone
from clusterbench.kmeans.projection import Projection
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting.principal import principal
from clusterbench.kmeans.starting.seeding import parallel, plus_plus, random_rows, sampled_plus_plus

LINE = np.array([[0.0], [1.0], [3.0], [7.0]], dtype=np.float32)


def begun(rows: np.ndarray, weights: np.ndarray | None = None) -> CpuShard:
    shard = CpuShard(ArrayRows(rows), weights)
    shard.begin(shard.extent.units())
    return shard


def odds(weights: np.ndarray) -> dict[tuple[float, ...], float]:
    """Of each three rows in order, by the definition of k-means++."""
    x, result = LINE[:, 0].astype(float), {}
    for a in range(4):
        first = weights * (x - x[a]) ** 2
        for b in np.flatnonzero(first):
            second = weights * np.minimum((x - x[a]) ** 2, (x - x[b]) ** 2)
            for c in np.flatnonzero(second):
                chance = weights[a] / weights.sum() * first[b] / first.sum()
                result[x[a], x[b], x[c]] = chance * second[c] / second.sum()
    return result


@pytest.mark.parametrize("weights", [None, np.array([1.0, 4.0, 2.0, 0.0])])
def test_plus_plus_draws_by_squared_distance(weights: np.ndarray | None) -> None:
    n = 800
    shard = begun(LINE, weights)
    units = shard.extent.units()
    rng = np.random.default_rng(0)
    found: Counter[tuple[float, ...]] = Counter()
    for _ in range(n):
        # Eight candidates are drawn together for the second and the third.
        found[tuple(plus_plus(shard, Alone(), units, 3, rng)[:, 0].tolist())] += 1
    expected = odds(np.ones(4) if weights is None else weights)
    assert set(found) <= set(expected)
    for rows, chance in expected.items():
        assert abs(found[rows] - n * chance) <= 5 * np.sqrt(n * chance * (1 - chance)) + 1


def test_plus_plus_leaves_the_rows_assigned() -> None:
    rows = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
    shard = begun(rows)
    centroids = plus_plus(shard, Alone(), shard.extent.units(), 60, np.random.default_rng(1))
    assert len(np.unique(centroids, axis=0)) == 60
    other = begun(rows)
    other.assign(centroids)
    assert (shard.labels() == other.labels()).all()
    shard.unit = other.unit
    assert shard.objective() == other.objective()


def test_a_candidate_stands_by_the_share_of_its_mass_that_is_left() -> None:
    candidates = np.array([[4.0], [4.0], [1.0], [3.0]], dtype=np.float32)
    masses = np.array([16, 16, 1, 9])  # squared distances to a centroid at 0
    ones = np.ones(4)
    # After 4 is taken: 4 again has no mass, 1 keeps 1 of 1, 3 keeps 1 of 9.
    for chance, expected in ((0.1, [True, False, True, True]), (0.12, [True, False, True, False])):
        stand = accepted(candidates, ones, masses, np.array([0.5, 0.0, 0.9, chance]), 1.0, 9)
        assert stand.tolist() == expected
    assert accepted(candidates, ones, masses, np.zeros(4), 1.0, 1).sum() == 1


@pytest.mark.parametrize("draw", [parallel, sampled_plus_plus, plus_plus])
def test_starts_by_distance_find_every_far_blob(draw: object) -> None:
    rng = np.random.default_rng(3)
    places = 100 * rng.normal(size=(30, 8))
    rows = (places.repeat(200, axis=0) + rng.normal(size=(6000, 8))).astype(np.float32)
    shard = begun(rows)
    centroids = draw(shard, Alone(), shard.extent.units(), 30, rng)  # type: ignore[operator]
    nearest = ((centroids[:, None] - places[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert len(set(nearest.tolist())) >= 29


@pytest.mark.parametrize("weights", [None, np.r_[np.zeros(10), np.ones(10)]])
def test_random_rows_are_different_rows(weights: np.ndarray | None) -> None:
    rows = np.arange(20, dtype=np.float32)[:, None]
    drawn = random_rows(begun(rows, weights), Alone(), 10, np.random.default_rng(0))[:, 0]
    assert len(set(drawn.tolist())) == 10
    assert weights is None or drawn.min() >= 10


class TestProjection:
    def test_keeps_the_distances_that_the_leading_components_hold(self) -> None:
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 40)) + 7.0
        rows = rows.astype(np.float32)
        shard = begun(rows)
        small = principal(shard, Alone(), 4, rng)(rows)
        wanted = ((rows[:50, None].astype(float) - rows[None, :50]) ** 2).sum(axis=2)
        found = ((small[:50, None].astype(float) - small[None, :50]) ** 2).sum(axis=2)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)

    def test_any_cut_of_the_rows_gives_the_same_bits(self) -> None:
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(333, 600)).astype(np.float32)
        basis = np.rint(rng.normal(size=(600, 16)) * 2**16 / 4)
        projection = Projection(basis, 17)
        whole = projection(rows)
        for step in (1, 7, 100):
            parts = [projection(rows[a : a + step]) for a in range(0, 333, step)]
            assert np.concatenate(parts).tobytes() == whole.tobytes()
