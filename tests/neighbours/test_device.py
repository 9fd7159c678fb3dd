"""The engine of a device gives the bits of the CPU, on torch's own CPU and on CUDA where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from all_cosines import cosines, nearest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours import device as on_device
from clusterbench.neighbours import device_side, panel_products
from clusterbench.neighbours.device import DeviceEngine, StageCounts
from clusterbench.neighbours.graph import Graph
from clusterbench.neighbours.panel_products import UnitRows, to_tf32
from clusterbench.neighbours.panels import Known
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
#: So small that a few hundred rows have every border of blocks, chunks and groups.
SMALL = {
    "GROUP": 4,
    "ROWS": 7,
    "COLUMNS": 64,
    "PREPARED": 16,
    "_GATHERED": 2000,
    "_MARGIN": 3,
    "_TRIED": 10**9,
    "_TIES": 256,
}


@pytest.fixture(params=DEVICES)
def engine(request: pytest.FixtureRequest) -> DeviceEngine:
    return DeviceEngine(torch.device(request.param))


@pytest.fixture(params=["as they are", "small"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks as large as they are, and small ones."""
    if request.param == "small":
        resize(monkeypatch, SMALL)


def resize(patch: pytest.MonkeyPatch, constants: dict[str, int]) -> None:
    for name, value in constants.items():
        places = [m for m in (on_device, device_side, panel_products) if hasattr(m, name)]
        assert places, name
        for module in places:
            patch.setattr(module, name, value)


def graph(x: np.ndarray, k: int, used, size: int | None = None) -> Graph:
    found = all_neighbours(ArrayRows(x), k, used, rows_at_a_time=size)
    assert found is not None
    return found


def assert_the_same(one: Graph, other: Graph) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    assert one.similarities.tobytes() == other.similarities.tobytes()


