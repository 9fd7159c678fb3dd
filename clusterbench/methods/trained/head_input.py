"""What heads see of features: smoothed if wanted, scaled, on the device or read when used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cost import available_memory, check_memory
from ...feature_rows import unit_rows
from ...kmeans.row_sources import ArrayRows, Rows
from ..scaling import Scaler
from ..streaming import streamed

if TYPE_CHECKING:
    import torch

    from ...heads.training_rows import TrainingRows

#: Rows that are scaled at a time.
_BLOCK = 1 << 13
#: Bytes of scaled rows that may be read again and again, wherever they lie.
_SMALL = 2 << 30
#: Share of the free memory that rows may take.
_SHARE = 0.6


class Smoothed:
    """Unit rows averaged with their mutual neighbours, as `SmoothedKMeans` does.

    Args:
        features: (n, dim) float32 training rows; kept at unit length.
        n_neighbors: averaged with each row, those of them that are mutual.
        rounds: times.
        device: for the neighbours.
    """

    def __init__(self, features: np.ndarray, n_neighbors: int, rounds: int, device: str) -> None:
        from ..graph.links import Neighbourhood
        from ..graph.smoothing import Smoothing

        unit = unit_rows(features)
        k = min(n_neighbors, len(features) - 1)
        neighbourhood = Neighbourhood(features, unit, unit, k, True, device)
        self._smoothing = Smoothing(unit, neighbourhood, rounds, True)
        assert self._smoothing.smoothed is not None
        self.rows = self._smoothing.smoothed

    def of(self, features: np.ndarray) -> np.ndarray:
        """The same of (m, dim) float32 rows that come later."""
        unit = unit_rows(features)
        return self._smoothing.of(unit, unit)

    def drop(self) -> None:
        """Forget the training rows' last level, which no new row needs."""
        self._smoothing.drop()
        self.rows = np.empty((0, 0), dtype=np.float32)


class _Scaled:
    """Rows scaled as they are read; what is taken for in memory depends on their size alone."""

    def __init__(self, rows: Rows, scaler: Scaler, dim: int) -> None:
        self.n, self.dim = rows.n, dim
        self.in_memory = 4 * rows.n * dim <= _SMALL
        self._rows, self._scaler = rows, scaler

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return self._scaler(self._rows.block(start, stop))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        return self._scaler(self._rows.take(numbers))


