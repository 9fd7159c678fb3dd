"""Sums over blocks of rows that come to the same bits in any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from ..cores import one_blas_thread, torch_threads
from ..kernels.compiled import with_this_clock
from .row_sources import Rows

#: Rows read at a time.
_READ = 8192


def total(rows: Rows, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What `of` makes of each block in float64, added in the order of blocks.

    rows: one or more, read once. of: of (m, dim) float64 rows; called by several threads at a time,
    each of whose products takes one thread.
    """

    def read(start: int) -> np.ndarray:
        return of(rows.block(start, min(start + _READ, rows.n)).astype(np.float64))

    threads = min(torch_threads(), -(-rows.n // _READ))
    found: np.ndarray | None = None
    with one_blas_thread(), ThreadPoolExecutor(threads, initializer=with_this_clock()) as pool:
        for starts in _batched(range(0, rows.n, _READ), threads):
            for part in pool.map(read, starts):
                found = part if found is None else found + part
    assert found is not None
    return found


def _batched(numbers: range, size: int) -> Iterator[list[int]]:
    left = iter(numbers)
    while batch := list(islice(left, size)):
        yield batch
