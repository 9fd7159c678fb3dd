"""What a fit costs, and how fast this machine is: together the time it will take, roughly.

Two numbers describe a fit: the operations of its matrix products, and the numbers that all the
rest reads and writes. Two describe a machine, measured in a fraction of a second. A prediction is
meant to tell seconds from minutes from hours; within a factor of 2 it is good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Seconds each of the measurements takes at most.
_PATIENCE = 0.04
#: Rows and columns of the matrices multiplied: those of a head and of a block of distances.
_SIDE = 384
#: Numbers of the array passed through memory: more than the fastest caches hold.
_NUMBERS = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Work of a fit and of the predictions after it.

    flops: floating-point operations of matrix products, 2 for each multiplication.
    moved: numbers read or written by everything else, each time anew.
    """

    flops: float
    moved: float = 0.0

    def seconds(self, speed: Speed) -> float:
        """The time it takes at a speed."""
        return self.flops / speed.flops + self.moved / speed.moved


@dataclass(frozen=True)
class Speed:
    """flops and moved: as in `Cost`, in a second."""

    flops: float
    moved: float

    def of_threads(self, threads: int) -> Speed:
        """The speed of several threads at one fit, given that of one; they share the memory."""
        more = threads - 1
        return Speed(self.flops * (1 + 0.8 * more), self.moved * (1 + 0.5 * more))


def measure() -> Speed:
    """The speed of one thread on this machine, as busy as it is now, in about 0.1 s."""
    rng = np.random.default_rng(0)
    left, right = rng.random((2, _SIDE, _SIDE), dtype=np.float32)
    numbers, result = rng.random((2, _NUMBERS), dtype=np.float32)
    with _one_thread():
        flops = 2 * _SIDE**3 / _time(lambda: left @ right)
    moved = 3 * _NUMBERS / _time(lambda: np.multiply(numbers, result, out=result))
    return Speed(flops, moved)


def _time(action: Callable[[], Any]) -> float:
    """Seconds of one call: the median, after a first one."""
    action()
    taken: list[float] = []
    start = time.perf_counter()
    while not taken or time.perf_counter() - start < _PATIENCE:
        before = time.perf_counter()
        action()
        taken.append(time.perf_counter() - before)
    return float(np.median(taken))


def _one_thread() -> AbstractContextManager[Any]:
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError:
        return nullcontext()
    limited: AbstractContextManager[Any] = threadpool_limits(1)
    return limited
