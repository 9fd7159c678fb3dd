"""The rows that heads are trained on: batches of anchors and of one neighbour of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..kmeans.row_sources import Rows

#: Bytes of rows that are read ahead; as many again are in use.
_AHEAD = 128 << 20
#: Rows of a block.
_BLOCK = 8192


class TrainingRows(Protocol):
    """Rows with their neighbours.

    n: rows. dim: of scaled rows. n_neighbors: of each row, 0 where none are known. device: where
    batches come to.
    """

    n: int
    dim: int
    n_neighbors: int
    device: torch.device

    def batches(
        self, order: Tensor, drawn: Tensor | None, batch: int, first: int
    ) -> Generator[Tensor, None, None]:
        """The batches of an epoch from batch number `first` on, an incomplete last one left out.

        Args:
            order: (n,) int64 on the CPU, the anchors.
            drawn: (n,) int64 on the CPU, which of its neighbours each anchor is paired with; None
                for anchors alone.
            batch: pairs of a batch.
            first: number of the first batch that is wanted.

        Yields:
            (2 * batch, dim) scaled rows on the device, anchors first; (batch, dim) of them alone.
        """
        ...

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """All rows in their order: number of the first and (m, dim) scaled rows on the device."""
        ...


class HeldRows:
    """Rows that lie on the device, in half precision if they were given so, scaled when taken.

    Args:
        rows: (n, dim) float32 or float16 on the device.
        neighbours: (n, k) int32 or int64 on the device, the row itself excluded; or None.
        scale: from (m, dim) float32 rows, which it may overwrite, to those that heads see; None
            where `rows` are scaled already.
        dim: of scaled rows; None where it is that of `rows`.
    """

    def __init__(
        self,
        rows: Tensor,
        neighbours: Tensor | None,
        scale: Callable[[Tensor], Tensor] | None = None,
        dim: int | None = None,
    ) -> None:
        self.n, self.dim = len(rows), rows.shape[1] if dim is None else dim
        self.n_neighbors = 0 if neighbours is None else neighbours.shape[1]
        self.device = rows.device
        self._rows, self._neighbours, self._scale = rows, neighbours, scale

    def batches(
        self, order: Tensor, drawn: Tensor | None, batch: int, first: int
    ) -> Generator[Tensor, None, None]:
        """As `TrainingRows.batches`."""
        order = order.to(self.device)
        drawn = None if drawn is None else drawn.to(self.device)
        for start in range(first * batch, self.n // batch * batch, batch):
            numbers = order[start : start + batch]
            if drawn is not None:
                assert self._neighbours is not None  # or nobody would draw among them
                partners = self._neighbours[numbers, drawn[start : start + batch]]
                numbers = torch.cat([numbers, partners.long()])
            yield self._scaled(self._rows.index_select(0, numbers))

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """As `TrainingRows.blocks`."""
        for start in range(0, self.n, _BLOCK):
            yield start, self._scaled(self._rows[start : start + _BLOCK].clone())

    def _scaled(self, rows: Tensor) -> Tensor:
        rows = rows.float() if rows.dtype == torch.float16 else rows
        return rows if self._scale is None else self._scale(rows)


class StreamedRows:
    """Rows that are read from where they lie, some batches ahead of the training.

    The order is that of `HeldRows`, so the answer is the same. What several batches need is read
    at once, each row once and in the order in which it lies there.

    Args:
        rows: where they lie.
        neighbours: (n, k) whole numbers, the row itself excluded; or None.
        device: of the batches.
        scale: as `HeldRows` takes it.
        dim: likewise.
    """

    def __init__(
        self,
        rows: Rows,
        neighbours: np.ndarray | None,
        device: torch.device,
        scale: Callable[[Tensor], Tensor] | None = None,
        dim: int | None = None,
    ) -> None:
        self.n, self.dim = rows.n, rows.dim if dim is None else dim
        self.n_neighbors = 0 if neighbours is None else neighbours.shape[1]
        self.device = device
        self._rows, self._neighbours, self._scale = rows, neighbours, scale

    def batches(
        self, order: Tensor, drawn: Tensor | None, batch: int, first: int
    ) -> Generator[Tensor, None, None]:
        """As `TrainingRows.batches`."""
        anchors, chosen = order.numpy(), None if drawn is None else drawn.numpy()
        together = max(1, _AHEAD // (8 * batch * self._rows.dim)) * batch
        end = self.n // batch * batch
        parts = [
            (start, min(start + together, end)) for start in range(first * batch, end, together)
        ]

        def read(start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            own = anchors[start:stop]
            partners = own[:0]
            if chosen is not None:
                assert self._neighbours is not None  # or nobody would draw among them
                partners = self._neighbours[own, chosen[start:stop]]
            numbers, where = np.unique(np.concatenate([own, partners]), return_inverse=True)
            return self._rows.take(numbers), where[: len(own)], where[len(own) :]

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, *parts[0]) if parts else None
            for i in range(len(parts)):
                assert ahead is not None
                rows, own, partners = ahead.result()
                ahead = pool.submit(read, *parts[i + 1]) if i + 1 < len(parts) else None
                for start in range(0, len(own), batch):
                    these = slice(start, start + batch)
                    both = np.concatenate([own[these], partners[these]])
                    yield self._placed(rows[both])

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """As `TrainingRows.blocks`."""
        for start in range(0, self.n, _BLOCK):
            yield start, self._placed(self._rows.block(start, min(start + _BLOCK, self.n)))

    def _placed(self, rows: np.ndarray) -> Tensor:
        found = torch.from_numpy(rows)
        if self.device.type == "cuda":
            found = found.pin_memory().to(self.device, non_blocking=True)
        found = found.to(self.device)
        return found if self._scale is None else self._scale(found)
