"""The graph is the one that all cosines in float64 give, whatever the panels, threads and order."""

from __future__ import annotations

import numpy as np
import pytest
from all_cosines import cosines, nearest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours.graph import Graph
from clusterbench.neighbours.search import CpuEngine, all_neighbours, nearest_among


def graph(x: np.ndarray, k: int, size: int | None = None, threads: int = 2) -> Graph:
    found = all_neighbours(ArrayRows(x), k, CpuEngine(threads), rows_at_a_time=size)
    assert found is not None
    return found


@st.composite
def small_rows(draw: st.DrawFn) -> np.ndarray:
    """Rows of small whole numbers: cosines in float64 are the same in any order of summing."""
    n, dim = draw(st.integers(2, 60)), draw(st.integers(1, 20))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    most = draw(st.integers(1, 3))
    x = rng.integers(-most, most + 1, size=(n, dim)).astype(np.float32)
    if draw(st.booleans()):
        x = x[rng.integers(n, size=n)]  # copies
    return x


@given(small_rows(), st.data())
@settings(max_examples=60)
def test_ties_copies_and_rows_of_zeros_are_those_of_all_cosines(x: np.ndarray, data) -> None:
    k = data.draw(st.integers(1, len(x) - 1))
    size = data.draw(st.integers(1, len(x)))
    found = graph(x, k, size)
    np.testing.assert_array_equal(found.ids, nearest(x, x, k, own=True))
    expected = np.take_along_axis(cosines(x, x), found.ids.astype(np.int64), axis=1)
    np.testing.assert_array_equal(found.similarities, expected.astype(np.float16))


@given(small_rows(), small_rows(), st.data())
@settings(max_examples=40)
def test_other_rows_may_have_copies_of_themselves_as_neighbours(x, queries, data) -> None:
    dim = min(x.shape[1], queries.shape[1])
    x, queries = np.ascontiguousarray(x[:, :dim]), np.ascontiguousarray(queries[:, :dim])
    k, size = data.draw(st.integers(1, len(x))), data.draw(st.integers(1, 60))
    found = nearest_among(ArrayRows(queries), ArrayRows(x), k, CpuEngine(2), size)
    np.testing.assert_array_equal(found.ids, nearest(queries, x, k, own=False))


@pytest.mark.parametrize(
    ("n", "dim", "k", "size"), [(3000, 40, 20, None), (2500, 17, 50, 700), (1300, 300, 3, 520)]
)
def test_features_of_many_dimensions(n: int, dim: int, k: int, size: int | None) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, dim)) + rng.normal(size=(9, dim))[rng.integers(9, size=n)]).astype(
        np.float32
    )
    found = graph(x, k, size)
    expected = nearest(x, x, k, own=True)
    # The last bits of a float64 sum are a matter of its order: rows that differ have to be equal
    # in all but those.
    every = cosines(x, x)
    a = np.take_along_axis(every, found.ids.astype(np.int64), axis=1)
    np.testing.assert_allclose(a, np.take_along_axis(every, expected, axis=1), atol=1e-14)
    assert (found.ids == expected).mean() > 0.99
    assert not (found.ids == np.arange(n)[:, None]).any()


def test_thousands_of_copies_are_each_others_first_neighbours_by_number() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, size=(4000, 12)).astype(np.float32)
    x[500:3500] = x[500]
    x[3600:3800] = 0.0
    found = graph(x, 10, 1100)
    np.testing.assert_array_equal(found.ids, nearest(x, x, 10, own=True))


def test_classes_in_order_and_rows_that_come_ever_nearer() -> None:
    """Each column is better than all before: no list is ever right for long."""
    angle = np.linspace(0.0, 1.5, 2000)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    for rows in (x, x[::-1].copy()):
        found = graph(rows, 5, 512)
        every = cosines(rows, rows)
        np.fill_diagonal(every, -np.inf)
        best = -np.sort(-every, axis=1)[:, :5]
        taken = np.take_along_axis(every, found.ids.astype(np.int64), axis=1)
        np.testing.assert_allclose(taken, best, atol=1e-14)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1.0, 1e12])
def test_lengths_do_not_matter(scale: float) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-4, 5, size=(300, 6)).astype(np.float32)
    factors = 2.0 ** rng.integers(-4, 5, size=(300, 1))
    scaled = (x * factors * np.float32(scale)).astype(np.float32)
    found = graph(scaled, 7)
    np.testing.assert_allclose(
        np.take_along_axis(cosines(x, x), found.ids.astype(np.int64), axis=1),
        np.take_along_axis(cosines(x, x), nearest(x, x, 7, own=True), axis=1),
        atol=1e-6,
    )


def test_threads_and_panels_change_nothing() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2600, 33)).astype(np.float32)
    one = graph(x, 15, 2600, threads=1)
    for size, threads in ((2600, 2), (600, 1), (999, 2)):
        other = graph(x, 15, size, threads)
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.similarities, other.similarities)


def test_half_precision_rows_are_read_in_blocks() -> None:
    rng = np.random.default_rng(4)
    half = rng.normal(size=(900, 10)).astype(np.float16)
    np.testing.assert_array_equal(graph(half, 6, 400).ids, graph(half.astype(np.float32), 6).ids)
