"""The layers below the last one, of all heads at once: rows to unit rows of the bottleneck.

While a stack is trained its first layer is kept wide, the heads side by side, as one product
then serves all of them without a copy of the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .stack import HeadStack

#: The tensors of the layers below the last one.
BODY = ("weight_1", "bias_1", "weight_2", "bias_2")


def widened(heads: HeadStack) -> HeadStack:
    """The stack with weight_1 (dim, H * hidden) and bias_1 (H * hidden,), in tensors of its own."""
    n_heads, dim, hidden = heads["weight_1"].shape
    wide = {name: tensor.detach().clone() for name, tensor in heads.items()}
    wide["weight_1"] = wide["weight_1"].permute(1, 0, 2).reshape(dim, n_heads * hidden)
    wide["bias_1"] = wide["bias_1"].reshape(-1)
    return wide


def stacked(wide: HeadStack) -> HeadStack:
    """The stack of which `widened` made this, in tensors of its own."""
    n_heads, hidden = wide["weight_2"].shape[:2]
    heads = {name: tensor.detach().clone() for name, tensor in wide.items()}
    first = heads["weight_1"].view(-1, n_heads, hidden)
    heads["weight_1"] = first.permute(1, 0, 2).contiguous()
    heads["bias_1"] = heads["bias_1"].view(n_heads, 1, hidden)
    return heads


def unit_rows(wide: HeadStack, x: Tensor, precision: str) -> Tensor:
    """Rows of the bottleneck at unit length.

    Args:
        wide: a stack as `widened` makes it.
        x: (rows, dim), the same rows for every head.
        precision: "float32", or "bf16" to multiply on tensor cores, with sums in float32.

    Returns:
        (H, rows, bottleneck), in the dtype of the weights.
    """
    n_heads, hidden = wide["weight_2"].shape[:2]
    with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bf16"):
        h = torch.addmm(wide["bias_1"], x, wide["weight_1"])
        h = functional.gelu(h).view(len(x), n_heads, hidden).transpose(0, 1)
        h = torch.baddbmm(wide["bias_2"], h, wide["weight_2"])
    return functional.normalize(h.to(wide["weight_2"].dtype), dim=2)
