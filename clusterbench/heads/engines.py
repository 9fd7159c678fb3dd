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
        from .updates import triton_adamw

        return triton_adamw
    return None


@cache
def _triton(device: torch.device) -> bool:
    """Whether Triton's kernels compile on a device, run, and say what the definitions say."""
    try:
        from .kernel_check import unlike

        reason = unlike(device)
    except Exception as error:  # whatever Triton or its compiler dislikes about this machine
        reason = f"{type(error).__name__}: {error}"
    if reason:
        warnings.warn(
            f"Triton cannot be used ({reason}): heads are trained by torch's own operations, "
            "several times slower",
            stacklevel=2,
        )
    return not reason
