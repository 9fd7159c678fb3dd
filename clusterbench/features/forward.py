"""The forward pass: pixels to features on a device, at a batch size that fits its memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ..errors import ClusterbenchError, InputError
from .encoder import PRECISIONS, Encoder

#: Images of one forward pass in deterministic mode: part of what its features are.
FIXED_BATCH = 32


@dataclass(frozen=True)
class Computation:
    """How the forward pass is computed.

    precision:      fp32, or bf16 / fp16 under autocast
    channels_last:  memory layout of convolutions; faster, equal up to rounding
    compile:        through torch.compile; equal up to rounding
    deterministic:  passes of FIXED_BATCH images that hold the same images whatever the batch size
                    and the number of processes, with deterministic kernels; on a CPU in one thread

    Without `deterministic`, features depend on the batch size, the device and these settings in
    the last bits only; with it they are the same to the bit on one kind of device.
    """

    precision: str = "fp32"
    channels_last: bool = False
    compile: bool = False
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r}; wanted one of {', '.join(PRECISIONS)}")

    def identity(self) -> dict[str, Any]:
        """What of it belongs to a store's identity, beside the precision."""
        if not self.deterministic:
            return {}
        settings = asdict(self)
        del settings["precision"]
        return {"computation": settings | {"fixed_batch": FIXED_BATCH}}


class Forward:
    """An encoder on a device. `batch_limit` is the number of images of a pass, None while
    unknown: it is halved each time the device's memory does not hold a pass."""

    def __init__(self, encoder: Encoder, device: torch.device, computation: Computation) -> None:
        self.encoder, self.device, self.computation = encoder, device, computation
        module = encoder.module.to(device)
        if computation.channels_last:
            module = module.to(memory_format=torch.channels_last)
        self.module: Any = torch.compile(module, dynamic=False) if computation.compile else module
        self.batch_limit: int | None = FIXED_BATCH if computation.deterministic else None
        self._pad_to = FIXED_BATCH if computation.deterministic else 0

    def start(self, pixels: torch.Tensor) -> Pending:
        """Begin with (b, size, size, 3) uint8; on a GPU the result is awaited later."""
        while True:
            try:
                with torch.inference_mode(), self._autocast():
                    return Pending(self._passes(pixels))
            except (torch.cuda.OutOfMemoryError, RuntimeError) as error:
                self._shrink(error, len(pixels))

    def made_with(self) -> str:
        """The device's name, as it is recorded in a shard."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return self.device.type

    def _passes(self, pixels: torch.Tensor) -> torch.Tensor:
        limit = self.batch_limit or len(pixels)
        if self.computation.compile and not self._pad_to:
            self._pad_to = limit  # one shape, one compilation
        parts = []
        for start in range(0, len(pixels), max(1, limit)):
            part = pixels[start : start + limit]
            count = len(part)
            if count < self._pad_to:
                part = torch.cat([part, part.new_zeros(self._pad_to - count, *part.shape[1:])])
            images = self.encoder.normalise(part.to(self.device, non_blocking=True))
            if self.computation.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            parts.append(self.module(images)[:count].float())
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _shrink(self, error: RuntimeError, images: int) -> None:
        out_of_memory = isinstance(error, torch.cuda.OutOfMemoryError)
        if not (out_of_memory or "DefaultCPUAllocator" in str(error)):
            raise error
        limit = min(images, self.batch_limit or images)
        if limit <= 1 or self.computation.deterministic:
            advice = "use another device"
            if self.computation.deterministic:
                advice += f", or leave out --deterministic, whose passes hold {FIXED_BATCH} images"
            raise ClusterbenchError(
                f"out of memory on {self.device} with {limit} images at a time; {advice} "
                "(finished shards are kept)"
            ) from error
        self.batch_limit = limit // 2
        if self._pad_to:
            self._pad_to = self.batch_limit
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.computation.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.computation.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)


class Pending:
    """Features (b, dim) that a device may still be computing; `result` waits for them."""

    def __init__(self, features: torch.Tensor) -> None:
        self._done: Any = None
        if features.device.type != "cuda":
            self._features = features
            return
        # Into pinned memory: the copy then runs beside the next batch.
        self._features = torch.empty(features.shape, dtype=features.dtype, pin_memory=True)
        self._features.copy_(features, non_blocking=True)
        self._done = torch.cuda.Event()
        self._done.record()

    def result(self) -> np.ndarray:
        """(b, dim) float32."""
        if self._done is not None:
            self._done.synchronize()
        return self._features.cpu().numpy()


@contextmanager
def computing(computation: Computation) -> Iterator[None]:
    """torch's global switches as a computation wants them, and as they were afterwards.

    fp32 means fp32: without this, convolutions on a GPU round their inputs to TF32.
    """
    with contextlib.ExitStack() as stack:
        cudnn = torch.backends.cudnn
        _set(stack, cudnn, "allow_tf32", computation.precision != "fp32")
        if computation.deterministic:
            _set(stack, cudnn, "benchmark", False)
            _set(stack, cudnn, "deterministic", True)
            before = torch.are_deterministic_algorithms_enabled()
            torch.use_deterministic_algorithms(True, warn_only=True)
            stack.callback(torch.use_deterministic_algorithms, before)
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            stack.callback(torch.set_num_threads, threads)
        yield


def _set(stack: contextlib.ExitStack, holder: Any, name: str, value: Any) -> None:
    before = getattr(holder, name)
    setattr(holder, name, value)
    stack.callback(setattr, holder, name, before)