class HeadInput:
    """Rows to train on, and the way of every row to what a head sees.

    Args:
        X: a (n, dim) float32 array; or what `streaming.streamed` takes.
        scaling: as of `Scaler`.
        device: of training.
        smoothing: neighbours and rounds of `Smoothed`; None for features as they are.
        spaces: as of `Scaler`.

    Attributes:
        raw: the rows as given.
        dim: dimensions of what a head sees.
        resident: "float32" scaled rows on the device, "float16" rows as given, or "streamed".

    Raises:
        InputError: rows that cannot be scaled, or too little memory to smooth them.
    """

    def __init__(
        self,
        X: Any,
        scaling: str,
        device: torch.device,
        smoothing: tuple[int, int] | None = None,
        spaces: tuple[int, ...] = (),
    ) -> None:
        rows = streamed(X)
        self.raw: Rows = ArrayRows(X) if rows is None else rows
        self.device, self._smoothed = device, None
        seen = self.raw
        if smoothing is not None:
            n, dim = self.raw.n, self.raw.dim
            check_memory(
                4.0 * n * dim * (smoothing[1] + 3),
                f"smoothing {n:,} rows of {dim:,} dimensions {smoothing[1]} times",
                "take fewer smooth_rounds, or leave smooth_neighbors at 0",
            )
            # Neighbours are looked up all over, at each level: these rows are held.
            features = X if rows is None else _whole(self.raw)
            self._smoothed = Smoothed(features, *smoothing, str(device))
            seen = ArrayRows(self._smoothed.rows)
        self._seen: Rows = seen
        self.scaler = Scaler(scaling, spaces).fit_rows(seen)
        self.dim = self.scaler.width(seen.dim)
        half = rows is not None and smoothing is None and _is_half(X)
        self.resident = self._residence(half)

    @classmethod
    def restored(cls, scaler: Scaler, dim: int, device: torch.device) -> HeadInput:
        """The way of rows of `dim` dimensions through a fitted scaler, without training rows."""
        found = cls.__new__(cls)
        found.raw = found._seen = ArrayRows(np.empty((0, dim), dtype=np.float32))
        found.device, found._smoothed, found.scaler = device, None, scaler
        found.dim, found.resident = scaler.width(dim), "float32"
        return found

    @property
    def smooths(self) -> bool:
        """Whether rows are averaged with training rows before they are scaled."""
        return self._smoothed is not None

    def _residence(self, half: bool) -> str:
        n, free = self._seen.n, free_bytes(self.device)
        as_given = self.scaler.scaling in ("none", "standardize")
        if half and as_given and 2.0 * n * self._seen.dim <= _SHARE * free:
            return "float16"
        return "float32" if 4.0 * n * self.dim <= _SHARE * free else "streamed"

    def training_rows(self, neighbours: np.ndarray) -> TrainingRows:
        """What `heads.trainer.train_heads` takes.

        Args:
            neighbours: (n, k) int32, of the rows as given, the row itself excluded.
        """
        import torch

        from ...heads.training_rows import HeldRows, StreamedRows

        if self.resident == "streamed":
            return StreamedRows(self._seen, neighbours, self.device, self._rescaled, self.dim)
        table = torch.tensor(np.asarray(neighbours), device=self.device)
        if self.resident == "float16":
            held = torch.empty(
                (self._seen.n, self._seen.dim), dtype=torch.float16, device=self.device
            )
            for start, block in self._blocks_as_given():
                held[start : start + len(block)] = block.half()
                self.scaler.tensor(block)  # which looks at them once, and not in every step
            return HeldRows(held, table, self._rescaled, self.dim)
        whole = torch.empty((self._seen.n, self.dim), device=self.device)
        for start, block in self.blocks():
            whole[start : start + len(block)] = block
        return HeldRows(whole, table)

    def _rescaled(self, rows: torch.Tensor) -> torch.Tensor:
        return self.scaler.tensor(rows, check=False)

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """First row and (m, dim) float32 rows on the device, as heads see the training rows."""
        for start, block in self._blocks_as_given():
            yield start, self.scaler.tensor(block)

    @property
    def scaled(self) -> Rows:
        """The training rows as heads see them, scaled whenever they are read."""
        return _Scaled(self._seen, self.scaler, self.dim)

    def _blocks_as_given(self) -> Iterator[tuple[int, torch.Tensor]]:
        import torch

        for start in range(0, self._seen.n, _BLOCK):
            block = self._seen.block(start, min(start + _BLOCK, self._seen.n))
            yield start, torch.tensor(block, device=self.device)

    def of(self, features: np.ndarray) -> torch.Tensor:
        """(m, dim) float32 rows that come later, as heads see them, on the device."""
        import torch

        if self._smoothed is not None:
            features = self._smoothed.of(features)
        return self.scaler.tensor(torch.tensor(features, device=self.device))

    def forget(self) -> None:
        """Forget the training rows, which no new row needs."""
        if self._smoothed is not None:
            self._smoothed.drop()
        nothing = ArrayRows(np.empty((0, self.raw.dim), dtype=np.float32))
        self.raw = self._seen = nothing


def mutual_table(ids: np.ndarray) -> np.ndarray:
    """Neighbours that have each other among theirs, (n, k) int32, repeated to fill a row.

    A row without one keeps all of its neighbours.
    """
    n, k = ids.shape
    found = np.array(ids, dtype=np.int32)
    for start in range(0, n, 65_536):
        block = np.asarray(ids[start : start + 65_536])
        rows = np.arange(start, start + len(block), dtype=np.int32)
        back = np.stack([(ids[column] == rows[:, None]).any(axis=1) for column in block.T], axis=1)
        count = back.sum(axis=1)
        # Mutual ones first, in their order; then these again from the first.
        order = np.argsort(~back, axis=1, kind="stable")
        turn = np.arange(k)[None, :] % np.maximum(count, 1)[:, None]
        filled = np.take_along_axis(block, np.take_along_axis(order, turn, axis=1), axis=1)
        some = count > 0
        found[start : start + len(block)][some] = filled[some]
    return found


def _whole(rows: Rows) -> np.ndarray:
    """All rows in memory, (n, dim) float32."""
    found = np.empty((rows.n, rows.dim), dtype=np.float32)
    for start in range(0, rows.n, _BLOCK):
        stop = min(start + _BLOCK, rows.n)
        found[start:stop] = rows.block(start, stop)
    return found


def _is_half(X: Any) -> bool:
    return str(getattr(X, "dtype", "")) == "float16"


def free_bytes(device: torch.device) -> float:
    """Bytes of memory that may be taken where a device computes; infinite where nobody knows."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.mem_get_info(device)[0])
    free = available_memory()
    return float("inf") if free is None else float(free)
