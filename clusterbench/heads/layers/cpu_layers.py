"""What lies between the matrix products of a head, on the CPU: `torch_layers` in float32, fused.

The answer does not depend on the number of threads: rows are independent, and the column sums are
those of fixed blocks of rows, added in their order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...kernels import head_layers
from ..cpu_threads import array, spread
from .torch_layers import SHORTEST

_SHORTEST = np.float32(SHORTEST)


def activated(product: Tensor, bias: Tensor, keep: bool = True) -> tuple[Tensor | None, Tensor]:
    """`torch_layers.activated` of contiguous float32: GELU within 2e-7 max(1, |x|).

    What is kept is the derivative of GELU, within 2e-7. Infinite and NaN become NaN.
    """
    product = product.contiguous()
    before, biases = array(product), array(bias)
    heads, rows, width = before.shape
    if not keep:

        def overwrite(first: int, last: int) -> None:
            head_layers.gelu_rows(before, biases, first, last)

        spread(overwrite, heads * rows, width)
        return None, product
    active = torch.empty_like(product)
    into = active.numpy()

    def both(first: int, last: int) -> None:
        head_layers.gelu_and_slope_rows(before, biases, into, first, last)

    spread(both, heads * rows, width)
    return product, active


def activated_back(of_active: Tensor, kept: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """`torch_layers.activated_back` of what `activated` kept here."""
    of_active = of_active.contiguous()
    gradient, slope = array(of_active), array(kept)
    heads, blocks, width = _blocks(gradient)
    sums = np.zeros((heads * blocks, width), np.float32)

    def some(first: int, last: int) -> None:
        head_layers.multiply_blocks(gradient, slope, first, last, sums)

    spread(some, heads * blocks, head_layers.BLOCK * width)
    return of_active, _of_heads(sums, heads)


def unit(product: Tensor, bias: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`torch_layers.unit` of contiguous float32."""
    product = product.contiguous()
    rows, biases = array(product), array(bias)
    heads, n, width = rows.shape
    length = np.empty((heads, n, 1), np.float32)

    def some(first: int, last: int) -> None:
        head_layers.unit_rows(rows, biases, _SHORTEST, first, last, length)

    spread(some, heads * n, width)
    return product.to(dtype), torch.from_numpy(length)


def unit_back(
    of_unit: Tensor, rows: Tensor, length: Tensor, scale: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """`torch_layers.unit_back` of contiguous float32."""
    of_unit = of_unit.contiguous()
    gradient, units, lengths = array(of_unit), array(rows), array(length)
    heads, blocks, width = _blocks(gradient)
    sums = np.zeros((heads * blocks, width), np.float32)
    factor = np.float32(scale)

    def some(first: int, last: int) -> None:
        head_layers.unit_back_blocks(gradient, units, lengths, factor, first, last, sums)

    spread(some, heads * blocks, head_layers.BLOCK * width)
    return of_unit.to(dtype), _of_heads(sums, heads)


def last_weight(
    direction: Tensor, gain: Tensor, dtype: torch.dtype, into: Tensor | None = None
) -> Tensor:
    """`torch_layers.last_weight` of contiguous float32."""
    directions, gains = array(direction), array(gain)
    weight = torch.empty(direction.shape, dtype=torch.float32) if into is None else into
    weights = array(weight)

    def some(first: int, last: int) -> None:
        head_layers.weight_columns(directions, gains, _SHORTEST, first, last, weights)

    _spread_columns(some, directions)
    return weight.to(dtype)


def last_weight_back(
    of_weight: Tensor, direction: Tensor, gain: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """`torch_layers.last_weight_back` of contiguous float32."""
    of_weight = of_weight.contiguous()
    gradient, directions, gains = array(of_weight), array(direction), array(gain)
    of_gain = torch.empty(gain.shape, dtype=torch.float32)
    into, factor = of_gain.numpy(), np.float32(scale)

    def some(first: int, last: int) -> None:
        head_layers.weight_back_columns(
            gradient, directions, gains, _SHORTEST, factor, first, last, into
        )

    _spread_columns(some, directions)
    return of_weight, of_gain


def _blocks(rows: np.ndarray) -> tuple[int, int, int]:
    """Heads, blocks of rows of a head, and the width."""
    heads, n, width = rows.shape
    return heads, -(-n // head_layers.BLOCK), width


def _of_heads(sums: np.ndarray, heads: int) -> Tensor:
    """(heads, 1, width) of the sums of blocks."""
    found: np.ndarray = sums.reshape(heads, -1, sums.shape[1]).sum(axis=1, keepdims=True)
    return torch.from_numpy(found)


def _spread_columns(some: Callable[[int, int], None], directions: np.ndarray) -> None:
    heads, depth, k = directions.shape
    blocks = -(-k // head_layers.COLUMNS)
    spread(some, heads * blocks, depth * min(k, head_layers.COLUMNS))
