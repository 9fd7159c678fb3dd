"""The same on tensor cores: Triton kernels that never write a row's products to memory.

Products are of float16 with sums in float32. Float64 arithmetic is compiled without fused
additions, so that squared distances have the bits of `kernels.nearest.squared_distance`.
"""

# Triton compiles annotations too, so kernels have none but `tl.constexpr`, and these as they are.
# mypy: allow-untyped-defs, allow-incomplete-defs
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl

from .device_points import DevicePoints, Halves
from .torch_kernels import DeviceKernels, TorchKernels, sum_of_lanes


@triton.jit(do_not_specialize=["m", "depth", "tiles"])
def _two_nearest(
    x,
    inverse,
    own,
    points,
    half,
    unit,
    best_out,
    second_out,
    place_out,
    m,
    depth,
    tiles,
    x_stride,
    DIM: tl.constexpr,
    OWN: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One program: a block of rows and `tiles` tiles of points. unit: (1,) float32."""
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    there = rows < m
    scale = tl.load(inverse + rows, mask=there, other=0.0) * tl.load(unit)
    mine = tl.full((BLOCK_M,), -1, tl.int32)
    if OWN:
        mine = tl.load(own + rows, mask=there, other=-1)
    best = tl.full((BLOCK_M,), float("inf"), tl.float32)
    second = tl.full((BLOCK_M,), float("inf"), tl.float32)
    place = tl.full((BLOCK_M,), -1, tl.int32)
    k = tl.arange(0, BLOCK_K)
    row_at = x + rows.to(tl.int64)[:, None] * x_stride
    first = tl.program_id(1) * tiles * BLOCK_N
    last = tl.minimum(first + tiles * BLOCK_N, depth)
    for start in range(first, last, BLOCK_N):
        columns = start + tl.arange(0, BLOCK_N)
        inside = columns < depth
        point_at = points + columns.to(tl.int64)[None, :] * DIM
        product = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        for at in range(0, DIM, BLOCK_K):
            if DIM % BLOCK_K == 0:
                a = tl.load(row_at + (at + k)[None, :], mask=there[:, None], other=0.0)
                b = tl.load(point_at + (at + k)[:, None], mask=inside[None, :], other=0.0)
            else:
                left = at + k < DIM
                a = tl.load(
                    row_at + (at + k)[None, :], mask=there[:, None] & left[None, :], other=0.0
                )
                b = tl.load(
                    point_at + (at + k)[:, None], mask=left[:, None] & inside[None, :], other=0.0
                )
            product = tl.dot(a, b, product)
        offset = tl.load(half + columns, mask=inside, other=float("inf"))
        scores = offset[None, :] - product * scale[:, None]
        if OWN:
            scores = tl.where(columns[None, :] == mine[:, None], float("inf"), scores)
        low = tl.min(scores, axis=1)
        # The lowest place of the lowest: one of two equal ones stays, for the second.
        where = tl.min(tl.where(scores == low[:, None], columns[None, :], 2147483647), axis=1)
        rest = tl.where(columns[None, :] == where[:, None], float("inf"), scores)
        next_low = tl.min(rest, axis=1)
        second = tl.minimum(tl.minimum(second, next_low), tl.maximum(best, low))
        place = tl.where(low < best, where, place)
        best = tl.minimum(best, low)
    out = tl.program_id(1).to(tl.int64) * m + rows
    tl.store(best_out + out, best, mask=there)
    tl.store(second_out + out, second, mask=there)
    tl.store(place_out + out, place, mask=there)


@triton.jit(do_not_specialize=["m", "depth"])
def _within(
    x,
    inverse,
    own,
    points,
    half,
    unit,
    limit,
    hits,
    m,
    depth,
    x_stride,
    DIM: tl.constexpr,
    OWN: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One program: a block of rows and one tile of points."""
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    there, inside = rows < m, columns < depth
    k = tl.arange(0, BLOCK_K)
    row_at = x + rows.to(tl.int64)[:, None] * x_stride
    point_at = points + columns.to(tl.int64)[None, :] * DIM
    product = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for at in range(0, DIM, BLOCK_K):
        left = at + k < DIM
        a = tl.load(row_at + (at + k)[None, :], mask=there[:, None] & left[None, :], other=0.0)
        b = tl.load(point_at + (at + k)[:, None], mask=left[:, None] & inside[None, :], other=0.0)
        product = tl.dot(a, b, product)
    scale = tl.load(inverse + rows, mask=there, other=0.0) * tl.load(unit)
    offset = tl.load(half + columns, mask=inside, other=float("inf"))
    scores = offset[None, :] - product * scale[:, None]
    highest = tl.load(limit + rows, mask=there, other=0.0)
    hit = scores <= highest[:, None]
    if OWN:
        mine = tl.load(own + rows, mask=there, other=-1)
        hit = hit & (columns[None, :] != mine[:, None])
    out = rows.to(tl.int64)[:, None] * depth + columns[None, :]
    tl.store(hits + out, hit.to(tl.int8), mask=there[:, None] & inside[None, :])


@triton.jit(do_not_specialize=["pairs"])
def _distance_lanes(
    rows,
    row,
    points,
    number,
    lanes,
    pairs,
    row_stride,
    DIM: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One program: BLOCK pairs; lane l sums j = l, l + 8, ... one after another."""
    pair = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = pair < pairs
    lane = tl.arange(0, 8)
    row_at = rows + tl.load(row + pair, mask=there, other=0) * row_stride
    point_at = points + tl.load(number + pair, mask=there, other=0) * DIM
    total = tl.zeros((BLOCK, 8), tl.float64)
    for j in range(0, DIM - DIM % 8, 8):
        a = tl.load(row_at[:, None] + (j + lane)[None, :], mask=there[:, None], other=0.0)
        b = tl.load(point_at[:, None] + (j + lane)[None, :], mask=there[:, None], other=0.0)
        d = a.to(tl.float64) - b.to(tl.float64)
        total += d * d
    for j in range(DIM - DIM % 8, DIM):
        a = tl.load(row_at + j, mask=there, other=0.0)
        b = tl.load(point_at + j, mask=there, other=0.0)
        d = a.to(tl.float64) - b.to(tl.float64)
        total += tl.where(lane[None, :] == 0, (d * d)[:, None], 0.0)
    out = pair.to(tl.int64)[:, None] * 8 + lane[None, :]
    tl.store(lanes + out, total, mask=there[:, None])


@triton.jit
def _move(
    sums,
    rows,
    row,
    weight,
    before,
    after,
    row_stride,
    DIM: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One program: one row."""
    at = tl.program_id(0)
    j = tl.arange(0, BLOCK)
    there = j < DIM
    feature = tl.load(rows + tl.load(row + at) * row_stride + j, mask=there, other=0.0)
    number = feature.to(tl.float64) * tl.load(weight + at)
    # Rounded to even by what float64 cannot hold; numbers from 2^52 on are whole.
    big = 4503599627370496.0
    rounded = tl.where(number < 0.0, (number - big) + big, (number + big) - big)
    whole = tl.where(tl.abs(number) < big, rounded, number).to(tl.int64)
    old = tl.load(before + at)
    tl.atomic_add(sums + tl.load(after + at) * DIM + j, whole, mask=there, sem="relaxed")
    tl.atomic_add(sums + old * DIM + j, -whole, mask=there & (old >= 0), sem="relaxed")


@dataclass(frozen=True)
class Shape:
    """How the work of `two_nearest` is cut: rows, points, dimensions at a time; warps, stages."""

    m: int
    n: int
    k: int
    warps: int
    stages: int

    def __str__(self) -> str:
        return f"{self.m}x{self.n}x{self.k}, {self.warps} warps, {self.stages} stages"


#: Tried on the device, the fastest is taken; the last one is what every device can do.
SHAPES = (
    Shape(128, 256, 64, 8, 3),
    Shape(128, 128, 64, 4, 3),
    Shape(128, 128, 64, 8, 4),
    Shape(64, 64, 32, 4, 2),
)
#: Stages of loading in `within`, tried until one gives what it should.
_STAGES = (3, 2, 1)
#: Rows and points of the trial.
_TRIAL = (1 << 15, 1024)


class TritonKernels(DeviceKernels):
    """Triton on a CUDA device; elsewhere only where TRITON_INTERPRET=1 runs it without one.

    Args:
        device: what it runs on.
        dim: of the rows, for which the fastest shape is looked for.
        shape: instead of the fastest.

    Attributes:
        failed: shapes that this device cannot run, and why.

    Raises:
        RuntimeError: no shape runs, or what a kernel computes is not what it should be.
    """

    halves = True

    def __init__(self, device: torch.device, dim: int, shape: Shape | None = None) -> None:
        self.failed: dict[str, str] = {}
        self._plain, self._device = TorchKernels(), device
        on_gpu = device.type == "cuda"
        self._programs, self._pairs = 8, 128  # an interpreter likes large blocks
        if on_gpu:
            self._pairs = 16
            self._programs = 4 * torch.cuda.get_device_properties(device).multi_processor_count
        self.shape = shape or (self._fastest(device, dim) if on_gpu else SHAPES[-1])
        self.name = f"triton {triton.__version__}: {self.shape}"
        self._check(device, dim)

    def two_nearest(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `DeviceKernels.two_nearest`."""
        assert points.halves is not None
        m, shape = len(x), self.shape
        blocks, tiles = -(-m // shape.m), -(-depth // shape.n)
        # Few rows: programs share the points of one, so that the device has enough to do.
        splits = max(1, min(tiles, self._programs // max(blocks, 1)))
        each = -(-tiles // splits)
        splits = -(-tiles // each)
        best = torch.empty((splits, m), device=x.device)
        second = torch.empty_like(best)
        place = torch.empty((splits, m), dtype=torch.int32, device=x.device)
        if m:
            self._run(
                _two_nearest, (blocks, splits),
                x, inverse, place if own is None else own, points.halves, points.half,
                self._unit(points, x), best, second, place, m, depth, each, x.stride(0),
                DIM=points.halves.shape[1], OWN=own is not None, BLOCK_M=shape.m,
                BLOCK_N=shape.n, BLOCK_K=shape.k, num_warps=shape.warps,
                num_stages=shape.stages,
            )  # fmt: skip
        if splits == 1:
            return best[0], second[0], place[0]
        low, at = best.min(dim=0)
        best.scatter_(0, at[None], torch.inf)
        next_low = torch.minimum(best.amin(dim=0), second.amin(dim=0))
        return low, next_low, place.gather(0, at[None])[0]

    def within(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
        limit: torch.Tensor,
    ) -> torch.Tensor:
        """As `DeviceKernels.within`."""
        if points.halves is None:
            return self._plain.within(x, inverse, points, depth, own, limit)
        hits = torch.empty((len(x), depth), dtype=torch.int8, device=x.device)
        if hits.numel():
            self._run(
                _within, (-(-len(x) // 64), -(-depth // 64)),
                x, inverse, hits if own is None else own, points.halves, points.half,
                self._unit(points, x), limit, hits, len(x), depth, x.stride(0),
                DIM=points.halves.shape[1], OWN=own is not None, BLOCK_M=64, BLOCK_N=64,
                BLOCK_K=32, num_warps=4, num_stages=self._stages,
            )  # fmt: skip
        return hits

    def squared_distances(
        self,
        rows: torch.Tensor,
        row: torch.Tensor,
        points: torch.Tensor,
        number: torch.Tensor,
    ) -> torch.Tensor:
        """As `DeviceKernels.squared_distances`."""
        result = torch.empty(len(row), dtype=torch.float64, device=rows.device)
        for a in range(0, len(row), 1 << 20):
            some, of = row[a : a + (1 << 20)], number[a : a + (1 << 20)]
            lanes = torch.empty((len(some), 8), dtype=torch.float64, device=rows.device)
            self._run(
                _distance_lanes, (-(-len(some) // self._pairs),),
                rows, some, points, of, lanes, len(some), rows.stride(0), DIM=points.shape[1],
                BLOCK=self._pairs, num_warps=4, enable_fp_fusion=False,
            )  # fmt: skip
            result[a : a + (1 << 20)] = sum_of_lanes(lanes)
        return result

    def move(
        self,
        sums: torch.Tensor,
        rows: torch.Tensor,
        row: torch.Tensor,
        weight: torch.Tensor,
        before: torch.Tensor,
        after: torch.Tensor,
    ) -> None:
        """As `DeviceKernels.move`."""
        if len(row):
            dim = sums.shape[1]
            self._run(
                _move, (len(row),),
                sums, rows, row, weight, before, after, rows.stride(0), DIM=dim,
                BLOCK=triton.next_power_of_2(dim), num_warps=4, enable_fp_fusion=False,
            )  # fmt: skip

    def _run(self, kernel: Any, grid: tuple[int, ...], *arguments: Any, **settings: Any) -> None:
        """Launch on the device of the shard, which need not be the current one."""
        gpu = self._device.type == "cuda"
        with torch.cuda.device(self._device) if gpu else nullcontext():
            kernel[grid](*arguments, **settings)

    def _unit(self, points: DevicePoints, x: torch.Tensor) -> torch.Tensor:
        return torch.full((1,), points.inverse, device=x.device)

    def _fastest(self, device: torch.device, dim: int) -> Shape:
        """The shape that takes the least time on this device, of those that it can run."""
        m, k = _TRIAL
        halves, points = _trial(device, dim, m, k)
        own = torch.zeros(m, dtype=torch.int32, device=device)
        times: list[tuple[float, int]] = []
        for number, shape in enumerate(SHAPES):
            self.shape = shape
            try:
                for _ in range(2):
                    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                    start.record()
                    self.two_nearest(halves.features, halves.inverse, points, k, own)
                    end.record()
                    torch.cuda.synchronize(device)
                times.append((start.elapsed_time(end), number))
            except Exception as error:  # out of registers or shared memory: a matter of the device
                self.failed[str(shape)] = f"{type(error).__name__}: {error}"
        if not times:
            raise RuntimeError(f"no shape of the kernel runs on this device: {self.failed}")
        return SHAPES[min(times)[1]]

    def _check(self, device: torch.device, dim: int) -> None:
        """A few rows through each kernel and through plain torch: what is wrong is not used."""
        plain = TorchKernels(halves=True)
        m, k = self.shape.m + 3, self.shape.n + 5
        halves, points = _trial(device, dim, m, k)
        lengths = halves.features.double().square().sum(dim=1) * halves.inverse.double() ** 2
        error = points.errors(lengths, halves.residual)
        own = (torch.arange(m, device=device) % (k + 9) - 1).to(torch.int32)
        found = self.two_nearest(halves.features, halves.inverse, points, k, own)
        wanted = plain.two_nearest(halves.features, halves.inverse, points, k, own)
        for low, least in zip(found[:2], wanted[:2], strict=True):
            if bool(((low.double() - least.double()).abs() > 2.0 * error).any()):
                raise RuntimeError("the Triton kernel's products are off by more than their bound")
        if bool(((found[2] == own) | (found[2] < 0)).any()):
            raise RuntimeError("the Triton kernel does not pass over what it should")
        limit = (wanted[0] + wanted[1]) / 2.0
        sure = (wanted[1] - wanted[0]).double() > 8.0 * error
        for self._stages in _STAGES:
            try:
                hits = self.within(halves.features, halves.inverse, points, k, own, limit)
                counts = hits.sum(dim=1)[sure]
                wrong = int((counts != 1).sum())
                if not wrong:
                    break
                said = f"{wrong} of {len(counts)} rows have {counts.min()} to {counts.max()} points"
            except Exception as problem:  # out of shared memory: a matter of the device
                said = f"{type(problem).__name__}: {problem}"
            self.failed[f"within, {self._stages} stages"] = said
        else:
            raise RuntimeError(f"the Triton kernel misses points within a limit: {self.failed}")
        rows = points.features
        row = torch.arange(k, device=device)
        exact = self.squared_distances(rows, row, rows, (row + 7) % k)
        if bool((exact != plain.squared_distances(rows, row, rows, (row + 7) % k)).any()):
            raise RuntimeError("the Triton kernel's squared distances have other bits")
        before, after = row % 5 - 1, row % 3
        weight = torch.full((k,), 2.0**40 / 3.0, dtype=torch.float64, device=device)
        sums = [torch.zeros((5, dim), dtype=torch.int64, device=device) for _ in range(2)]
        self.move(sums[0], rows, row, weight, before, after)
        plain.move(sums[1], rows, row, weight, before, after)
        if bool((sums[0] != sums[1]).any()):
            raise RuntimeError("the Triton kernel's sums are wrong")


def _trial(device: torch.device, dim: int, m: int, k: int) -> tuple[Halves, DevicePoints]:
    generator = torch.Generator(device).manual_seed(0)
    rows = torch.randn((m, dim), device=device, generator=generator)
    points = torch.randn((k, dim), device=device, generator=generator)
    lengths = [
        torch.linalg.vector_norm(part, dim=1, dtype=torch.float64).square()
        for part in (rows, points)
    ]
    numbers = torch.arange(k, device=device)
    return Halves.of(rows, lengths[0]), DevicePoints.of(points, lengths[1], numbers, True)
