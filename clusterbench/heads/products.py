"""Matrix products of all heads at once; of half precision with sums, and results, in float32."""

from __future__ import annotations

import torch
from torch import Tensor


def multiplied(a: Tensor, b: Tensor) -> Tensor:
    """a @ b of batches (H, m, k) and (H, k, n): (H, m, n), float32 of half precision."""
    if a.dtype not in (torch.float16, torch.bfloat16):
        return torch.bmm(a, b)
    if a.device.type == "cuda":
        return torch.bmm(a, b, out_dtype=torch.float32)
    return torch.bmm(a.float(), b.float())


def multiplied_by_shared(x: Tensor, weights: Tensor) -> Tensor:
    """x @ w of each head's w: (rows, dim) and (H, dim, n) -> (H, rows, n), in their dtype."""
    if x.device.type != "cpu":
        return torch.bmm(x.expand(len(weights), *x.shape), weights)
    found = x.new_empty((len(weights), len(x), weights.shape[2]))
    for weight, into in zip(weights, found, strict=True):  # a batch would copy x for each head
        torch.mm(x, weight, out=into)
    return found


def shared_transposed(x: Tensor, b: Tensor) -> Tensor:
    """x.T @ b of each head's b: (rows, dim) and (H, rows, n) -> (H, dim, n), as `multiplied`."""
    if x.device.type != "cpu":
        return multiplied(x.T.expand(len(b), *x.T.shape), b)
    wide = torch.float32 if x.dtype in (torch.float16, torch.bfloat16) else x.dtype
    found = torch.empty((len(b), x.shape[1], b.shape[2]), dtype=wide)
    for each, into in zip(b, found, strict=True):
        torch.mm(x.T.to(wide), each.to(wide), out=into)
    return found
