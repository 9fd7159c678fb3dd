"""Every row gets the centroid that float64 says is nearest, whatever work was saved on the way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmeans_plain import nearest

from clusterbench.kmeans.certified import Points
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.row_sources import ArrayRows


def shard_of(rows: np.ndarray, threads: int = 1, weights: np.ndarray | None = None) -> CpuShard:
    shard = CpuShard(ArrayRows(rows), weights, threads=threads)
    shard.begin(shard.extent.units())
    return shard


def check(shard: CpuShard, rows: np.ndarray, centroids: np.ndarray) -> None:
    labels, squared = nearest(rows, centroids)
    assert shard.labels().tolist() == labels.tolist()
    np.testing.assert_allclose(shard._squared, squared, rtol=1e-12, atol=1e-300)
    others = ((rows[:, None].astype(float) - centroids[None].astype(float)) ** 2).sum(axis=2)
    others[np.arange(len(rows)), labels] = np.inf
    assert (shard._lower <= np.sqrt(others.min(axis=1))).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("k", [1, 2, 40, 700])
def test_labels_are_those_of_float64_while_centroids_move(k: int, threads: int) -> None:
    rng = np.random.default_rng(k)
    rows = rng.normal(size=(700, 19)).astype(np.float32)
    centroids = rows[rng.choice(700, k, replace=False)]
    shard = shard_of(rows, threads)
    shard.include(centroids[: k // 2])
    shard.include(centroids[k // 2 :])
    check(shard, rows, centroids)
    for step in (0.3, 0.03, 0.0, 1e-4, 3.0):
        moving = rng.random(k) < 0.4
        centroids = (centroids + step * moving[:, None] * rng.normal(size=(k, 19))).astype("f4")
        shard.assign(centroids)
        check(shard, rows, centroids)


def test_several_blocks_and_groups_give_what_one_gives() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9000, 8)).astype(np.float32)
    first, second = rng.normal(size=(2, 1300, 8)).astype(np.float32)
    second[:1100] = first[:1100]
    shard = shard_of(rows, threads=2)
    shard.assign(first)
    shard.assign(second)
    other = shard_of(rows)
    other.assign(second)
    assert (shard.labels() == other.labels()).all()
    some = rng.choice(9000, 300, replace=False)
    assert (shard.labels()[some] == nearest(rows[some], second)[0]).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_ties_of_whole_numbers_go_to_the_lowest_number(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    dim, n, k = (data.draw(st.integers(1, top)) for top in (5, 60, 12))
    scale = 10.0 ** data.draw(st.integers(-25, 15))
    rows = (rng.integers(-2, 3, size=(n, dim)) * scale).astype(np.float32)
    shard = shard_of(rows, threads=data.draw(st.integers(1, 2)))
    for _ in range(4):
        centroids = (rng.integers(-2, 3, size=(k, dim)) * scale).astype(np.float32)
        shard.assign(centroids)
        assert shard.labels().tolist() == nearest(rows, centroids)[0].tolist()


def test_rows_far_from_the_origin_are_decided_exactly() -> None:
    rng = np.random.default_rng(1)
    rows = (1000 + rng.normal(size=(300, 6))).astype(np.float32)
    centroids = rows[:20] + np.float32(0.001)
    shard = shard_of(rows)
    shard.assign(centroids)
    check(shard, rows, centroids)
    assert shard.work.exact > 300  # the product alone could not tell


def test_sums_after_moves_are_those_from_anew() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(500, 7)).astype(np.float32)
    weights = rng.random(500)
    weights[:10] = 0
    shard = shard_of(rows, threads=2, weights=weights)
    for _ in range(5):
        centroids = rng.normal(size=(30, 7)).astype(np.float32)
        shard.assign(centroids)
        sums = shard.sums()
        units = shard.extent.units()
        for k in range(30):
            members = shard.labels() == k
            assert sums.counts[k] == members.sum()
            expected = (rows[members] * weights[members, None]).sum(axis=0, dtype=np.float64)
            np.testing.assert_allclose(units.features.real(sums.features[k]), expected, atol=1e-9)
            assert units.weights.real(sums.weights[k]) == pytest.approx(weights[members].sum())
        fresh = shard_of(rows, weights=weights)
        fresh.assign(centroids)
        assert (fresh.sums().features == sums.features).all()
        assert (fresh.sums().weights == sums.weights).all()


def test_rows_at_positions_are_as_wide_as_their_mass() -> None:
    rows = np.array([[0.0], [1.0], [2.0], [0.0], [4.0]], dtype=np.float32)
    shard = shard_of(rows)
    shard.include(np.zeros((1, 1), dtype=np.float32))
    masses = shard.masses(np.arange(5))
    assert (masses / masses[1]).tolist() == [0, 1, 4, 0, 16]
    one = int(masses[1])
    positions = np.array([0, one - 1, one, 5 * one - 1, 5 * one, 21 * one - 1])
    assert shard.at(positions).tolist() == [1, 1, 2, 2, 4, 4]
    assert shard.objective() == 21 * one
    assert shard.farthest(3)[0].tolist() == [4, 2, 1]


def test_the_bound_covers_a_product_summed_one_number_after_another() -> None:
    """The worst order that a library may choose; all terms alike, so that rounding adds up."""
    row = np.full((1, 20_000), 0.1, dtype=np.float32)
    points = Points.of(row, np.zeros(1, dtype=np.int32))
    product = np.cumsum(row[0] * row[0], dtype=np.float32)[-1]
    exact = float((row[0].astype(np.float64) ** 2).sum())
    off = abs(float(points.half[0] - product) - (exact / 2 - exact))
    bound = float(points.errors(np.array([exact]))[0])
    assert 1e-4 < off <= bound < 1.0
