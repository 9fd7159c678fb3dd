"""Matrix products of all heads at once; of half precision with sums, and results, in float32."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def multiplied(a: Tensor, b: Tensor, into: Tensor | None = None) -> Tensor:
    """a @ b of batches (H, m, k) and (H, k, n): (H, m, n), float32 of half precision.

    It is put into `into`, if that is given, unless they are in half precision.
    """
    if a.dtype not in _HALF:
        return torch.bmm(a, b) if into is None else torch.bmm(a, b, out=into)
    if a.device.type == "cuda":
        return torch.bmm(a, b, out_dtype=torch.float32)
    return torch.bmm(a.float(), b.float())


def multiplied_by_shared(x: Tensor, weights: Tensor) -> Tensor:
    """x @ w of each head's w: (rows, dim) and (H, dim, n) -> (H, rows, n), in their dtype."""
    return torch.bmm(x.expand(weights.shape[0], *x.shape), weights)


def shared_transposed(x: Tensor, b: Tensor, room: Tensor | None = None) -> Tensor:
    """x.T @ b of each head's b: (rows, dim) and (H, rows, n) -> (H, dim, n), as `multiplied`.

    It is put into `room`, if that is given.
    """
    if x.device.type == "cpu" and x.dtype in _HALF:
        x, b = x.float(), b.float()  # before x is repeated for each head
    turned = x.T.expand(b.shape[0], x.shape[1], x.shape[0])
    return multiplied(turned, b, room)
