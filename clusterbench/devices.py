"""The one rule for `--device`, and which of several processes this is, as their launcher says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cores import torch_computes
from .errors import InputError

if TYPE_CHECKING:
    import torch


_NAMES = (  # rank, size, rank on this node, size on this node
    ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
)


@dataclass(frozen=True)
class Team:
    """Processes that were started together: this one's rank among `size`, and on its node."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def team() -> Team:
    """The processes of this `torchrun` or `srun`; alone without one. InputError for nonsense."""
    for names in _NAMES:
        if all(name in os.environ for name in names[:3]):
            values = [_number(name) for name in names[:3]]
            local_size = _number(names[3]) if names[3] in os.environ else 1
            rank, size, local_rank = values
            if not rank < size:
                raise InputError(f"{names[0]} = {rank}, {names[1]} = {size}; wanted rank < size")
            return Team(rank, size, local_rank, max(1, local_size))
    return Team()


def environment_alone() -> dict[str, str]:
    """The environment without what says that there are others, for a process beside this one."""
    names = {name for row in _NAMES for name in row} | {"MASTER_ADDR", "MASTER_PORT"}
    return {name: value for name, value in os.environ.items() if name not in names}


def _number(name: str) -> int:
    text = os.environ[name]
    if not text.isdigit():
        raise InputError(f"environment variable {name} = {text!r}; wanted a whole number")
    return int(text)


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

    torch_computes()
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
