"""Work of kernels on the CPU, spread over threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ..cores import n_cores, torch_threads

#: Numbers that a thread takes at a time.
SHARE = 1 << 18
#: Up to so many numbers, waking another thread takes longer than it saves.
ALONE = 1 << 19


def array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, where it is contiguous; kernels know one dtype only."""
    if tensor.dtype != torch.float32:
        raise TypeError(f"kernels of heads on the CPU take float32, not {tensor.dtype}")
    if tensor.requires_grad:
        tensor = tensor.detach()
    result: np.ndarray = tensor.contiguous().numpy()
    return result


def spread(some: Callable[[int, int], None], n: int, size: int) -> None:
    """Do parts [0, n), each of `size` numbers, on all threads; this one is one of them.

    Args:
        some: does the parts [first, last); the answer must not depend on how they are cut.
        n: parts.
        size: numbers of a part.
    """
    at_once = max(1, SHARE // size)
    threads = 1 if n * size <= ALONE else min(torch_threads(), -(-n // at_once))
    if threads == 1:
        some(0, n)
        return
    starts = iter(range(0, n, at_once))  # which hands a number to one thread only

    def work() -> None:
        for start in starts:
            some(start, min(start + at_once, n))

    others = [_pool(os.getpid()).submit(work) for _ in range(threads - 1)]
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():
                other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of a process: a fork has none of its parent's."""
    return ThreadPoolExecutor(n_cores(), thread_name_prefix="heads")
