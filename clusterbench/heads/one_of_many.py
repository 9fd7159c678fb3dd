"""The processes that share the heads of a stack: each has some of them, and sees all pairs.

What they exchange in a step is one number a pair, TEMI's pair weight, and nothing for SCAN; by
rows instead they would exchange the gradients of all weights. The losses are those of one process
up to rounding: that of the sum, whose order is another, and on a GPU that of products of fewer
heads at a time. The same number of processes comes to the same bits.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

from ..errors import InputError
from ..kmeans.lloyd import Group
from ..kmeans.processes import shard_bounds


class OneOfMany(Protocol):
    """A process among those that share the heads.

    first: whether it is the one that writes.
    """

    first: bool

    def heads(self, n_heads: int) -> slice:
        """Those of this process."""
        ...

    def sum(self, own: Tensor) -> Tensor:
        """Sum of a tensor over all processes."""
        ...

    def gathered(self, of_heads: Tensor) -> list[float]:
        """A number of each head of this process -> of each head of all."""
        ...


class Single:
    """One process with all heads."""

    first = True

    def heads(self, n_heads: int) -> slice:
        """As `OneOfMany.heads`."""
        return slice(0, n_heads)

    def sum(self, own: Tensor) -> Tensor:
        """As `OneOfMany.sum`."""
        return own

    def gathered(self, of_heads: Tensor) -> list[float]:
        """As `OneOfMany.gathered`."""
        return [float(value) for value in of_heads.cpu()]


class Sharing:
    """A process of a group, with as many heads as the others, or one more or less.

    Args:
        group: of torch.distributed (`kmeans.processes.joined`).
    """

    def __init__(self, group: Group) -> None:
        self.first = group.rank == 0
        self._group = group

    def heads(self, n_heads: int) -> slice:
        """As `OneOfMany.heads`; InputError where a process would have none."""
        if n_heads < self._group.size:
            raise InputError(
                f"n_heads={n_heads} for {self._group.size} processes, which each need a head; "
                "start fewer processes or train more heads"
            )
        return slice(*shard_bounds(n_heads, self._group.size, self._group.rank))

    def sum(self, own: Tensor) -> Tensor:
        """As `OneOfMany.sum`, in the same order in each process."""
        return self._group.added_up(own)

    def gathered(self, of_heads: Tensor) -> list[float]:
        """As `OneOfMany.gathered`."""
        found = self._group.gather(of_heads.cpu().numpy().astype(np.float64))
        return [float(value) for value in found]
