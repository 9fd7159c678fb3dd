"""AdamW, a moving average and copies of both in half precision, of a tensor in one Triton kernel.

On a CUDA device, or in Triton's interpreter (TRITON_INTERPRET=1). The same input has the same bits
on the same card: no number depends on another.

This module can be imported where there is no Triton; its functions then raise ImportError.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

#: Numbers of a program, a power of two, and its warps: two loads of 16 bytes a thread and tensor.
_BLOCK, _WARPS = 1024, 4

#: The tensors that hold a student and its teacher rounded.
Halves = tuple[Tensor, Tensor]


def adamw_and_follow(
    gradient: Tensor,
    parameter: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    teacher: Tensor,
    halves: Halves | None,
    *numbers: float,
) -> None:
    """As `kernels.adamw.adamw_and_follow`, on contiguous float32 tensors of any one shape.

    Args:
        gradient: by the parameter.
        parameter: what is trained; overwritten.
        exp_avg: first moment; overwritten.
        exp_avg_sq: second moment; overwritten.
        teacher: moving average of the parameter; overwritten.
        halves: of this shape, in half precision: overwritten with parameter and teacher, rounded
            to the nearest. None makes no copies.
        numbers: those of that function, in its order.

    Raises:
        ValueError: a tensor is not contiguous, or not of the dtype or shape that it should be.
    """
    _run(gradient, parameter, exp_avg, exp_avg_sq, teacher, halves, numbers)


def follow(parameter: Tensor, teacher: Tensor, halves: Halves | None, toward: float) -> None:
    """The part of `adamw_and_follow` for a parameter that rests: only its teacher moves.

    Args:
        parameter: float32, contiguous.
        teacher: its moving average; overwritten.
        halves: as there.
        toward: 1 - momentum of the teacher.

    Raises:
        ValueError: as there.
    """
    _run(None, parameter, parameter, parameter, teacher, halves, (*[1.0] * 7, toward))


def _run(
    gradient: Tensor | None,
    parameter: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    teacher: Tensor,
    halves: Halves | None,
    numbers: tuple[float, ...],
) -> None:
    from .adamw_kernels import move_and_follow

    wide = (parameter if gradient is None else gradient, parameter, exp_avg, exp_avg_sq, teacher)
    for tensor in (*wide, *(halves or ())):
        _check(tensor, parameter)
    for tensor in wide:
        if tensor.dtype != torch.float32:
            raise ValueError(f"a tensor that moves is {tensor.dtype}; use float32")
    n = parameter.numel()
    if n == 0:
        return
    gpu = parameter.device.type == "cuda"
    # The device of the tensors need not be the current one.
    with torch.cuda.device(parameter.device) if gpu else nullcontext():
        move_and_follow[(-(-n // _BLOCK),)](
            *wide, *(halves or (parameter, teacher)), n, *map(float, numbers),
            MOVES=gradient is not None, HALVES=halves is not None, BLOCK=_BLOCK, num_warps=_WARPS,
        )  # fmt: skip


def _check(tensor: Tensor, like: Tensor) -> None:
    alike = tensor.shape == like.shape and tensor.device == like.device
    if not alike or not tensor.is_contiguous():
        found = f"{tuple(tensor.shape)} on {tensor.device}"
        raise ValueError(
            f"a tensor is {found}; use contiguous {tuple(like.shape)} on {like.device}"
        )
