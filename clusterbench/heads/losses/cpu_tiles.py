"""Losses over pairs on tiles of logits on the CPU: `torch_tiles` in float32, fused.

The answer does not depend on the number of threads: rows are independent, and the column sums are
those of fixed blocks of pairs, added in their order. A probability less than e^-87 of the highest
of its row counts as 0, and in gradients one less than e^-69 (1e-30).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...kernels import pair_tiles
from ..cpu_threads import array, spread
from .torch_tiles import TileSurvey


def survey(logits: Tensor, scale: float) -> TileSurvey:
    """What a tile of logits says before the loss; `torch_tiles.survey` for float32 on the CPU.

    Args:
        logits: (heads, 2 * pairs, n_clusters) float32, before the temperature; not written to.
        scale: 1 / temperature.
    """
    heads, rows, n_clusters = logits.shape
    pairs = rows // 2
    blocks = -(-pairs // pair_tiles.BLOCK)
    tile = array(logits)
    lse, best = np.empty((heads, rows), np.float32), np.empty((heads, rows), np.int32)
    agreement = np.empty((heads, pairs), np.float32)
    sums = np.zeros((heads * blocks, 2, n_clusters), np.float32)

    def some(first: int, last: int) -> None:
        pair_tiles.survey_blocks(tile, np.float32(scale), first, last, lse, best, sums, agreement)

    spread(some, heads * blocks, 2 * pair_tiles.BLOCK * n_clusters)
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
        array(written),
        array(teacher),
        np.float32(student_scale),
        np.float32(teacher_scale),
        array(teacher_lse),
        np.zeros((heads, n_clusters), np.float32) if log_marginal is None else array(log_marginal),
        np.float32(beta),
        half,
        np.empty((0, 2, n_clusters), np.float32) if slope is None else array(slope),
    )

    def some(first: int, last: int) -> None:
        pair_tiles.gradient_rows(*arguments, first, last, losses)

    spread(some, heads * rows, n_clusters)
    if written.data_ptr() != student.data_ptr():
        student.copy_(written)
    return torch.from_numpy(losses[:, :pairs] + losses[:, pairs:])
