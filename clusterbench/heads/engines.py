"""What computes the losses and what lies between the products, by device: the fastest there is."""

from __future__ import annotations

import warnings
from functools import cache
from types import ModuleType

import torch


@cache
def tile_engine(device: torch.device, dtype: torch.dtype) -> ModuleType:
    """The module with `survey` and `pair_gradient` for logits of a dtype on a device.

    All follow the definitions in `torch_tiles`.
    """
    from .losses import torch_tiles

    if device.type == "cpu" and dtype == torch.float32:
        from .losses import cpu_tiles

        return cpu_tiles
    if device.type == "cuda" and dtype in (torch.float32, torch.float16) and _triton(device):
        from .losses import triton_tiles

        return triton_tiles
    return torch_tiles


@cache
def layer_engine(device: torch.device, dtype: torch.dtype) -> ModuleType:
    """The module with the functions of `torch_layers`, which has their definitions.

    Args:
        device: of the tensors.
        dtype: of what the products are made of.
    """
    from .layers import torch_layers

    if device.type == "cpu" and dtype == torch.float32:
        from .layers import cpu_layers

        return cpu_layers
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16) and _triton(device):
        from .layers import triton_layers

        return triton_layers
    return torch_layers


@cache
def adamw_engine(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    """The module that moves a tensor and all that goes with it in one kernel (`triton_adamw`).

    Args:
        device: of the tensors.
        dtype: of the tensors that move.

    Returns:
        None where there is none.
    """
    if device.type == "cuda" and dtype == torch.float32 and _triton(device):
        from . import triton_adamw

        return triton_adamw
    return None


@cache
def _triton(device: torch.device) -> bool:
    """Whether Triton's kernels compile and run on a device."""
    try:
        from . import triton_adamw
        from .layers import triton_layers
        from .losses import triton_tiles

        two = torch.zeros((1, 2, 2), device=device)
        lse = triton_tiles.survey(two, 1.0).lse
        triton_tiles.pair_gradient(two, two.clone(), 1.0, 1.0, lse, None, 1.0, None, None)
        triton_layers.activated(two.bfloat16(), two[:, :1])
        g, p, m, v, q = torch.ones((5, 4), device=device)
        halves = p.bfloat16(), q.bfloat16()
        triton_adamw.adamw_and_follow(g, p, m, v, q, halves, *[0.5] * 8)
    except Exception as error:  # whatever Triton or its compiler dislikes about this machine
        warnings.warn(
            f"Triton cannot be used ({type(error).__name__}: {error}): heads are trained by "
            "torch's own operations, several times slower",
            stacklevel=2,
        )
        return False
    return True