def whole_numbers(n: int, dim: int, copies: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, size=(n, dim)).astype(np.float32)
    x[rng.integers(n, size=copies)] = x[0]
    x[rng.integers(n, size=copies // 4)] = 0.0
    return x


def around(n: int, dim: int, n_centres: int, spread: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_centres, dim))
    noise = spread * rng.normal(size=(n, dim))
    return (centres[rng.integers(n_centres, size=n)] + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("n", "dim", "k", "size", "copies"),
    [(60, 3, 7, None, 10), (300, 5, 20, 100, 90), (700, 9, 10, None, 0), (250, 17, 40, 100, 100)],
)
@pytest.mark.usefixtures("sizes")
def test_ties_copies_and_zeros_are_those_of_all_cosines(
    engine, n: int, dim: int, k: int, size: int | None, copies: int
) -> None:
    x, queries = whole_numbers(n, dim, copies, 0), whole_numbers(200, dim, 20, 1)
    np.testing.assert_array_equal(graph(x, k, engine, size).ids, nearest(x, x, k, own=True))
    among = nearest_among(ArrayRows(queries), ArrayRows(x), k, engine, size)
    np.testing.assert_array_equal(among.ids, nearest(queries, x, k, own=False))


MADE: dict[str, Callable[[], np.ndarray]] = {
    "spread": lambda: around(240, 24, 1, 1.0),
    "clusters": lambda: around(240, 21, 12, 0.5),
    "closer than TF32 tells": lambda: around(240, 24, 1, 0.03),
    "closer than float32 tells": lambda: around(240, 24, 1, 1e-4),
    "clusters of near copies": lambda: around(240, 8, 4, 1e-5),
    "of very different lengths": lambda: (
        around(240, 24, 6, 0.3) * np.logspace(-30, 14, 240)[:, None]
    ).astype(np.float32),
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(("k", "size"), [(5, None), (50, 100), (239, None)])
@pytest.mark.usefixtures("sizes")
def test_close_rows_are_told_apart_as_in_float64(engine, kind: str, k: int, size) -> None:
    x = MADE[kind]()
    found = graph(x, k, engine, size)
    np.testing.assert_array_equal(found.ids, nearest(x, x, k, own=True))
    assert_the_same(found, graph(x, k, CpuEngine(1)))


@pytest.mark.parametrize("value", [0.0, 0.7])
@pytest.mark.usefixtures("sizes")
def test_where_all_rows_are_equal_the_first_others_are_neighbours(engine, value: float) -> None:
    x = np.full((150, 5), value, dtype=np.float32)
    found = graph(x, 9, engine, 70)
    expected = [[j for j in range(10) if j != i][:9] for i in range(len(x))]
    np.testing.assert_array_equal(found.ids, expected)
    assert_the_same(found, graph(x, 9, CpuEngine(1)))


def test_features_give_the_bits_of_the_cpu(engine) -> None:
    x = around(1500, 77, 12, 1.0, 2)
    assert_the_same(graph(x, 50, engine, 600), graph(x, 50, CpuEngine(1)))
    assert engine.certified.in_tf32 > 0.9 * 3 * len(x)


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_neither_sizes_of_blocks_nor_margins_change_a_bit(data) -> None:
    n, dim = data.draw(st.integers(2, 60)), data.draw(st.integers(1, 20))
    k, size = data.draw(st.integers(1, n - 1)), data.draw(st.integers(1, n))
    x = around(n, dim, data.draw(st.integers(1, 5)), 10.0 ** data.draw(st.integers(-6, 0)))
    x = x[np.random.default_rng(0).integers(n, size=n)] if data.draw(st.booleans()) else x
    group = data.draw(st.integers(1, 4))
    constants = {
        "GROUP": group,
        "ROWS": data.draw(st.integers(1, 20)),
        "COLUMNS": group * data.draw(st.integers(1, 20)),
        "PREPARED": data.draw(st.integers(1, 70)),
        "_GATHERED": data.draw(st.integers(30, 10_000)),
        "_MARGIN": data.draw(st.integers(1, 10)),
        "_TRIED": data.draw(st.integers(1, 70)),
        "_TIES": data.draw(st.integers(1, 500)),
    }
    expected = graph(x, k, CpuEngine(1))
    with pytest.MonkeyPatch.context() as patch:
        resize(patch, constants)
        assert_the_same(graph(x, k, DeviceEngine(torch.device("cpu")), size), expected)


def stages(x: np.ndarray, k: int, engine: DeviceEngine) -> StageCounts:
    """Rows that were certain at each stage; all of them at one."""
    np.testing.assert_array_equal(graph(x, k, engine).ids, nearest(x, x, k, own=True))
    counted = engine.certified
    assert counted.in_tf32 + counted.in_float32 + counted.of_all == len(x)
    return counted


def test_each_stage_takes_the_rows_that_the_one_before_is_not_certain_of(engine) -> None:
    n = 300
    for made, expected in [
        (around(n, 24, 1, 1.0), StageCounts(in_tf32=n)),
        (around(n, 24, 1, 0.01), StageCounts(in_float32=n)),
        (np.ones((n, 24), dtype=np.float32), StageCounts(of_all=n)),
    ]:
        assert stages(made, 10, DeviceEngine(engine.device)) == expected


@pytest.mark.parametrize("given_up", [False, True])
def test_tf32_is_given_up_where_it_is_of_no_use(engine, monkeypatch, given_up: bool) -> None:
    resize(monkeypatch, SMALL | {"_TRIED": 14 if given_up else 10**9, "_MARGIN": 64})
    close, apart = around(100, 24, 1, 0.01), around(200, 24, 1, 1.0, 1)
    counted = stages(np.concatenate([close, apart]), 10, engine)
    expected = StageCounts(in_float32=300) if given_up else StageCounts(in_tf32=200, in_float32=100)
    assert counted == expected


@pytest.fixture(params=[False, True])
def allowed(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the process lets products be in TF32."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = request.param
    yield request.param
    torch.backends.cuda.matmul.allow_tf32 = before


def test_what_the_process_allows_of_tf32_stays_as_it_was(engine, allowed: bool) -> None:
    graph(around(100, 8, 2, 0.1), 5, engine)
    assert torch.backends.cuda.matmul.allow_tf32 == allowed
    with pytest.raises(RuntimeError):
        panel_products.product(torch.ones(2, 3), torch.ones(2, 4), tf32=not allowed)
    assert torch.backends.cuda.matmul.allow_tf32 == allowed


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1)
    | st.lists(st.integers(0, 2**24).map(lambda i: i / 2**24), min_size=1)
)
@settings(deadline=None)
def test_tf32_is_the_nearest_number_of_eleven_bits(numbers: list[float]) -> None:
    x = np.array(numbers, dtype=np.float32)
    x[np.abs(x) < np.finfo(np.float32).tiny] = 0.0
    mantissa, exponent = np.frexp(x.astype(np.float64))
    expected = np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent)
    np.testing.assert_array_equal(to_tf32(torch.from_numpy(x)).numpy(), expected)


