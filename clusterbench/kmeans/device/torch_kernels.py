"""What a shard computes on a device: the interface, and plain torch behind it on any device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .device_points import DevicePoints

#: Products, and pairs in float64, that are held at a time.
_SCORES, _PAIRS = 1 << 26, 1 << 18
#: Lanes of a squared distance, as `kernels.nearest.squared_distance` has them.
_LANES = 8


class DeviceKernels(ABC):
    """Products, distances and sums on a device.

    Rows are (n, at least dim) tensors; what is behind the first dim of a row is zero. Scores are
    |c|^2 / 2 - x.c in float32, off by no more than `DevicePoints.errors`.

    Attributes:
        name: what computes, for whoever asks.
        halves: products are of float16 rows (`Halves`); else of float32 ones.
    """

    name: str
    halves: bool

    @abstractmethod
    def two_nearest(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Lowest and second lowest score among the first points, and the place of the lowest.

        Args:
            x: (m, ...) rows, float16 if `halves`, else float32.
            inverse: (m,) float32, what x is to be multiplied by; looked at if `halves`.
            points: to look at.
            depth: how many of them.
            own: (m,) int32, a place among the points that is passed over; -1 for none.

        Returns:
            (m,) float32 twice, infinity where there is none; (m,) int32.
        """

    @abstractmethod
    def within(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
        limit: torch.Tensor,
    ) -> torch.Tensor:
        """Which scores are at most (m,) float32 `limit`: (m, depth) int8, the own ones 0."""

    @abstractmethod
    def squared_distances(
        self,
        rows: torch.Tensor,
        row: torch.Tensor,
        points: torch.Tensor,
        number: torch.Tensor,
    ) -> torch.Tensor:
        """|x - c|^2 of pairs: the bits of `kernels.nearest.squared_distance`, (p,) float64.

        rows: (n, ...) float16 or float32. row: (p,) int64. points: (k, dim) float32. number:
        (p,) int64.
        """

    @abstractmethod
    def move(
        self,
        sums: torch.Tensor,
        rows: torch.Tensor,
        row: torch.Tensor,
        weight: torch.Tensor,
        before: torch.Tensor,
        after: torch.Tensor,
    ) -> None:
        """Take rows out of the sums of one cluster and add them to those of another.

        sums: (k, dim) int64, written to. rows: (n, ...) float16 or float32. row: (p,) int64, those
        that move. weight: (p,) float64, of each, times the factor of the sums' fixed point.
        before: (p,) int64, -1 for none. after: (p,) int64.
        """


class TorchKernels(DeviceKernels):
    """Plain torch, on any device with float64; products in IEEE float32.

    Args:
        halves: round rows to float16 first, as tensor cores want it; for tests.
    """

    def __init__(self, halves: bool = False) -> None:
        self.halves = halves
        self.name = "torch"

    def two_nearest(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As `DeviceKernels.two_nearest`."""
        best = torch.full((len(x),), torch.inf, device=x.device)
        second = best.clone()
        place = torch.full((len(x),), -1, dtype=torch.int32, device=x.device)
        for a, b in _rows_at_a_time(len(x), depth):
            mine = None if own is None else own[a:b]
            scores = self._scores(x[a:b], inverse[a:b], points, depth, mine)
            low, where = scores.min(dim=1)
            best[a:b], place[a:b] = low, where.to(torch.int32)
            scores.scatter_(1, where[:, None], torch.inf)
            second[a:b] = scores.amin(dim=1)
        return best, second, place

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
        hits = torch.empty((len(x), depth), dtype=torch.int8, device=x.device)
        for a, b in _rows_at_a_time(len(x), depth):
            mine = None if own is None else own[a:b]
            scores = self._scores(x[a:b], inverse[a:b], points, depth, mine)
            hits[a:b] = scores <= limit[a:b, None]
        return hits

    def _scores(
        self,
        x: torch.Tensor,
        inverse: torch.Tensor,
        points: DevicePoints,
        depth: int,
        own: torch.Tensor | None,
    ) -> torch.Tensor:
        """(m, depth) float32; infinity for the own one."""
        if points.halves is None:
            scores = ieee_product(x[:, : points.features.shape[1]].float(), points.features[:depth])
        else:
            scores = ieee_product(x.float(), points.halves[:depth].float())
            scores *= (inverse * points.inverse)[:, None]
        torch.sub(points.half[:depth], scores, out=scores)
        if own is not None:
            rows = torch.nonzero((own >= 0) & (own < depth))[:, 0]
            scores[rows, own[rows].long()] = torch.inf
        return scores

    def squared_distances(
        self,
        rows: torch.Tensor,
        row: torch.Tensor,
        points: torch.Tensor,
        number: torch.Tensor,
    ) -> torch.Tensor:
        """As `DeviceKernels.squared_distances`."""
        dim = points.shape[1]
        whole = dim - dim % _LANES
        result = torch.empty(len(row), dtype=torch.float64, device=rows.device)
        step = max(1, (_PAIRS * 256) // max(dim, 1))
        for a in range(0, len(row), step):
            d = rows[row[a : a + step], :dim].double()
            d -= points[number[a : a + step]].double()
            d *= d
            lanes = torch.zeros((len(d), _LANES), dtype=torch.float64, device=rows.device)
            for j in range(0, whole, _LANES):
                lanes += d[:, j : j + _LANES]
            for j in range(whole, dim):
                lanes[:, 0] += d[:, j]
            result[a : a + step] = sum_of_lanes(lanes)
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
        dim = sums.shape[1]
        step = max(1, (_PAIRS * 256) // max(dim, 1))
        for a in range(0, len(row), step):
            features = rows[row[a : a + step], :dim].double()
            features *= weight[a : a + step, None]
            whole = features.round_().long()  # to even
            sums.index_add_(0, after[a : a + step], whole)
            old = before[a : a + step]
            left = torch.nonzero(old >= 0)[:, 0]
            sums.index_add_(0, old[left], whole[left], alpha=-1)


def sum_of_lanes(lanes: torch.Tensor) -> torch.Tensor:
    """(p, 8) float64 lanes added in the one order."""
    pairs = lanes[:, 0::2] + lanes[:, 1::2]
    fours = pairs[:, 0::2] + pairs[:, 1::2]
    return fours[:, 0] + fours[:, 1]


def ieee_product(x: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """x @ points.T of float32 in float32, whatever torch was told about cheaper formats."""
    with _ieee(x.device.type):
        return x @ points.T


@contextmanager
def _ieee(device: str) -> Iterator[None]:
    """Products of float32 in no cheaper format, as it may be set for the whole process."""
    owner: Any = torch.backends.cuda if device == "cuda" else torch.backends.mkldnn
    settings: Any = getattr(owner, "matmul", None)
    name: str = ""
    exact: Any = None
    before: Any = None
    if hasattr(settings, "fp32_precision"):  # since torch 2.9
        name, exact, before = "fp32_precision", "ieee", settings.fp32_precision
        cheap = before not in ("none", exact)
    elif device == "cuda":
        name, exact, before = "allow_tf32", False, settings.allow_tf32
        cheap = bool(before)
    else:
        cheap = False
    if not cheap:
        yield
        return
    setattr(settings, name, exact)
    try:
        yield
    finally:
        setattr(settings, name, before)


def _rows_at_a_time(n: int, depth: int) -> Iterator[tuple[int, int]]:
    step = max(1, _SCORES // max(depth, 1))
    for a in range(0, n, step):
        yield a, min(a + step, n)
