"""Rows on a device: all of them where they fit, else a block at a time while the next is read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch

from ..row_sources import Rows
from .device_points import padded


class TensorRows:
    """Rows of a tensor, which a shard on its device uses where they lie.

    Args:
        tensor: (n, dim) float16 or float32, rows without gaps; not changed while it is used.
    """

    in_memory = True

    def __init__(self, tensor: torch.Tensor) -> None:
        self.n, self.dim = tensor.shape
        self.tensor = tensor

    def block(self, start: int, stop: int) -> np.ndarray:
        """As `Rows.block`."""
        return self.tensor[start:stop].float().cpu().numpy()

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        chosen = torch.from_numpy(np.asarray(numbers, dtype=np.int64)).to(self.tensor.device)
        return self.tensor[chosen].float().cpu().numpy()


class DeviceRows:
    """Rows as a shard on a device reads them.

    After one pass over `first_pass`, rows lie on the device, as float16 where all are float16
    numbers and as float32 otherwise, or stay where they are and come by blocks.

    Args:
        rows: where they are.
        device: where they go.
        block: rows at a time.
        room: bytes that they may take on the device.
    """

    def __init__(self, rows: Rows, device: torch.device, block: int, room: float) -> None:
        self._rows, self._device, self._block = rows, device, block
        self._room = room
        self.resident: torch.Tensor | None = None
        if isinstance(rows, TensorRows) and rows.tensor.device == device:
            self._lay(rows.tensor)

    def _lay(self, tensor: torch.Tensor) -> None:
        """Use a tensor that is there, if its rows are laid out as they are wanted."""
        if (
            tensor.dtype == torch.float16 and tensor.shape[1] % padded(1) == 0
        ) or tensor.dtype == torch.float32:
            self.resident = tensor.contiguous()

    def first_pass(self) -> Iterator[tuple[int, torch.Tensor]]:
        """As `blocks`; lays the rows down on the device on the way."""
        if self.resident is not None:
            yield from self.blocks()
            return
        n, dim = self._rows.n, self._rows.dim
        fits_half = n * padded(dim) * 2 <= self._room
        kept: torch.Tensor | None = None
        if fits_half:
            kept = torch.zeros((n, padded(dim)), dtype=torch.float16, device=self._device)
        for start, rows in self._stream():
            stop = start + len(rows)
            if kept is not None and kept.dtype == torch.float16:
                near = rows.half()
                if not bool((near.float() == rows).all()):
                    kept = self._widened(kept, start)
                else:
                    kept[start:stop, :dim] = near
            if kept is not None and kept.dtype == torch.float32:
                kept[start:stop] = rows
            yield start, rows
        self.resident = kept

    def _widened(self, kept: torch.Tensor, done: int) -> torch.Tensor | None:
        """The first rows as float32, with room for all; None where that does not fit."""
        n, dim = self._rows.n, self._rows.dim
        both = n * dim * 4 + (kept.numel() * 2 if done else 0)
        if both > self._room:
            return None
        if not done:
            del kept
            return torch.empty((n, dim), device=self._device)
        wide = torch.empty((n, dim), device=self._device)
        for a in range(0, done, self._block):
            wide[a : min(a + self._block, done)] = kept[a : min(a + self._block, done), :dim]
        return wide

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Number of the first row and rows (m, at least dim); valid until the next is asked for."""
        if self.resident is None:
            yield from self._stream()
            return
        for start in range(0, self._rows.n, self._block):
            yield start, self.resident[start : start + self._block]

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """As `Rows.take`."""
        if self.resident is None:
            return self._rows.take(numbers)
        return self.taken(numbers).cpu().numpy()

    def taken(self, numbers: np.ndarray) -> torch.Tensor:
        """The same, on the device."""
        if self.resident is None:
            return torch.from_numpy(self._rows.take(numbers)).to(self._device)
        chosen = torch.from_numpy(np.asarray(numbers, dtype=np.int64)).to(self._device)
        return self.resident[chosen][:, : self._rows.dim].float().contiguous()

    def _stream(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Blocks from the host through two buffers: one is filled while the other is used."""
        starts = list(range(0, self._rows.n, self._block))
        size = (min(self._block, self._rows.n), self._rows.dim)
        fast = self._device.type == "cuda"
        host = [torch.empty(size, pin_memory=fast) for _ in range(2)]
        there = [torch.empty(size, device=self._device) for _ in range(2)] if fast else host
        copies = torch.cuda.Stream(self._device) if fast else None
        if copies is not None:  # the buffers may be memory that is still computed with
            copies.wait_stream(torch.cuda.current_stream(self._device))
        copied = [torch.cuda.Event() for _ in range(2)] if fast else []
        used = [torch.cuda.Event() for _ in range(2)] if fast else []

        def fill(number: int) -> int:
            slot, start = number % 2, starts[number]
            stop = min(start + self._block, self._rows.n)
            if copies is None:
                host[slot].numpy()[: stop - start] = self._rows.block(start, stop)
                return stop - start
            copied[slot].synchronize()  # of two blocks ago, out of this buffer
            host[slot].numpy()[: stop - start] = self._rows.block(start, stop)
            with torch.cuda.stream(copies):
                copies.wait_event(used[slot])
                there[slot][: stop - start].copy_(host[slot][: stop - start], non_blocking=True)
                copied[slot].record(copies)
            return stop - start

        with ThreadPoolExecutor(1) as reader:
            filling: Future[int] = reader.submit(fill, 0)
            for number, start in enumerate(starts):
                rows, slot = filling.result(), number % 2
                if number + 1 < len(starts):
                    filling = reader.submit(fill, number + 1)
                if fast:
                    torch.cuda.current_stream(self._device).wait_event(copied[slot])
                yield start, there[slot][:rows]
                if fast:
                    used[slot].record(torch.cuda.current_stream(self._device))
            if fast:
                # The buffers go back to the allocator of this stream: nothing may be under way.
                torch.cuda.synchronize(self._device)
