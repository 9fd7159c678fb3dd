"""The losses of `torch_tiles` on a CUDA device, fused: Triton kernels that write no probabilities.

Both functions take contiguous logits in float32 or float16 with finite scales above 0, compute in
float32, and give the same bits for the same input on the same card: no sum depends on which
program is first. A logit that is NaN or plus infinity makes all that depends on its row NaN; minus
infinity is a probability of 0, as in the definitions. Elsewhere than on CUDA they run in Triton's
interpreter alone (TRITON_INTERPRET=1).

This module can be imported where there is no Triton; its functions then raise ImportError.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .torch_tiles import TileSurvey

#: Rows of up to so many columns are held in registers and read once.
_WHOLE = 4096


@dataclass(frozen=True)
class TileCut:
    """How the work of a kernel is cut.

    elements: of each view in a block, which has as many pairs as fit, at least one. columns: the
    most in a block where a row does not fit into one. pairs: those that one program goes through,
    a block after the other, and the most in a block: of many short rows, what there is one of for
    each row would fill the registers. warps: of a program with `elements` in a block; more where a
    block has more, fewer where it has fewer. stages: of loading ahead; 1 for none.
    """

    elements: int
    columns: int
    pairs: int
    warps: int
    stages: int


#: On a device. Sums over columns have a row in memory for each `pairs`: 2 / pairs of the bytes of
#: float16 logits.
_SURVEY = TileCut(elements=1024, columns=_WHOLE, pairs=32, warps=2, stages=2)
_SURVEY_BLOCKS = TileCut(elements=1024, columns=1024, pairs=8, warps=4, stages=1)
_SUMS = TileCut(elements=2048, columns=1024, pairs=64, warps=4, stages=1)
_GRADIENT = TileCut(elements=1024, columns=_WHOLE, pairs=8, warps=2, stages=2)
_GRADIENT_BLOCKS = TileCut(elements=1024, columns=1024, pairs=8, warps=4, stages=1)
#: An interpreter likes large blocks: elements of each view.
_INTERPRETED = 1 << 13


def survey(logits: Tensor, scale: float) -> TileSurvey:
    """As `torch_tiles.survey`; `best` of a row with NaN is any cluster.

    Raises:
        ValueError: logits that are not contiguous, or of another dtype.
    """
    from . import survey_kernels as kernels

    _check(logits)
    heads, rows, n_clusters = logits.shape
    pairs = rows // 2
    lse = torch.empty((heads, rows), device=logits.device)
    best = torch.empty((heads, rows), dtype=torch.int32, device=logits.device)
    agreement = torch.empty((heads, pairs), device=logits.device)
    scale *= math.log2(math.e)
    found = lse, best, agreement
    whole = n_clusters <= _WHOLE
    cut = _cut(_SURVEY if whole else _SUMS, logits)
    steps = max(1, cut.pairs // _block_pairs(cut, n_clusters))
    groups = -(-pairs // (steps * _block_pairs(cut, n_clusters)))
    sums = torch.empty((heads, groups, 2, n_clusters), device=logits.device)
    if whole:
        grid: tuple[int, ...] = (groups, heads)
        _run(kernels.survey_whole, grid, cut, logits, *found, sums, pairs, steps, scale)
    else:
        blocks = _cut(_SURVEY_BLOCKS, logits)
        grid = (-(-pairs // _block_pairs(blocks, n_clusters)), heads)
        _run(kernels.survey_blocks, grid, blocks, logits, *found, pairs, scale)
        grid = (-(-n_clusters // cut.columns), groups, heads)
        _run(kernels.column_sums, grid, cut, logits, lse, sums, pairs, steps, scale)
    return TileSurvey(lse=lse, best=best, sums=sums.sum(dim=1), agreement=agreement)


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
    """As `torch_tiles.pair_gradient`; student and teacher must not overlap in memory.

    Raises:
        ValueError: logits that are not contiguous, of another dtype, or not alike in shape.
    """
    from . import gradient_kernels as kernels

    _check(student)
    _check(teacher)
    if student.shape != teacher.shape:
        raise ValueError(f"student is {tuple(student.shape)}, teacher is {tuple(teacher.shape)}")
    heads, rows, n_clusters = student.shape
    pairs = rows // 2
    losses = torch.empty((heads, pairs), device=student.device)
    extra = [
        losses if tensor is None else tensor.to(torch.float32).contiguous()
        for tensor in (log_marginal, weight, slope)
    ]
    log2e = math.log2(math.e)
    scales = student_scale * log2e, beta * teacher_scale * log2e, beta, student_scale
    given = {
        "MARGINAL": log_marginal is not None,
        "WEIGHT": weight is not None,
        "SLOPE": slope is not None,
    }
    whole = n_clusters <= _WHOLE
    cut = _cut(_GRADIENT if whole else _GRADIENT_BLOCKS, student)
    block = _block_pairs(cut, n_clusters)
    steps = max(1, cut.pairs // block) if whole else 1
    _run(
        kernels.gradient_whole if whole else kernels.gradient_blocks,
        (-(-pairs // (steps * block)), heads),
        cut,
        student,
        teacher,
        teacher_lse.to(torch.float32).contiguous(),
        *extra,
        losses,
        pairs,
        *([steps] if whole else []),
        *scales,
        **given,
    )
    return losses


def _check(logits: Tensor) -> None:
    if logits.dtype not in (torch.float32, torch.float16):
        raise ValueError(f"logits are {logits.dtype}; use float32 or float16")
    if logits.ndim != 3 or logits.shape[1] % 2 or not logits.is_contiguous():
        shape = tuple(logits.shape)
        raise ValueError(f"logits are {shape}; use contiguous (heads, 2 * pairs, n_clusters)")


def _cut(cut: TileCut, logits: Tensor) -> TileCut:
    if logits.device.type == "cuda":
        return cut
    return TileCut(_INTERPRETED, cut.columns, cut.pairs, cut.warps, stages=1)


def _block_columns(cut: TileCut, n_clusters: int) -> int:
    return min(cut.columns, 1 << max(4, (n_clusters - 1).bit_length()))


def _block_pairs(cut: TileCut, n_clusters: int) -> int:
    most = max(1, min(cut.pairs, cut.elements // _block_columns(cut, n_clusters)))
    return 1 << (most.bit_length() - 1)  # Triton's blocks are powers of two


def _run(
    kernel: Any, grid: tuple[int, ...], cut: TileCut, logits: Tensor, *others: Any, **settings: Any
) -> None:
    """Launch on the device of the logits, which need not be the current one."""
    if 0 in grid:
        return
    n_clusters = logits.shape[2]
    columns, pairs = _block_columns(cut, n_clusters), _block_pairs(cut, n_clusters)
    warps = min(16, max(1, cut.warps * columns * pairs // cut.elements))
    gpu = logits.device.type == "cuda"
    with torch.cuda.device(logits.device) if gpu else nullcontext():
        kernel[grid](
            logits,
            *others,
            K=n_clusters,
            BLOCK_P=pairs,
            BLOCK_K=columns,
            STAGES=cut.stages,
            num_warps=warps,
            **settings,
        )
