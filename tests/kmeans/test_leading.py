"""Bounds in leading dimensions change how long an answer takes, never the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmeans_plain import nearest

from clusterbench.kernels.nearest import distances_to, squared_lengths
from clusterbench.kmeans import certified, leading
from clusterbench.kmeans.certified import Points
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.leading import Bounds, Leading, Led
from clusterbench.kmeans.row_sources import ArrayRows

_ALWAYS, _NEVER = np.inf, 0.0


def decaying(rng: np.random.Generator, n: int, dim: int, power: float = 1.0) -> np.ndarray:
    """Rows whose variance falls along directions that are no axes."""
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    widths = (1.0 + np.arange(dim)) ** -power
    return ((rng.normal(size=(n, dim)) * widths) @ turn).astype(np.float32)


def pair(rows: np.ndarray, threads: int = 1) -> tuple[CpuShard, CpuShard]:
    """The same rows with a filter and without."""
    shards = [CpuShard(ArrayRows(rows), threads=threads, worth=w) for w in (_ALWAYS, _NEVER)]
    for shard in shards:
        shard.begin(shard.extent.units())
    return shards[0], shards[1]


def check(filtered: CpuShard, plain: CpuShard, rows: np.ndarray, centroids: np.ndarray) -> None:
    assert (filtered.labels() == plain.labels()).all()
    assert filtered._squared.tobytes() == plain._squared.tobytes()
    assert (filtered.sums().features == plain.sums().features).all()
    assert (filtered.sums().counts == plain.sums().counts).all()
    others = np.full((len(rows), len(centroids)), np.inf)
    for k, centroid in enumerate(centroids.astype(np.float64)):
        others[:, k] = ((rows.astype(np.float64) - centroid) ** 2).sum(axis=1)
    others[np.arange(len(rows)), filtered.labels()] = np.inf
    assert (filtered._lower <= np.sqrt(others.min(axis=1))).all()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("k", "dim"), [(64, 64), (100, 67), (1300, 70)])
def test_answers_are_those_without_a_filter_while_centroids_move(
    k: int, dim: int, threads: int
) -> None:
    rng = np.random.default_rng(k)
    rows = decaying(rng, 1500, dim)
    centroids = rows[rng.choice(1500, k, replace=False)]
    filtered, plain = pair(rows, threads)
    for shard in (filtered, plain):
        shard.include(centroids[: k // 3])
        shard.include(centroids[k // 3 :])
    check(filtered, plain, rows, centroids)
    for step in (0.3, 0.03, 0.0, 1e-4, 3.0):
        moving = rng.random(k) < 0.4
        moves = decaying(rng, k, dim) * np.float32(step) * moving[:, None]
        centroids = (centroids + moves).astype(np.float32)
        for shard in (filtered, plain):
            shard.assign(centroids)
        check(filtered, plain, rows, centroids)
    assert filtered.work.leading > 0
    assert filtered.work.product < plain.work.product
    assert plain.work.leading == 0


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_ties_of_whole_numbers_go_to_the_lowest_number(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    dim, n, k = 64, data.draw(st.integers(1, 150)), data.draw(st.integers(64, 150))
    varied = data.draw(st.integers(1, 6))
    scale = 10.0 ** data.draw(st.integers(-25, 14))

    def grid(count: int) -> np.ndarray:
        whole = np.zeros((count, dim))
        whole[:, :varied] = rng.integers(-2, 3, size=(count, varied))
        return (whole * scale).astype(np.float32)

    rows = grid(n)
    filtered, plain = pair(rows, data.draw(st.integers(1, 2)))
    for _ in range(3):
        centroids = grid(k)
        filtered.assign(centroids)
        plain.assign(centroids)
        check(filtered, plain, rows, centroids)
        assert filtered.labels().tolist() == nearest(rows, centroids)[0].tolist()


@pytest.mark.parametrize("scale", [1e-30, 1e-14, 1e-6, 1.0, 1e6, 1e14, 1e17])
def test_lengths_at_the_ends_of_float32(scale: float) -> None:
    rng = np.random.default_rng(3)
    rows = (decaying(rng, 400, 64) * np.float64(scale)).astype(np.float32)
    filtered, plain = pair(rows)
    for _ in range(3):
        centroids = rows[rng.choice(400, 80, replace=False)] * np.float32(1.01)
        filtered.assign(centroids)
        plain.assign(centroids)
        check(filtered, plain, rows, centroids)
    assert (filtered.work.leading > 0) == (1e-12 < scale < 1e15)


@pytest.mark.parametrize("offset", [10.0, 1000.0, 1e6])
def test_rows_far_from_the_origin(offset: float) -> None:
    rng = np.random.default_rng(4)
    rows = (offset + decaying(rng, 500, 80)).astype(np.float32)
    filtered, plain = pair(rows)
    for _ in range(3):
        centroids = rows[rng.choice(500, 90, replace=False)] + np.float32(0.001)
        filtered.assign(centroids)
        plain.assign(centroids)
        check(filtered, plain, rows, centroids)
    assert filtered.work.leading > 0


def test_rows_and_centroids_that_are_there_twice() -> None:
    rng = np.random.default_rng(5)
    rows = np.repeat(decaying(rng, 60, 64), 5, axis=0)
    centroids = np.repeat(rows[rng.choice(300, 50, replace=False)], 3, axis=0)
    filtered, plain = pair(rows)
    for moved in (centroids, rng.permutation(centroids), rows[:150], np.zeros_like(centroids)):
        filtered.assign(moved)
        plain.assign(moved)
        check(filtered, plain, rows, moved)


def test_rows_of_one_place_are_not_filtered() -> None:
    rows = np.ones((200, 64), dtype=np.float32)
    filtered, plain = pair(rows)
    for shard in (filtered, plain):
        shard.assign(rows[:70])
    check(filtered, plain, rows, rows[:70])
    assert filtered.work.leading == 0


@pytest.mark.parametrize(("power", "used"), [(0.0, False), (1.5, True)])
def test_a_filter_is_used_where_it_saves_work(power: float, used: bool) -> None:
    rng = np.random.default_rng(6)
    rows = decaying(rng, 9000, 128, power)
    shard = CpuShard(ArrayRows(rows), threads=2)
    shard.begin(shard.extent.units())
    shard.assign(rows[:1000])
    assert (shard.work.leading > 0) == used
    plain = CpuShard(ArrayRows(rows), worth=_NEVER)
    plain.begin(plain.extent.units())
    plain.assign(rows[:1000])
    check(shard, plain, rows, rows[:1000])


def test_rows_on_disk_are_not_filtered(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", decaying(np.random.default_rng(7), 300, 64))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    shard, plain = pair(rows)
    for each in (shard, plain):
        each.assign(np.array(rows[:80]))
    check(shard, plain, np.array(rows), np.array(rows[:80]))
    assert shard.work.leading == 0


def bounds_and_distances(
    directions: Leading, rows: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x, c = (Led.of(directions(these), directions.error) for these in (rows, points))
    between = x.features[:, None].astype(np.float64) - c.features[None]
    bounds = np.sqrt((between**2).sum(axis=2)) - x.off()[:, None] - c.off()
    apart = rows[:, None].astype(np.float64) - points[None]
    return bounds, np.sqrt((apart**2).sum(axis=2))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_bound_is_above_the_distance(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    dim = data.draw(st.integers(2, 90))
    m = data.draw(st.integers(1, dim))
    scale = 10.0 ** data.draw(st.integers(-10, 10))
    offset = data.draw(st.sampled_from([0.0, 1.0, 1e4]))
    rows = (decaying(rng, 60, dim, data.draw(st.sampled_from([0.0, 1.0, 3.0]))) + offset) * scale
    rows = rows.astype(np.float32)
    nearby = rows * np.float32(1.0 + data.draw(st.sampled_from([1e-7, 1e-5, 1e-3])))
    bound, distance = bounds_and_distances(Leading.of(rows, m), rows, nearby)
    assert (bound <= distance * (1.0 + 1e-12)).all()


def test_a_basis_that_is_hardly_orthonormal_only_loosens_the_bound() -> None:
    rng = np.random.default_rng(8)
    rows = decaying(rng, 80, 40)
    found = Leading.of(rows, 40)
    longer = Leading(found.basis * (1.0 + 1e-5), found.mean)
    assert longer.error > 10 * found.error
    bound, distance = bounds_and_distances(longer, rows, rows * np.float32(1.5))
    assert (bound <= distance).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_search_finds_what_the_search_in_all_dimensions_finds(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    dim, k = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 1100))
    m = data.draw(st.integers(1, dim))
    rows = decaying(rng, 50, dim, data.draw(st.sampled_from([0.0, 1.0, 3.0])))
    centroids = np.round(decaying(rng, k, dim), data.draw(st.integers(0, 3)))
    points = Points.of(centroids, rng.permutation(k).astype(np.int32))
    depth = data.draw(st.integers(1, k))
    own = np.full(50, -1, dtype=np.int32)
    squared = np.full(50, np.inf)
    if data.draw(st.booleans()):
        own = rng.integers(0, k, 50).astype(np.int32)
        squared = distances_to(rows, np.arange(len(rows)), centroids, own)
    directions = Leading.of(rows, m)
    x, c = (Led.of(directions(these), directions.error) for these in (rows, centroids))
    if not c.sound:  # all centroids at the mean
        return
    at = rng.permutation(50)
    found = leading.search(
        rows, at, squared_lengths(rows[at]), x.some(at), own[at], squared[at],
        Bounds.of(points, c), depth,
    )  # fmt: skip
    plain = certified.search(rows, squared_lengths(rows), own, squared, points, depth, centroids)
    assert (found.labels == plain.labels[at]).all()
    assert found.squared.tobytes() == plain.squared[at].tobytes()
    looked = np.zeros((50, k), dtype=bool)
    looked[:, points.numbers[:depth]] = True
    looked[np.arange(50), own] |= own >= 0
    looked[np.arange(50), plain.labels] = False
    distance = ((rows[:, None].astype(np.float64) - centroids[None]) ** 2).sum(axis=2)
    others = np.where(looked, np.sqrt(distance), np.inf).min(axis=1)[at]
    assert (found.others <= others).all()
