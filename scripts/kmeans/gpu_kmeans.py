"""k-means on a GPU: is it exact, how fast is each part, and beside what others do.

    python scripts/kmeans/gpu_kmeans.py --out gpu_kmeans.json          # below four minutes
    python scripts/kmeans/gpu_kmeans.py --quick                        # small shapes, one minute
    python scripts/kmeans/gpu_kmeans.py --quick --device cpu --rows 2000    # does the script run?

Rows are synthetic, around middles of more groups than clusters, at length 1, made on the device.
Each step stands for itself: one that fails is reported and the next one goes on; none is begun
after --limit seconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clusterbench.kmeans.cpu import CpuShard
from clusterbench.kmeans.device.cuda import CudaShard
from clusterbench.kmeans.device.device_rows import TensorRows
from clusterbench.kmeans.lloyd import Alone, Iterations, iterate
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.kmeans.starting.seeding import random_rows

#: rows, dimensions, clusters, dtype; the last is ImageNet-21K-P with a ViT-B.
SHAPES = [
    (200_000, 768, 2_000, "float16"),
    (1_281_167, 768, 1_000, "float16"),
    (1_281_167, 768, 1_000, "float32"),
    (11_060_223, 768, 10_450, "float16"),
]
QUICK = [(200_000, 768, 2_000, "float16"), (200_000, 768, 2_000, "float32")]
ITERATIONS = 25


class Report:
    """Steps with their results, printed as they come and written as JSON after each."""

    def __init__(self, device: torch.device, out: Path | None, limit: float) -> None:
        self.device, self._out, self._limit = device, out, limit
        self._begun = time.perf_counter()
        self._steps: dict[str, Any] = {"machine": machine(device)}
        print(json.dumps(self._steps["machine"], indent=1), flush=True)

    def step(self, name: str, action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What the action found, or why there is nothing."""
        elapsed = time.perf_counter() - self._begun
        found: dict[str, Any]
        if elapsed > self._limit:
            found = {"skipped": f"{elapsed:.0f} s are over"}
        else:
            try:
                found = action()
            except Exception as error:
                traceback.print_exc()
                found = {"failed": f"{type(error).__name__}: {error}"[:500]}
            found["step_s"] = round(time.perf_counter() - self._begun - elapsed, 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self._steps[name] = found
        print(f"\n{name}", flush=True)
        for key, value in found.items():
            print(f"  {key:<28} {value}", flush=True)
        if self._out is not None:
            self._out.write_text(json.dumps(self._steps, indent=1) + "\n")
        return found


def machine(device: torch.device) -> dict[str, Any]:
    """What a number was measured on."""
    found = {"torch": torch.__version__, "python": platform.python_version(), "device": str(device)}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = str(torch.version.cuda)
    for name in ("triton", "numba", "faiss", "flash_kmeans"):
        try:
            found[name] = str(getattr(__import__(name), "__version__", "there"))
        except Exception as error:
            found[name] = f"none ({type(error).__name__})"
    return found


def clock(device: torch.device) -> float:
    """Seconds, after all that was asked of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def timed(device: torch.device, action: Callable[[], object], times: int = 1) -> float:
    """Seconds of an action, the least of some times."""
    least = float("inf")
    for _ in range(times):
        start = clock(device)
        action()
        least = min(least, clock(device) - start)
    return least


def made(device: torch.device, n: int, dim: int, groups: int, dtype: str) -> torch.Tensor:
    """(n, dim) rows of length 1 around the middles of groups."""
    generator = torch.Generator(device).manual_seed(0)
    middles = torch.randn((groups, dim), device=device, generator=generator)
    middles = middles / middles.norm(dim=1, keepdim=True)
    rows = torch.empty((n, dim), dtype=getattr(torch, dtype), device=device)
    for a in range(0, n, 1 << 17):
        m = min(1 << 17, n - a)
        which = torch.randint(groups, (m,), device=device, generator=generator)
        noise = torch.randn((m, dim), device=device, generator=generator) * (1.2 / dim**0.5)
        some = middles[which] + noise
        rows[a : a + m] = some / some.norm(dim=1, keepdim=True)
    return rows


def exactness(device: torch.device, n: int, dim: int, k: int) -> dict[str, Any]:
    """Ten iterations on the CPU and on the device: the same bits everywhere?"""
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((2 * k, dim))
    x = (middles[rng.integers(0, 2 * k, n)] + rng.standard_normal((n, dim))).astype(np.float32)
    found: dict[str, Any] = {}
    for dtype in ("float32", "float16"):
        rows = ArrayRows(x.astype(dtype))
        shards = [CpuShard(rows, threads=4), CudaShard(rows, device=device)]
        fits = []
        for shard in shards:
            start = random_rows(shard, Alone(), k, np.random.default_rng(1))
            units = shard.extent.units()
            shard.begin(units)
            fits.append(iterate(shard, Alone(), units, Iterations(start), max_iter=10))
        cpu, gpu = shards
        every = np.arange(n)
        found[dtype] = {
            "kernel": gpu.kernel,  # type: ignore[attr-defined]
            "labels differ": int((cpu.labels() != gpu.labels()).sum()),
            "squared distances differ": int((cpu.masses(every) != gpu.masses(every)).sum()),
            "centroids differ": int((fits[0].centroids != fits[1].centroids).sum()),
            "objectives alike": fits[0].objectives == fits[1].objectives,
        }
    return found


def fit(device: torch.device, rows: torch.Tensor, k: int, kernel: str = "auto") -> dict[str, Any]:
    """Parts of a fit, and a fit of 25 iterations."""
    n, dim = rows.shape
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    begun = clock(device)
    shard = CudaShard(TensorRows(rows), device=device, kernel=kernel)
    made_in = clock(device) - begun
    units = shard.extent.units()
    start = random_rows(shard, Alone(), k, np.random.default_rng(0))
    shard.begin(units)
    first = timed(device, lambda: shard.assign(start))
    doubtful, exact = shard.doubtful, shard.work.exact
    sums = timed(device, lambda: shard.sums())
    objective = timed(device, lambda: shard.objective())
    state = Iterations(start)
    ends: list[float] = []
    done = shard.work.product
    shard.begin(units)
    began = clock(device)
    iterate(
        shard, Alone(), units, state, max_iter=ITERATIONS,
        after=lambda state: ends.append(clock(device)),
    )  # fmt: skip
    whole = clock(device) - began
    each = np.diff([began, *ends])
    return {
        "kernel": shard.kernel,
        "resident": shard.resident,
        "block of rows": shard._block,
        "construct s": round(made_in, 3),
        "first assign s": round(first, 4),
        "first assign TFLOP/s": round(2e-12 * n * k * dim / first, 1),
        "doubtful share, first": round(doubtful / n, 5),
        "pairs in float64 a row, first": round(exact / n, 3),
        "all sums s": round(sums, 4),
        "objective s": round(objective, 4),
        f"{state.n_iter} iterations s": round(whole, 3),
        "each iteration s": [round(float(t), 3) for t in each],
        "pairs multiplied": round((shard.work.product - done) / (n * k * (state.n_iter + 1)), 4),
        "doubtful share, all": round((shard.doubtful - doubtful) / (n * (state.n_iter + 1)), 5),
        "objective": state.objectives[-1],
        "peak memory GB": round(torch.cuda.max_memory_allocated(device) / 1e9, 2) if gpu else None,
    }


def profile(device: torch.device, rows: torch.Tensor, k: int) -> dict[str, Any]:
    """What an assignment and the sums spend their time on: seconds by kernel."""
    shard = CudaShard(TensorRows(rows), device=device)
    units = shard.extent.units()
    shard.begin(units)
    state = Iterations(random_rows(shard, Alone(), k, np.random.default_rng(0)))
    iterate(shard, Alone(), units, state, max_iter=2)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as seen:
        state.converged = False
        iterate(shard, Alone(), units, state, max_iter=5)
        clock(device)
    events = [event for event in seen.key_averages() if event.self_device_time_total > 0]
    events.sort(key=lambda event: -event.self_device_time_total)
    return {
        event.key[:60]: f"{event.self_device_time_total / 1e6:.4f} s, {event.count} times"
        for event in events[:14]
    }


def shapes_of_the_kernel(device: torch.device, n: int, dim: int, k: int) -> dict[str, Any]:
    """TFLOP/s of the fused product and minimum, by how the work is cut."""
    from clusterbench.kmeans.device import triton_kernels as kernels

    halves, points = kernels._trial(device, dim, n, k)
    own = torch.zeros(n, dtype=torch.int32, device=device)
    found: dict[str, Any] = {}
    for shape in kernels.SHAPES:
        try:
            chosen = kernels.TritonKernels(device, dim, shape)
            for name, mine in (("own passed over", own), ("none passed over", None)):
                seconds = timed(
                    device,
                    lambda c=chosen, m=mine: c.two_nearest(  # type: ignore[misc]
                        halves.features, halves.inverse, points, k, m
                    ),
                    3,
                )
                found[f"{shape}, {name}"] = round(2e-12 * n * k * dim / seconds, 1)
        except Exception as error:
            found[str(shape)] = f"{type(error).__name__}: {error}"[:200]
    there = points.halves
    assert there is not None
    product = timed(device, lambda: halves.features[: 1 << 16] @ there.T, 3)
    found["torch's product alone"] = round(2e-12 * min(n, 1 << 16) * k * dim / product, 1)
    return found


def bound(device: torch.device, dim: int) -> dict[str, Any]:
    """How much of what the bound allows do products on this device use? 1 would be all."""
    from clusterbench.kmeans.device.device_choice import kernels
    from clusterbench.kmeans.device.device_points import DevicePoints, Halves

    chosen, name = kernels(device, dim, "auto")
    found: dict[str, Any] = {"kernel": name}
    generator = torch.Generator(device).manual_seed(1)
    for kind in ("normal", "positive", "rising", "steep"):
        rows = torch.rand((1 << 14, dim), device=device, generator=generator)
        points = torch.rand((512, dim), device=device, generator=generator)
        if kind == "normal":
            rows, points = (rows - 0.5) * 2, (points - 0.5) * 2
        if kind in ("rising", "steep"):  # small numbers meet a large sum last, or first
            weight = torch.linspace(-6, 6 if kind == "rising" else -18, dim, device=device)
            rows, points = rows * weight.exp2(), points * weight.exp2()
        lengths, squared = (
            torch.linalg.vector_norm(part, dim=1, dtype=torch.float64).square() * (1 + 1e-12)
            for part in (rows, points)
        )
        numbers = torch.arange(len(points), device=device)
        near, there = Halves.of(rows, lengths), DevicePoints.of(points, squared, numbers, True)
        assert there.halves is not None
        place = chosen.two_nearest(near.features, near.inverse, there, len(points), None)
        which = place[2].long()
        true = squared[which] / 2 - (rows.double() * points[which].double()).sum(dim=1)
        off = (place[0].double() - true).abs() / there.errors(lengths, near.residual)
        scale = near.inverse.double() * there.inverse
        rounded = (near.features.double() * there.halves[which].double()).sum(dim=1) * scale
        added = (there.half[which].double() - place[0].double() - rounded).abs()
        most = there.adding * lengths.sqrt() * there.longest + 2.0**-24 * there.longest**2
        found[f"{kind}: of the whole"] = round(float(off.max()), 5)
        found[f"{kind}: of adding up"] = round(float((added / most).max()), 5)
    return found


def plain_loop(device: torch.device, rows: torch.Tensor, k: int, iterations: int) -> dict[str, Any]:
    """As people write it: float16 products by chunks, argmin, sums by index_add in float32."""
    n = len(rows)
    generator = torch.Generator(device).manual_seed(0)
    centroids = rows[torch.randperm(n, device=device, generator=generator)[:k]].float()
    labels = torch.empty(n, dtype=torch.int64, device=device)
    step = max(1, (1 << 29) // k)
    ends = [clock(device)]
    for _ in range(iterations):
        half = (centroids * centroids).sum(dim=1) / 2
        near = centroids.half()
        sums = torch.zeros_like(centroids)
        counts = torch.zeros(k, device=device)
        for a in range(0, n, step):
            x = rows[a : a + step]
            scores = half.half() - x.half() @ near.T
            labels[a : a + step] = scores.argmin(dim=1)
            sums.index_add_(0, labels[a : a + step], x.float())
            counts.index_add_(0, labels[a : a + step], torch.ones(len(x), device=device))
        centroids = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centroids)
        ends.append(clock(device))
    each = np.diff(ends)
    return {
        "each iteration s": [round(float(t), 3) for t in each],
        f"{ITERATIONS} iterations s, from the fastest": round(float(each.min()) * ITERATIONS, 2),
    }


def faiss_fit(rows: torch.Tensor, k: int) -> dict[str, Any]:
    """faiss on the GPU, on all rows, which lie in the host's memory as it wants them."""
    import faiss

    if not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() == 0:
        return {"skipped": "this faiss has no GPU"}
    x = rows.float().cpu().numpy()
    kmeans = faiss.Kmeans(
        x.shape[1], k, niter=ITERATIONS, gpu=True, seed=0, max_points_per_centroid=len(x),
        min_points_per_centroid=1,
    )  # fmt: skip
    start = time.perf_counter()
    kmeans.train(x)
    return {
        f"{ITERATIONS} iterations s": round(time.perf_counter() - start, 2),
        "objective": float(np.asarray(kmeans.obj)[-1]),
    }


def flash_fit(device: torch.device, rows: torch.Tensor, k: int) -> dict[str, Any]:
    """flash-kmeans, twice: the first time compiles."""
    from flash_kmeans import batch_kmeans_Euclid  # type: ignore[import-not-found]

    found = {}
    for name in ("first", "second"):
        seconds = timed(
            device, lambda: batch_kmeans_Euclid(rows[None], k, max_iters=ITERATIONS, tol=-1.0)
        )
        found[f"{ITERATIONS} iterations s, {name}"] = round(seconds, 3)
    return found


def main() -> int:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="JSON to write, anew after each step")
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rows", type=int, help="no more rows than that, and K in proportion")
    parser.add_argument("--limit", type=float, default=200.0, help="begin no step after seconds")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here; try --device cpu --quick --rows 2000", file=sys.stderr)
        return 2
    report = Report(device, arguments.out, arguments.limit)
    most = arguments.rows or sys.maxsize
    n, k = min(20_000, most), min(500, most // 40)
    report.step(f"exact? {n} x 128, K = {k}", lambda: exactness(device, n, 128, k))
    if device.type == "cuda":
        report.step("bound, 768 dimensions", lambda: bound(device, 768))
        report.step("bound, 64 dimensions", lambda: bound(device, 64))
        for clusters in (1_024, 10_450):
            report.step(
                f"kernel, 262144 x 768, K = {clusters}",
                lambda c=clusters: shapes_of_the_kernel(device, 1 << 18, 768, c),  # type: ignore[misc]
            )
    for n, dim, k, dtype in QUICK if arguments.quick else SHAPES:
        if n > most:
            n, k = most, max(1, k * most // n)
        name = f"{n} x {dim}, K = {k}, {dtype}"
        rows = None
        try:
            rows = made(device, n, dim, 2 * k, dtype)
        except Exception as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        large = n > 5_000_000
        report.step(f"fit {name}", lambda r=rows, k=k: fit(device, r, k))  # type: ignore[misc]
        report.step(
            f"plain loop {name}",
            lambda r=rows, k=k, i=2 if large else 4: plain_loop(device, r, k, i),  # type: ignore[misc]
        )
        if device.type == "cuda":
            if not large:
                report.step(f"profile {name}", lambda r=rows, k=k: profile(device, r, k))  # type: ignore[misc]
                report.step(f"faiss {name}", lambda r=rows, k=k: faiss_fit(r, k))  # type: ignore[misc]
            report.step(f"flash-kmeans {name}", lambda r=rows, k=k: flash_fit(device, r, k))  # type: ignore[misc]
        del rows
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
