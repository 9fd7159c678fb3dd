"""The shard on a device against the one on the CPU and against all distances in float64.

Plain torch runs here on the CPU, once with float32 products and once with the float16 rounding of
tensor cores; Triton's kernels run in its interpreter, and on a real device where there is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.device import cuda, device_choice, device_points
from clusterbench.kmeans.device.cuda import CudaShard
from clusterbench.kmeans.device.device_points import DevicePoints, Halves
from clusterbench.kmeans.device.device_rows import TensorRows
from clusterbench.kmeans.device.torch_kernels import TorchKernels
from clusterbench.kmeans.fit import Settings, fit
from clusterbench.kmeans.lloyd import Alone, Iterations, iterate
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.shard import RowShard
from clusterbench.kmeans.starting.seeding import plus_plus, random_rows
from clusterbench.kmeans.starting.starts import Start

# The CPU's search subtracts infinities where a row's own centroid is the only one looked at.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in subtract")

HERE = Path(__file__)
KINDS = ["torch", "rounded"]


def device_shard(
    x: np.ndarray, weights: np.ndarray | None = None, kind: str = "torch", **settings: object
) -> CudaShard:
    """On the CPU; "rounded": with the float16 rounding that tensor cores ask for."""
    before = device_choice.kernels
    if kind == "rounded":
        device_choice.kernels = lambda device, dim, wanted: (TorchKernels(halves=True), "rounded")
    try:
        return CudaShard(ArrayRows(x), weights, device="cpu", **{"kernel": "torch", **settings})
    finally:
        device_choice.kernels = before


def brute_force(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Labels by all squared distances in float64, eight lanes each, ties to the lowest number."""
    x, centroids = x.astype(np.float32).astype(np.float64), centroids.astype(np.float64)
    squared = (x[:, None, :] - centroids[None, :, :]) ** 2
    whole = x.shape[1] - x.shape[1] % 8
    lanes = np.zeros((len(x), len(centroids), 8))
    for j in range(whole):
        lanes[:, :, j % 8] += squared[:, :, j]
    for j in range(whole, x.shape[1]):
        lanes[:, :, 0] += squared[:, :, j]
    a = [lanes[:, :, lane] for lane in range(8)]
    return np.argmin(((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7])), axis=1)


