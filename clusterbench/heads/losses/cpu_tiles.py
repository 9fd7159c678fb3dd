"""Losses over pairs on tiles of logits on the CPU: `torch_tiles` in float32, fused.

The answer does not depend on the number of threads: rows are independent, and the column sums are
those of fixed blocks of pairs, added in their order. A probability less than e^-87 of the highest
of its row counts as 0, and in gradients one less than e^-69 (1e-30).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor

from ...cores import n_cores, torch_threads
from ...kernels import pair_tiles
from .torch_tiles import TileSurvey

#: Logits that a thread takes at a time.
SHARE = 1 << 18


def survey(logits: Tensor, scale: float) -> TileSurvey:
    """What a tile of logits says before the loss; `torch_tiles.survey` for float32 on the CPU.

    Args:
        logits: (heads, 2 * pairs, n_clusters) float32, before the temperature; not written to.
        scale: 1 / temperature.
    """
    heads, rows, n_clusters = logits.shape
    pairs = rows // 2
    blocks = -(-pairs // pair_tiles.BLOCK)
    tile = _array(logits)
    lse, best = np.empty((heads, rows), np.float32), np.empty((heads, rows), np.int32)
    agreement = np.empty((heads, pairs), np.float32)
    sums = np.zeros((heads * blocks, 2, n_clusters), np.float32)

    def some(first: int, last: int) -> None:
        pair_tiles.survey_blocks(tile, np.float32(scale), first, last, lse, best, sums, agreement)

    _spread(some, heads * blocks, 2 * pair_tiles.BLOCK * n_clusters)
    of_blocks = sums.reshape(heads, blocks, 2, n_clusters)
    return TileSurvey(
        lse=torch.from_numpy(lse),
        best=torch.from_numpy(best),
        sums=torch.from_numpy(of_blocks.sum(axis=1)),
        agreement=torch.from_numpy(agreement),
    )


def pair_gradient(
    student: Tensor,
    teacher: Tensor,
    student_scale: float,
    teacher_scale: float,
    teacher_lse: Tensor,
    log_marginal: Tensor | None,
    beta: float,
    weight: Tensor | None,
    slope: Tensor | None,
) -> Tensor:
    """Losses of pairs; the student's logits become the gradient of their sum.

    `torch_tiles.pair_gradient` for float32 on the CPU; its arguments and what it returns.
    """
    heads, rows, n_clusters = student.shape
    pairs = rows // 2
    written = student.detach().contiguous()
    half = np.full(pairs, 0.5, np.float32)
    if weight is not None:
        half *= weight.detach().numpy()
    losses = np.empty((heads, rows), np.float32)
    arguments = (
        _array(written),
        _array(teacher),
        np.float32(student_scale),
        np.float32(teacher_scale),
        _array(teacher_lse),
        np.zeros((heads, n_clusters), np.float32) if log_marginal is None else _array(log_marginal),
        np.float32(beta),
        half,
        np.empty((0, 2, n_clusters), np.float32) if slope is None else _array(slope),
    )

    def some(first: int, last: int) -> None:
        pair_tiles.gradient_rows(*arguments, first, last, losses)

    _spread(some, heads * rows, n_clusters)
    if written.data_ptr() != student.data_ptr():
        student.copy_(written)
    return torch.from_numpy(losses[:, :pairs] + losses[:, pairs:])


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's own memory, where it is contiguous; kernels know one dtype only."""
    if tensor.dtype != torch.float32:
        raise TypeError(f"tiles on the CPU are float32, not {tensor.dtype}")
    result: np.ndarray = tensor.detach().contiguous().numpy()
    return result


def _spread(some: Callable[[int, int], None], n: int, size: int) -> None:
    """Do numbers [0, n), each of `size` logits, on all threads; this one is one of them."""
    at_once = max(1, SHARE // size)
    starts = iter(range(0, n, at_once))  # which hands a number to one thread only
    threads = min(torch_threads(), len(range(0, n, at_once)))

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
    return ThreadPoolExecutor(n_cores(), thread_name_prefix="tiles")
