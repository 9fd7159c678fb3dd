"""The one rule for `--device`: a name, and the torch device that it means on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch


def resolve_device(device: str, local_rank: int | None = None) -> torch.device:
    """The torch device for "auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" prefers a GPU.

    Args:
        device: as a user names it.
        local_rank: number of this process among those of its node; with "auto" each process takes
            the GPU of its own number. None where there is only one.

    Raises:
        InputError: an unknown device, or one that this machine does not have.
    """
    import torch

    if device == "auto":
        if not torch.cuda.is_available():
            return torch.device("cpu")
        if local_rank is None:
            return torch.device("cuda")
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N") from error
    if resolved.type == "cuda":
        if not torch.cuda.is_available():
            raise InputError(
                f"device {device!r}: this machine has no CUDA device; use --device cpu"
            )
        if (resolved.index or 0) >= torch.cuda.device_count():
            raise InputError(
                f"device {device!r}: there are {torch.cuda.device_count()} CUDA devices"
            )
    elif resolved.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {device!r}: not available here; use --device cpu")
    elif resolved.type not in ("cpu", "mps"):
        raise InputError(f"device {device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return resolved
