"""The layers below the last one, of all heads at once: rows to unit rows of the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .engines import layer_engine
from .products import multiplied, multiplied_by_shared, shared_transposed
from .stack import HALF, HeadStack

#: The tensors of the layers below the last one.
BODY = ("weight_1", "bias_1", "weight_2", "bias_2")


@dataclass
class Passed:
    """Rows that went through the layers, with what the way back needs.

    x: (rows, dim). kept: of the first layer (`torch_layers.activated`), None
    where there is no way back. active: (H, rows, hidden). rows:
    (H, rows, bottleneck) at unit length. length: (H, rows, 1).
    """

    x: Tensor
    kept: Tensor | None
    active: Tensor
    rows: Tensor
    length: Tensor


def forward(heads: HeadStack, x: Tensor, half: bool, keep: bool = True) -> Passed:
    """Pass rows through the layers.

    Args:
        heads: a stack of H heads. The tensors `stack.HALVED` and x may be in bfloat16 already
            if `half`; else they are cast.
        x: (rows, dim), the same rows for every head.
        half: multiply in bfloat16, with sums in float32; unit rows are float16 then.
        keep: whether there is a way back.
    """
    dtype = HALF if half else x.dtype
    layers = layer_engine(x.device, dtype)
    x = x.to(dtype)
    first, second = heads["weight_1"].to(dtype), heads["weight_2"].to(dtype)
    kept, active = layers.activated(multiplied_by_shared(x, first), heads["bias_1"], keep)
    unit_dtype = torch.float16 if half else x.dtype
    rows, length = layers.unit(torch.bmm(active, second), heads["bias_2"], unit_dtype)
    return Passed(x, kept, active, rows, length)


def backward(
    heads: HeadStack, passed: Passed, of_rows: Tensor, scale: float, room: Tensor | None = None
) -> HeadStack:
    """Gradients by the tensors of the layers.

    Args:
        heads: that the rows went through.
        passed: as `forward` made it.
        of_rows: (H, rows, bottleneck) gradient by the unit rows, divided by `scale`; may be
            overwritten.
        scale: that the gradient is multiplied by.
        room: the shape of `weight_1`, whose gradient is put there, if it is given.
    """
    assert passed.kept is not None  # they were kept for the way back
    dtype = passed.x.dtype
    layers = layer_engine(passed.x.device, dtype)
    of_second, bias_2 = layers.unit_back(of_rows, passed.rows, passed.length, scale, dtype)
    weight_2 = multiplied(passed.active.mT, of_second)
    of_active = torch.bmm(of_second, heads["weight_2"].to(dtype).mT)
    of_first, bias_1 = layers.activated_back(of_active, passed.kept, heads["bias_1"])
    weight_1 = shared_transposed(passed.x, of_first, room)
    return {"weight_1": weight_1, "bias_1": bias_1, "weight_2": weight_2, "bias_2": bias_2}
