"""The layers below the last one, of all heads at once: rows to unit rows of the bottleneck."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .engines import layer_engine
from .layers.torch_layers import SHORTEST
from .products import multiplied, multiplied_by_shared, shared_transposed
from .stack import HALF, HeadStack, depth_of


@dataclass
class Passed:
    """Rows that went through the layers, with what the way back needs.

    x: (rows, dim). kept: of each layer but the last of them (`torch_layers.activated`), None where
    there is no way back. active: (H, rows, hidden) activations of these. rows: (H, rows,
    bottleneck) at unit length. length: (H, rows, 1), None where there are no layers.
    """

    x: Tensor
    kept: list[Tensor | None]
    active: list[Tensor]
    rows: Tensor
    length: Tensor | None


def forward(heads: HeadStack, x: Tensor, half: bool, keep: bool = True) -> Passed:
    """Pass rows through the layers.

    Args:
        heads: a stack of H heads with a cosine. The tensors that `stack.is_halved` names and x may
            be in bfloat16 already if `half`; else they are cast.
        x: (rows, dim), the same rows for every head.
        half: multiply in bfloat16, with sums in float32; unit rows are float16 then.
        keep: whether there is a way back.
    """
    dtype = HALF if half else x.dtype
    layers = layer_engine(x.device, dtype)
    unit_dtype = torch.float16 if half else x.dtype
    depth = depth_of(heads)
    if not depth:
        unit = functional.normalize(x.to(heads["gain"].dtype), dim=1, eps=SHORTEST).to(unit_dtype)
        return Passed(x, [], [], unit.expand(len(heads["gain"]), *x.shape), None)
    x = x.to(dtype)
    passed = Passed(x, [], [], x, None)
    product = multiplied_by_shared(x, heads["weight_1"].to(dtype))
    for i in range(1, depth):
        kept, active = layers.activated(product, heads[f"bias_{i}"], keep)
        passed.kept.append(kept)
        passed.active.append(active)
        product = torch.bmm(active, heads[f"weight_{i + 1}"].to(dtype))
    passed.rows, passed.length = layers.unit(product, heads[f"bias_{depth}"], unit_dtype)
    return passed


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
    if passed.length is None:
        return {}
    dtype, found = passed.x.dtype, {}
    layers = layer_engine(passed.x.device, dtype)
    depth = len(passed.active) + 1
    of_product, bias = layers.unit_back(of_rows, passed.rows, passed.length, scale, dtype)
    for i in range(depth, 1, -1):
        kept = passed.kept[i - 2]
        assert kept is not None  # it was kept for the way back
        found[f"bias_{i}"] = bias
        found[f"weight_{i}"] = multiplied(passed.active[i - 2].mT, of_product)
        of_active = torch.bmm(of_product, heads[f"weight_{i}"].to(dtype).mT)
        of_product, bias = layers.activated_back(of_active, kept, heads[f"bias_{i - 1}"])
    return {"weight_1": shared_transposed(passed.x, of_product, room), "bias_1": bias, **found}
