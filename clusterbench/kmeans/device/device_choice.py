"""What a shard on a device computes with, and how much of the device it may fill."""

from __future__ import annotations

import torch

from ...errors import InputError
from ..row_sources import Rows
from .device_rows import TensorRows
from .torch_kernels import DeviceKernels, TorchKernels

#: Share of what is free on a device that a shard takes where nothing else is said.
_SHARE = 0.9


def kernels(device: torch.device, dim: int, wanted: str) -> tuple[DeviceKernels, str]:
    """What computes on a device, and its name with the reason where it is second choice.

    wanted: "triton", "torch" or "auto": Triton on CUDA where it works, else torch.

    Raises InputError for another name; what Triton raises, where nothing else is wanted.
    """
    if wanted not in ("auto", "triton", "torch"):
        raise InputError(f"kernel {wanted!r} is unknown; use auto, triton or torch")
    if wanted == "torch" or (wanted == "auto" and device.type != "cuda"):
        return TorchKernels(), "torch"
    try:
        from .triton_kernels import TritonKernels

        found = TritonKernels(device, dim)
        return found, found.name
    except Exception as error:  # whatever Triton or its compiler dislikes about this machine
        if wanted == "triton":
            raise
        return TorchKernels(), f"torch; not Triton: {type(error).__name__}: {error}"


def free_bytes(device: torch.device, rows: Rows) -> float:
    """Bytes of a device that a shard may use; those of rows that lie there are its own."""
    if device.type != "cuda":
        return 1e18
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if isinstance(rows, TensorRows) and rows.tensor.device == device:
        free += rows.tensor.numel() * rows.tensor.element_size()
    return _SHARE * free
