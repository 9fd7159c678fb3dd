"""Two panels compared on the CPU: tiles of products, each pair of rows once for both of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ..cores import one_blas_thread
from ..kernels import near_lists as kernels
from ..kernels.compiled import with_this_clock
from .panels import Side

#: Rows and columns of a tile: its products and the lists of both fit a core's cache.
TILE = 512

_Task = TypeVar("_Task")


def merge(a: Side, b: Side, to_a: bool, to_b: bool, threads: int) -> None:
    """Look for neighbours of a's rows in b, and of b's rows in a.

    Args:
        a: a panel.
        b: another, or `a` itself.
        to_a: whether lists of a are filled; no list may see a panel twice.
        to_b: whether those of b are.
        threads: that compute side by side; the lists do not depend on them.
    """
    own = threading.local()

    def tile(task: tuple[int, int]) -> None:
        i, j = task
        left, right = a.unit[i * TILE : (i + 1) * TILE], b.unit[j * TILE : (j + 1) * TILE]
        if not hasattr(own, "buffer"):
            own.buffer = np.empty(TILE * TILE, dtype=np.float32)
        products = own.buffer[: len(left) * len(right)].reshape(len(left), len(right))
        np.matmul(left, right.T, out=products)
        with _Both(a, i, b, j):
            kernels.offer(
                products, a.lists, b.lists, a.panel, b.panel, i * TILE, j * TILE, to_a, to_b,
                a.error,
            )  # fmt: skip

    def settle(side: Side) -> Callable[[int], None]:
        def block(i: int) -> None:
            stop = min((i + 1) * TILE, side.n)
            kernels.settle(side.lists, side.panel, a.panel, b.panel, i * TILE, stop, side.error)

        return block

    with one_blas_thread(), ThreadPoolExecutor(threads, initializer=with_this_clock()) as pool:
        for side in (a, b):
            side.locks = {i: threading.Lock() for i in range(_n_tiles(side))}
        _each(tile, _tasks(_n_tiles(a), _n_tiles(b), a is b), pool, threads)
        for side, wanted in ((a, to_a), (b, to_b and b is not a)):
            if wanted:
                _each(settle(side), iter(range(_n_tiles(side))), pool, threads)


def _each(
    action: Callable[[_Task], None], tasks: Iterator[_Task], pool: ThreadPoolExecutor, threads: int
) -> None:
    """Do tasks on all threads; none waits in a queue, as there may be very many."""
    lock, stopped = threading.Lock(), threading.Event()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                task = next(tasks, None)
            if task is None:
                return
            action(task)

    try:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
    finally:  # after an interrupt no thread goes on
        stopped.set()


def _n_tiles(side: Side) -> int:
    return -(-side.n // TILE)


def _tasks(n_rows: int, n_columns: int, same: bool) -> Iterator[tuple[int, int]]:
    """Tiles along diagonals, so that those side by side in time share no lists.

    Neighbours of rows that are sorted by class are near the first diagonal, and raise early what
    a product has to reach.
    """
    for offset in range(n_columns):
        for i in range(n_rows):
            if not same:
                yield i, (i + offset) % n_columns
            elif i + offset < n_columns:
                yield i, i + offset


class _Both:
    """The locks of a tile's rows and columns, always taken in one order."""

    def __init__(self, a: Side, i: int, b: Side, j: int) -> None:
        self._locks = [a.locks[i]] if a is b and i == j else [a.locks[i], b.locks[j]]

    def __enter__(self) -> None:
        for lock in self._locks:
            lock.acquire()

    def __exit__(self, *_: object) -> None:
        for lock in self._locks:
            lock.release()
