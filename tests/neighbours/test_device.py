"""The engine of a device gives the bits of the CPU, on torch's own CPU and on CUDA where it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from all_cosines import nearest

from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours import device as on_device
from clusterbench.neighbours.device import DeviceEngine
from clusterbench.neighbours.search import CpuEngine, all_neighbours, nearest_among

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.cuda,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


@pytest.fixture(params=DEVICES)
def engine(request: pytest.FixtureRequest) -> DeviceEngine:
    return DeviceEngine(torch.device(request.param))


def rows(n: int, dim: int, copies: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, size=(n, dim)).astype(np.float32)
    x[rng.integers(n, size=copies)] = x[0]
    x[rng.integers(n, size=copies // 4)] = 0.0
    return x


@pytest.mark.parametrize("block", [1 << 27, 20_000])
@pytest.mark.parametrize(
    ("n", "dim", "k", "size", "copies"),
    [(60, 3, 7, None, 10), (300, 5, 20, 100, 90), (1500, 9, 10, None, 0), (900, 17, 40, 333, 400)],
)
def test_ties_copies_and_zeros_are_those_of_all_cosines(
    engine, monkeypatch, n: int, dim: int, k: int, size: int | None, copies: int, block: int
) -> None:
    pass
    x, queries = rows(n, dim, copies, 0), rows(200, dim, 20, 1)
    found = all_neighbours(ArrayRows(x), k, engine, rows_at_a_time=size)
    assert found is not None
    np.testing.assert_array_equal(found.ids, nearest(x, x, k, own=True))
    among = nearest_among(ArrayRows(queries), ArrayRows(x), k, engine, size)
    np.testing.assert_array_equal(among.ids, nearest(queries, x, k, own=False))


def test_features_give_the_bits_of_the_cpu(engine) -> None:
    rng = np.random.default_rng(2)
    centres = rng.normal(size=(20, 77))
    x = (centres[rng.integers(20, size=2500)] + rng.normal(size=(2500, 77))).astype(np.float32)
    one = all_neighbours(ArrayRows(x), 50, CpuEngine(1))
    other = all_neighbours(ArrayRows(x), 50, engine, rows_at_a_time=900)
    assert one is not None and other is not None
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.similarities, other.similarities)


def test_half_finished_by_one_engine_and_finished_by_another(engine, tmp_path) -> None:
    x = rows(800, 6, 100, 3)
    folder = tmp_path / "work"
    for used in (CpuEngine(1), engine):
        found = all_neighbours(ArrayRows(x), 9, used, folder, rows_at_a_time=200, loss=0.0)
        assert found is not None
        np.testing.assert_array_equal(found.ids, nearest(x, x, 9, own=True))
        for number in (1, 2):  # of these panels the other engine does all again
            (folder / f"panel-{number:05d}.npz").unlink()
