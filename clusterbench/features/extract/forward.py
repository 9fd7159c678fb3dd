"""The forward pass: pixels to features on a device, at a batch size that fits its memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ...errors import ClusterbenchError, InputError
from ..encoders.encoder import PRECISIONS, Encoder

#: Images of one pass in deterministic mode, where it is part of what the features are, and on a
#: CPU, where passes run side by side.
FIXED_BATCH = 32


@dataclass(frozen=True)
class Computation:
    """How the forward pass is computed.

    precision:      fp32, or bf16 / fp16 under autocast
    channels_last:  memory layout of convolutions; faster, equal up to rounding
    compile:        through torch.compile; equal up to rounding
    deterministic:  passes of FIXED_BATCH images that hold the same images whatever the batch size
                    and the number of processes, with deterministic kernels

    Without `deterministic`, features depend on the batch size, the device and these settings by
    rounding only; with it they are the same to the bit on one kind of device.
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
    """An encoder on a device.

    On a CPU a batch is cut into passes of FIXED_BATCH images, each in one thread and several side
    by side: as fast as one pass in several threads, undisturbed where other processes want a core
    too, and the same to the bit for any number of cores. Not when compiled, and not for a
    `python:` module unless its attribute `thread_safe` is true: then torch's own threads compute
    a whole batch.

    `batch_limit` is the number of images of a pass, None while unknown: it is halved each time the
    device's memory does not hold a pass.
    """

    def __init__(self, encoder: Encoder, device: torch.device, computation: Computation) -> None:
        self.encoder, self.device, self.computation = encoder, device, computation
        module = encoder.module.to(device)
        if computation.channels_last:
            module = module.to(memory_format=torch.channels_last)
        self.module: Any = torch.compile(module, dynamic=False) if computation.compile else module
        # A module of a user's own may keep something between its layers, where threads would mix.
        safe = encoder.recipe.library != "python" or getattr(encoder.module, "thread_safe", False)
        side_by_side = device.type == "cpu" and not computation.compile and safe
        self.batch_limit: int | None = (
            FIXED_BATCH if computation.deterministic or side_by_side else None
        )
        self._pad_to = FIXED_BATCH if computation.deterministic else 0
        self._pool = _one_core_each(torch.get_num_threads()) if side_by_side else None

    def start(self, pixels: torch.Tensor) -> Pending:
        """Begin with (b, size, size, 3) uint8; the result is awaited later."""
        while True:
            if self.computation.compile and not self._pad_to:
                self._pad_to = self.batch_limit or len(pixels)  # one shape, one compilation
            limit = max(1, self.batch_limit or len(pixels))
            parts = pixels.split(limit)
            if self._pool is not None:
                futures = [self._pool.submit(self._pass, part) for part in parts]
                return Pending(self, pixels, futures=futures)
            try:
                return Pending(self, pixels, torch.cat([self._pass(part) for part in parts]))
            except RuntimeError as error:
                self.shrink(error, min(limit, len(pixels)))

    def made_with(self) -> str:
        """The device's name, as it is recorded in a shard."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return self.device.type

    def shrink(self, error: RuntimeError, limit: int) -> None:
        """Halve the passes if `error` is one of memory; raise it, or what it means, if not.

        `limit` is the number of images of the passes that failed: a batch that was begun before
        another one had them halved does not halve them again.
        """
        out_of_memory = isinstance(error, torch.cuda.OutOfMemoryError)
        if not (out_of_memory or "DefaultCPUAllocator" in str(error)):
            raise error
        if self.batch_limit is not None and self.batch_limit < limit:
            return
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

    def _pass(self, part: torch.Tensor) -> torch.Tensor:
        count = len(part)
        if count < self._pad_to:
            part = torch.cat([part, part.new_zeros(self._pad_to - count, *part.shape[1:])])
        with torch.inference_mode(), self._autocast():
            images = self.encoder.normalise(part.to(self.device, non_blocking=True))
            if self.computation.channels_last:
                images = images.contiguous(memory_format=torch.channels_last)
            found: torch.Tensor = self.module(images)[:count].float()
            return found

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.computation.precision == "fp32":
            return nullcontext()
        kind = torch.bfloat16 if self.computation.precision == "bf16" else torch.float16
        return torch.autocast(self.device.type, dtype=kind)


class Pending:
    """Features (b, dim) that a device may still be computing; `result` waits for them."""

    def __init__(
        self,
        forward: Forward,
        pixels: torch.Tensor,
        features: torch.Tensor | None = None,
        futures: Sequence[Future[torch.Tensor]] = (),
    ) -> None:
        self._forward, self._pixels, self._futures = forward, pixels, futures
        self._limit = min(forward.batch_limit or len(pixels), len(pixels))
        self._features, self._done = features, None
        if features is not None and features.device.type == "cuda":
            # Into pinned memory: the copy then runs beside the next batch.
            self._features = torch.empty(features.shape, dtype=features.dtype, pin_memory=True)
            self._features.copy_(features, non_blocking=True)
            self._done = torch.cuda.Event()
            self._done.record()

    def result(self) -> np.ndarray:
        """(b, dim) float32."""
        if self._features is not None:
            if self._done is not None:
                self._done.synchronize()
            return self._features.cpu().numpy()
        try:
            return torch.cat([future.result() for future in self._futures]).numpy()
        except RuntimeError as error:
            wait(self._futures)
            self._forward.shrink(error, self._limit)
        return self._forward.start(self._pixels).result()


def _one_core_each(threads: int) -> ThreadPoolExecutor:
    # OpenMP and MKL keep their number of threads per calling thread.
    return ThreadPoolExecutor(threads, "encoder", initializer=torch.set_num_threads, initargs=(1,))


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
        yield


def _set(stack: contextlib.ExitStack, holder: Any, name: str, value: Any) -> None:
    before = getattr(holder, name)
    setattr(holder, name, value)
    stack.callback(setattr, holder, name, before)