def assert_alike(a: RowShard, b: RowShard) -> None:
    """Everything that a shard says has the same bits."""
    every = np.arange(a.n)
    np.testing.assert_array_equal(a.labels(), b.labels())
    np.testing.assert_array_equal(a.masses(every), b.masses(every))
    assert a.objective() == b.objective()
    for name in ("features", "weights", "counts"):
        np.testing.assert_array_equal(getattr(a.sums(), name), getattr(b.sums(), name), name)
    for n in (1, 7, a.n + 1):
        for one, other in zip(a.farthest(n), b.farthest(n), strict=True):
            np.testing.assert_array_equal(one, other)
    if total := a.objective():
        positions = np.sort(np.random.default_rng(0).integers(0, total, 40))
        np.testing.assert_array_equal(a.at(positions), b.at(positions))
    some = every[:: max(1, a.n // 5)]
    np.testing.assert_array_equal(a.take(some), b.take(some))
    np.testing.assert_array_equal(a.weight_of(some), b.weight_of(some))


def together(a: RowShard, b: RowShard, x: np.ndarray, k: int, rounds: int) -> None:
    """Some iterations of both, compared after each and with brute force at the end."""
    assert a.extent == b.extent
    units = a.extent.units()
    a.begin(units)
    b.begin(units)
    chosen = np.random.default_rng(0).choice(len(x), k, replace=False)
    centroids = np.ascontiguousarray(x[chosen], dtype=np.float32)
    for _ in range(rounds):
        a.assign(centroids)
        b.assign(centroids)
        assert_alike(a, b)
        sums, centroids = a.sums(), centroids.copy()
        full = sums.weights > 0
        mean = units.features.real(sums.features[full])
        centroids[full] = mean / units.weights.real(sums.weights[full])[:, None]
    b.assign(centroids)
    np.testing.assert_array_equal(b.labels(), brute_force(x, centroids))


def data(name: str, n: int) -> tuple[np.ndarray, int]:
    """Rows and a number of clusters."""
    rng = np.random.default_rng(5)
    normal = rng.standard_normal((n, 21)).astype(np.float32)
    magnitude = (10.0 ** rng.uniform(-12, 12, (n, 1))).astype(np.float32)
    return {
        "normal": (normal, 17),
        "float16": (normal.astype(np.float16), n // 6),
        "unit": (normal / np.linalg.norm(normal, axis=1, keepdims=True), 30),
        "duplicates": (np.repeat(normal[: n // 5], 5, axis=0), n // 4),
        "grid": (rng.integers(0, 3, (n, 4)).astype(np.float32), 40),
        "grid of many": (rng.integers(0, 3, (140, 5)).astype(np.float32), 130),
        "all alike": (np.ones((n, 3), np.float32), 5),
        "zeros": (np.zeros((n, 3), np.float32), 2),
        "magnitudes": (normal[:, :13] * magnitude, 20),
        "tiny": (normal * np.float32(1e-30), 6),
        "huge": (normal * np.float32(1e13), 30),
        "one dimension": (normal[:, :1].copy(), 10),
        "one cluster": (normal, 1),
        "a cluster a row": (normal[:60], 60),
        "one row": (normal[:1], 1),
    }[name]


NAMES = [
    "normal", "float16", "unit", "duplicates", "grid", "grid of many", "all alike", "zeros",
    "magnitudes", "tiny",
    "huge", "one dimension", "one cluster", "a cluster a row", "one row",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_has_the_bits_of_the_cpu_and_the_labels_of_brute_force(name: str, kind: str) -> None:
    x, k = data(name, 400)
    together(CpuShard(ArrayRows(x)), device_shard(x, kind=kind), x, k, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_as_on_the_cpu(kind: str) -> None:
    x, k = data("normal", 400)
    weights = np.random.default_rng(1).random(len(x))
    weights[::7] = 0.0
    together(CpuShard(ArrayRows(x), weights), device_shard(x, weights, kind), x, k, 4)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_rows_have_the_labels_of_the_cpu(data: st.DataObject) -> None:
    """Whole numbers times powers of two: equal distances are common, and so is every magnitude."""
    n, dim = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 18))
    k = data.draw(st.integers(1, n))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    most = data.draw(st.sampled_from([1, 2, 5, 4097, 10**6]))
    power = data.draw(st.sampled_from([-140, -40, -3, 0, 9, 25]))
    x = rng.integers(-most, most + 1, (n, dim)).astype(np.float32)
    x = np.ldexp(x, rng.integers(power, power + data.draw(st.integers(1, 8)), (n, 1)))
    kind = data.draw(st.sampled_from(KINDS))
    x = x.astype(np.float32)
    together(CpuShard(ArrayRows(x)), device_shard(x, kind=kind), x, k, 2)


def test_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some blocks are multiplied whole, of others the rows that may have new nearest ones."""
    monkeypatch.setattr(cuda, "_TILE", 4)
    monkeypatch.setattr(cuda, "_LEAST_ROWS", 192)
    monkeypatch.setattr(cuda, "_MASSES", 100)
    rng = np.random.default_rng(2)
    middles = rng.standard_normal((40, 8)) * 4
    x = (middles[rng.integers(0, 40, 1000)] + rng.standard_normal((1000, 8))).astype(np.float32)
    for kind in KINDS:
        shard = device_shard(x, kind=kind, memory=1)
        assert shard.resident == "streamed"
        together(CpuShard(ArrayRows(x)), shard, x, 40, 8)
        assert shard.work.product < 0.9 * shard.work.possible


def test_where_rows_lie_changes_nothing() -> None:
    x, k = data("normal", 3000)
    half = x.astype(np.float16)
    state_bytes = 48 * len(x)
    cases = [
        (x, None, "float32"),
        (x, 1, "streamed"),
        # as float16 they would fit, but these are not exact in it
        (x, int((state_bytes + 3000 * 32 * 2 + 1000) * 4 / 3), "streamed"),
        (half, None, "float16"),
        (half, int((state_bytes + 3000 * 32 * 2 + 1000) * 4 / 3), "float16"),
    ]
    for rows, memory, resident in cases:
        shard = device_shard(rows, memory=memory)
        assert shard.resident == resident
        together(CpuShard(ArrayRows(rows)), shard, rows, k, 3)


def test_rows_that_stop_being_float16_numbers_are_kept_as_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda, "_LEAST_ROWS", 128)
    monkeypatch.setattr(cuda, "_WORKING", 1)
    x = np.random.default_rng(3).integers(-9, 9, (1000, 5)).astype(np.float32)
    x[700, 2] = 1.0 + 2.0**-20
    shard = device_shard(x)
    assert shard.resident == "float32"
    np.testing.assert_array_equal(shard.take(np.arange(1000)), x)
    together(CpuShard(ArrayRows(x)), shard, x, 20, 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("dim", [16, 21])
def test_rows_of_a_tensor_are_used_where_they_lie(dtype: torch.dtype, dim: int) -> None:
    rows = torch.randn((500, dim), generator=torch.Generator().manual_seed(0)).to(dtype)
    shard = CudaShard(TensorRows(rows), device="cpu")
    in_place = dtype == torch.float32 or dim == 16
    assert (shard._rows.resident is rows) == in_place
    x = rows.float().numpy()
    together(CpuShard(ArrayRows(x)), shard, x, 20, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_starts_and_iterations_are_those_of_the_cpu(kind: str) -> None:
    x, _ = data("duplicates", 600)
    found = []
    for shard in (CpuShard(ArrayRows(x)), device_shard(x, kind=kind)):
        units = shard.extent.units()
        start = plus_plus(shard, Alone(), units, 40, np.random.default_rng(4))
        one = iterate(shard, Alone(), units, Iterations(start), max_iter=20)
        start = random_rows(shard, Alone(), 50, np.random.default_rng(4))
        other = iterate(shard, Alone(), units, Iterations(start), max_iter=20)
        found.append((one, other, shard.labels()))
    for a, b in zip(found[0][:2], found[1][:2], strict=True):
        assert a.centroids.tobytes() == b.centroids.tobytes()
        assert (a.objectives, a.relocated) == (b.objectives, b.relocated)
    np.testing.assert_array_equal(found[0][2], found[1][2])


@pytest.mark.parametrize("name", ["normal", "unit", "magnitudes", "tiny", "huge", "grid"])
def test_scores_are_off_by_no_more_than_their_bound(name: str) -> None:
    """Against float64, whose own error is a part of the bound."""
    x, k = data(name, 300)
    rows, centroids = torch.from_numpy(x), torch.from_numpy(x[:k].copy())
    lengths, squared = (part.double().square().sum(dim=1) for part in (rows, centroids))
    true = squared[None] / 2 - rows.double() @ centroids.double().T
    halves = Halves.of(rows, lengths)
    back = halves.features[:, : x.shape[1]].double() * halves.inverse.double()[:, None]
    lost = torch.linalg.vector_norm(rows.double() - back, dim=1)
    assert bool((lost <= halves.residual).all())
    for kernels in (TorchKernels(), TorchKernels(halves=True)):
        points = DevicePoints.of(centroids, squared, torch.arange(k), kernels.halves)
        residual = halves.residual if kernels.halves else torch.zeros(len(x)).double()
        operand = halves.features if kernels.halves else rows
        scores = kernels._scores(operand, halves.inverse, points, k, None).double()
        error = points.errors(lengths, residual)
        assert bool(((scores - true).abs() <= error[:, None]).all())


def test_a_wider_bound_sends_more_rows_to_float64_and_changes_no_label(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, k = data("unit", 600)
    doubtful = []
    for wider in (1.0, 100.0):
        errors = DevicePoints.errors

        def widened(
            self: DevicePoints, *args: torch.Tensor, by: float = wider, old: object = errors
        ) -> torch.Tensor:
            return by * old(self, *args)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            patch.setattr(device_points.DevicePoints, "errors", widened)
            shard = device_shard(x, kind="rounded")
            together(CpuShard(ArrayRows(x)), shard, x, k, 3)
        doubtful.append(shard.doubtful)
    assert doubtful[0] < doubtful[1]


def test_products_stay_float32_where_torch_was_told_otherwise() -> None:
    x, k = data("normal", 400)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        together(CpuShard(ArrayRows(x)), device_shard(x), x, k, 3)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_says_what_it_computes_with_and_refuses_what_it_does_not_know() -> None:
    x, _ = data("normal", 50)
    assert device_shard(x).kernel == "torch"
    with pytest.raises(InputError, match="use auto, triton or torch"):
        device_shard(x, kernel="numpy")
    with pytest.raises(InputError, match="float64"):
        CudaShard(ArrayRows(x), device="mps")


INTERPRETED = ["float16", "magnitudes", "grid of many"]


def interpreted() -> None:
    """What the subprocess below runs: Triton's kernels in its interpreter."""
    for name in INTERPRETED:
        x, k = data(name, 70)
        shard = CudaShard(ArrayRows(x), device="cpu", kernel="triton")
        assert shard.kernel.startswith("triton"), shard.kernel
        together(CpuShard(ArrayRows(x)), shard, x, k, 1)
        print(name)


def test_triton_kernels_in_the_interpreter_have_the_bits_of_the_cpu() -> None:
    triton = pytest.importorskip("triton")
    if tuple(map(int, triton.__version__.split(".")[:2])) < (3, 8):
        pytest.skip("older interpreters cannot loop with today's NumPy")
    found = subprocess.run(
        [sys.executable, str(HERE)],
        env={**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(HERE.parents[2])},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split("\n")[:-1] == INTERPRETED


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kernel", ["triton", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_on_a_cuda_device_it_has_the_bits_of_the_cpu(name: str, kernel: str) -> None:
    x, k = data(name, 5000)
    k = min(k, 500)
    shard = CudaShard(ArrayRows(x), device="cuda", kernel=kernel)
    assert shard.kernel.startswith(kernel)
    together(CpuShard(ArrayRows(x)), shard, x, k, 4)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("memory", [None, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_on_a_cuda_device_whole_fits_are_those_of_the_cpu(
    memory: int | None, dtype: type[np.floating]
) -> None:
    rng = np.random.default_rng(6)
    middles = rng.standard_normal((300, 128))
    x = middles[rng.integers(0, 300, 20_000)] + rng.standard_normal((20_000, 128))
    x = x.astype(dtype)
    found = []
    for shard in (CpuShard(ArrayRows(x)), CudaShard(ArrayRows(x), memory=memory)):
        start = random_rows(shard, Alone(), 500, np.random.default_rng(4))
        shard.begin(shard.extent.units())
        found.append(iterate(shard, Alone(), shard.extent.units(), Iterations(start), max_iter=10))
    assert found[0].centroids.tobytes() == found[1].centroids.tobytes()
    assert found[0].objectives == found[1].objectives


@pytest.mark.parametrize("start", ["k-means++", "k-means++ sample", "k-means||", "micro-ward"])
def test_a_whole_fit_is_that_of_the_cpu(start: str) -> None:
    rows = np.random.default_rng(5).normal(size=(1500, 40)).astype(np.float32)
    settings = Settings(12, Start(start), n_init=2, start_dim=8, seed=2)
    here = fit(CpuShard(ArrayRows(rows)), settings)
    there = fit(CudaShard(ArrayRows(rows), device="cpu"), settings)
    assert there.centroids.tobytes() == here.centroids.tobytes()
    assert (there.labels == here.labels).all()
    assert there.objectives == here.objectives


if __name__ == "__main__":
    interpreted()
