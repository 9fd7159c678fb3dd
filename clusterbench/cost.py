"""What a fit costs, how fast this machine is and how much memory it has.

Cost and speed are together the time that a fit will take, roughly.

Two numbers describe a fit: the operations of its matrix products, and the numbers that all the
rest reads and writes. Two describe a machine, measured in a fraction of a second. A prediction is
meant to tell seconds from minutes from hours; within a factor of 2 it is good.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError

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


_MEMINFO = Path("/proc/meminfo")
#: Limit, use and what of it is files that could be dropped, by the versions of control groups.
_GROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_memory() -> int | None:
    """Bytes that may be taken without swapping, within the limit of a container; None if unknown.

    Files in the kernel's cache count as free, as they are dropped for what needs the room.
    """
    free = [bytes_ for bytes_ in (_of_machine(), _of_container()) if bytes_ is not None]
    return min(free, default=None)


def check_memory(needed: float, what: str, instead: str, free: float | None = None) -> None:
    """Refuse what does not fit.

    Args:
        needed: bytes.
        what: what takes them, for the message.
        instead: what to do about it.
        free: bytes that may be taken; None looks at those of this machine.

    Raises:
        InputError: less is available, with both numbers.
    """
    if free is None:
        free = available_memory()
    if free is not None and needed > free:
        raise InputError(
            f"{what} takes {needed / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are "
            f"available; {instead}"
        )


def give_back_memory() -> None:
    """Give memory that was freed back to the system, where the C library keeps some (glibc).

    For the end of a phase after which much else is held: what was kept would stand beside that.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return


def _of_machine() -> int | None:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # of systems without that file all memory there is, if they tell
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_container() -> int | None:
    for folder, limit, used, cached in _GROUPS:
        try:
            free = int(Path(folder, limit).read_text()) - int(Path(folder, used).read_text())
            for line in Path(folder, "memory.stat").read_text().splitlines():
                name, _, number = line.partition(" ")
                free += int(number) if name == cached else 0
        except (OSError, ValueError):  # no such file, or "max"
            continue
        return max(free, 0)
    return None
