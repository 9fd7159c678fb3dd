"""What a fit costs, and how fast this machine is: together the time it will take, roughly.

Two numbers describe a fit: the operations of its matrix products, and the numbers that all the
rest reads and writes. Two describe a machine, measured in a fraction of a second. A prediction is
meant to tell seconds from minutes from hours; within a factor of 2 it is good.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Seconds each of the measurements takes, about.
_PATIENCE = 0.1
#: Rows, dimensions and columns of the matrices multiplied: a batch through the first layer of two
#: heads. Smaller ones stay in the fastest caches, where some libraries are a third faster.
_PRODUCT = (256, 1280, 1024)
#: Numbers of each of the two arrays passed through memory: 32 MB, as the weights of such heads with
#: their gradients, moments and teachers. A large cache holds less of it than one is told.
_NUMBERS = 1 << 22


@dataclass(frozen=True)
class Cost:
    """Work of a fit and of the predictions after it.

    flops: floating-point operations of matrix products, 2 for each multiplication.
    moved: numbers read or written by everything else, each time anew.
    """

    flops: float
    moved: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.moved + other.moved)

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
    """The speed of one thread on this machine, as busy as it is now, in about 0.3 s.

    Matrix products are those of torch where it is loaded, since it does the work of most fits:
    NumPy's come from another library, measured up to a third faster. Loading torch for it takes
    longer than many a run.
    """
    rng = np.random.default_rng(0)
    rows, dim, columns = _PRODUCT
    left: Any = rng.random((rows, dim), dtype=np.float32)
    right: Any = rng.random((dim, columns), dtype=np.float32)
    numbers, result = rng.random((2, _NUMBERS), dtype=np.float32)
    if "torch" in sys.modules:
        left, right = (sys.modules["torch"].from_numpy(matrix) for matrix in (left, right))
    with _one_thread():
        flops = 2 * rows * dim * columns / _time(lambda: left @ right)
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


@contextmanager
def _one_thread() -> Iterator[None]:
    if torch := sys.modules.get("torch"):
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
        return
    try:
        from threadpoolctl import threadpool_limits  # comes with scikit-learn
    except ImportError:
        yield
        return
    with threadpool_limits(1):
        yield