def test_what_is_too_small_for_tf32_is_zero() -> None:
    assert not to_tf32(torch.tensor([1e-45, -1e-39, 0.0])).any()


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("dim", [1, 3, 40, 700])
def test_no_product_is_farther_from_its_cosine_than_is_said(engine, dim: int, tf32: bool) -> None:
    x, y = around(200, dim, 3, 0.1), around(150, dim, 3, 2.0, 1)
    x[7], y[9] = 0.0, 0.0
    a, b = (
        UnitRows.of(
            torch.tensor(rows, device=engine.device),
            torch.tensor(np.linalg.norm(rows.astype(np.float64), axis=1), device=engine.device),
            tf32,
        )
        for rows in (x, y)
    )
    products = panel_products.product(a.rows, b.rows, tf32)[:200, :150].cpu().numpy()
    off = np.abs(products.astype(np.float64) - cosines(x, y)).max()
    assert off <= a.error_with(b)
    if tf32 and dim > 1:  # nor is the bound there for nothing
        assert off > a.error_with(b) / 100


@given(st.data())
@settings(deadline=None)
def test_the_largest_products_are_those_of_a_sort(data) -> None:
    r, n, dim = (data.draw(st.integers(1, most)) for most in (5, 90, 3))
    m, group = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 5))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x, y = (rng.integers(-2, 3, size=(rows, dim)).astype(np.float32) for rows in (r, n))
    own = rng.integers(n, size=r) if data.draw(st.booleans()) else None
    products = x @ y.T
    if own is not None:
        products[np.arange(r), own] = -np.inf
    with pytest.MonkeyPatch.context() as patch:
        resize(patch, {"GROUP": group, "COLUMNS": group * data.draw(st.integers(1, 30))})
        padded = torch.zeros((-(-n // group) * group, dim))
        padded[:n] = torch.from_numpy(y)
        found = panel_products.largest(
            torch.from_numpy(x),
            UnitRows(padded, n, tf32=False, off=0.0),
            m,
            None if own is None else torch.from_numpy(own),
        )
    ordered = -np.sort(-products, axis=1)
    kept = min(m, n)
    np.testing.assert_array_equal(found.product[:, :kept].numpy(), ordered[:, :kept])
    assert (found.product[:, kept:] == -torch.inf).all()
    left = ordered[:, kept] if kept < n else np.full(r, -np.inf)
    assert (found.cutoff.numpy() >= left).all()
    for i in range(r):
        columns = found.column[i].numpy()
        real = found.product[i].numpy() > -np.inf
        assert len(set(columns[real])) == real.sum()
        np.testing.assert_array_equal(products[i, columns[real]], found.product[i].numpy()[real])


@pytest.mark.usefixtures("sizes")
def test_a_panel_with_fewer_rows_than_neighbours_leaves_lists_open(engine) -> None:
    x, known = around(6, 4, 2, 0.5), Known.nothing(6, 9, 1)
    side = engine.side(ArrayRows(x), 0, 6, known, 9)
    engine.merge(side, side, True, True)
    np.testing.assert_array_equal(known.ids[:, :5], nearest(x, x, 5, own=True))
    assert (known.ids[:, 5:] == -1).all()
    assert (known.cosines[:, 5:] == -np.inf).all()


def test_half_finished_by_one_engine_and_finished_by_another(engine, tmp_path) -> None:
    x = whole_numbers(800, 6, 100, 3)
    folder = tmp_path / "work"
    for used in (CpuEngine(1), engine):
        found = all_neighbours(ArrayRows(x), 9, used, folder, rows_at_a_time=200, loss=0.0)
        assert found is not None
        np.testing.assert_array_equal(found.ids, nearest(x, x, 9, own=True))
        for number in (1, 2):  # of these panels the other engine does all again
            (folder / f"panel-{number:05d}.npz").unlink()
