"""The functions of `torch_layers` on a CUDA device in half precision, fused into Triton kernels.

They take contiguous tensors, biases, lengths, directions and gains in float32, compute in float32,
and give the same bits for the same input on the same card: no sum depends on which program is
first. Sums over rows are of gradients that are not rounded yet. Elsewhere than on CUDA they run in
Triton's interpreter alone (TRITON_INTERPRET=1).

This module can be imported where there is no Triton; its functions then raise ImportError.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerCut:
    """How the work of a kernel is cut.

    elements: of a block, which has as many rows as fit, at least one. columns: the most in a block;
    a row that has to be in one block is whatever its width. rows: those that one program goes
    through, a block after the other; 1 for a single block. warps: of a program with `elements` in
    a block; more where a block has more, fewer where it has fewer.
    """

    elements: int
    columns: int
    rows: int
    warps: int


#: On a device. Sums over rows have a row in memory for each `rows`.
_ACTIVATED = LayerCut(elements=4096, columns=1024, rows=1, warps=4)
_ACTIVATED_BACK = LayerCut(elements=2048, columns=512, rows=64, warps=4)
_UNIT = LayerCut(elements=2048, columns=0, rows=1, warps=4)
_UNIT_BACK = LayerCut(elements=2048, columns=0, rows=64, warps=4)
#: Of (bottleneck, n_clusters): the columns of a block are as many as fit beside `rows`, at most.
_WEIGHT = LayerCut(elements=8192, columns=128, rows=512, warps=8)
_WEIGHT_BACK = LayerCut(elements=8192, columns=128, rows=512, warps=8)


def activated(product: Tensor, bias: Tensor, keep: bool = True) -> tuple[Tensor | None, Tensor]:
    """As `torch_layers.activated`; what is kept is `product`, as it was.

    Raises:
        ValueError: a tensor that is not contiguous, or not of the shape or dtype that it should be.
    """
    from . import layer_kernels as kernels

    _check(product, bias)
    heads, rows, width = product.shape
    active = torch.empty_like(product)
    block = _block(_ACTIVATED, width)
    grid = (-(-rows // block[0]), -(-width // block[1]), heads)
    _run(kernels.activate, grid, _ACTIVATED, block, product, bias, active, rows, W=width)
    return product if keep else None, active


def activated_back(of_active: Tensor, kept: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """As `torch_layers.activated_back`, in place of `of_active`.

    Raises:
        ValueError: as `activated`.
    """
    from . import layer_kernels as kernels

    _check(of_active, bias, kept)
    heads, rows, width = of_active.shape
    cut, block = _ACTIVATED_BACK, _block(_ACTIVATED_BACK, width)
    steps = max(1, cut.rows // block[0])
    grid = (-(-rows // (steps * block[0])), -(-width // block[1]), heads)
    sums = bias.new_empty((heads, grid[0], width))
    _run(kernels.activate_back, grid, cut, block, of_active, kept, bias, sums, rows, steps, W=width)
    return of_active, sums.sum(dim=1, keepdim=True)


def unit(product: Tensor, bias: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """As `torch_layers.unit`.

    Raises:
        ValueError: as `activated`.
    """
    from . import layer_kernels as kernels

    _check(product, bias)
    heads, rows, width = product.shape
    found = torch.empty_like(product, dtype=dtype)
    length = bias.new_empty((heads, rows, 1))
    block = _block(_UNIT, width, whole=True)
    grid = (-(-rows // block[0]), 1, heads)
    _run(kernels.make_unit, grid, _UNIT, block, product, bias, found, length, rows, W=width)
    return found, length


def unit_back(
    of_unit: Tensor, rows: Tensor, length: Tensor, scale: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """As `torch_layers.unit_back`; `of_unit` stays as it is.

    Raises:
        ValueError: as `activated`.
    """
    from . import layer_kernels as kernels

    _check(of_unit, None, rows)
    _check(length, None)
    heads, n_rows, width = of_unit.shape
    if length.shape != (heads, n_rows, 1):
        raise ValueError(f"length is {tuple(length.shape)} of {tuple(of_unit.shape)} rows")
    found = torch.empty_like(of_unit, dtype=dtype)
    cut, block = _UNIT_BACK, _block(_UNIT_BACK, width, whole=True)
    steps = max(1, cut.rows // block[0])
    grid = (-(-n_rows // (steps * block[0])), 1, heads)
    sums = length.new_empty((heads, grid[0], width))
    _run(
        kernels.make_unit_back, grid, cut, block, of_unit, rows, length, found, sums, n_rows,
        steps, scale, W=width,
    )  # fmt: skip
    return found, sums.sum(dim=1, keepdim=True)


def last_weight(
    direction: Tensor, gain: Tensor, dtype: torch.dtype, into: Tensor | None = None
) -> Tensor:
    """As `torch_layers.last_weight`.

    Raises:
        ValueError: as `activated`.
    """
    from . import layer_kernels as kernels

    del into
    _check(direction, gain)
    found = torch.empty_like(direction, dtype=dtype)
    _run_columns(kernels.weigh, _WEIGHT, direction, direction, gain, found)
    return found


def last_weight_back(
    of_weight: Tensor, direction: Tensor, gain: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """As `torch_layers.last_weight_back`, in place of `of_weight`.

    Raises:
        ValueError: as `activated`.
    """
    from . import layer_kernels as kernels

    _check(of_weight, gain, direction)
    of_gain = torch.empty_like(gain)
    _run_columns(
        kernels.weigh_back, _WEIGHT_BACK, of_weight, of_weight, direction, gain, of_gain, scale
    )
    return of_weight, of_gain


def _check(tensor: Tensor, of_columns: Tensor | None, alike: Tensor | None = None) -> None:
    """That kernels can read a tensor, one of its shape, and a float32 one of its columns."""
    for one in (tensor, tensor if alike is None else alike):
        if one.ndim != 3 or one.shape != tensor.shape or not one.is_contiguous():
            shapes = f"{tuple(one.shape)} beside {tuple(tensor.shape)}"
            raise ValueError(f"a tensor is {shapes}; use contiguous (heads, rows, width) alike")
    if of_columns is None:
        return
    shape = (tensor.shape[0], 1, tensor.shape[2])
    of_float = of_columns.dtype == torch.float32 and of_columns.is_contiguous()
    if of_columns.shape != shape or not of_float:
        found = f"{of_columns.dtype} {tuple(of_columns.shape)}"
        raise ValueError(f"bias or gain is {found}; use contiguous float32 {shape}")


def _power(n: int) -> int:
    """The power of two that has room for n: of such numbers Triton's blocks are made."""
    return 1 << max(0, (n - 1).bit_length())


def _block(cut: LayerCut, width: int, whole: bool = False) -> tuple[int, int]:
    """(rows, columns)."""
    columns = max(16, _power(width))
    if not whole:
        columns = min(cut.columns, columns)
    return max(1, cut.elements // columns), columns


def _run_columns(kernel: Any, cut: LayerCut, like: Tensor, *others: Any) -> None:
    """A kernel whose programs have whole columns, in one block or in several."""
    heads, rows, width = like.shape
    down = max(16, min(cut.rows, _power(rows)))
    across = min(max(16, _power(width)), cut.columns, max(1, cut.elements // down))
    grid = (-(-width // across), heads)
    _run(kernel, grid, cut, (down, across), *others, B=rows, K=width, names=("BLOCK_B", "BLOCK_K"))


def _run(
    kernel: Any,
    grid: tuple[int, ...],
    cut: LayerCut,
    block: tuple[int, int],
    first: Tensor,
    *others: Any,
    names: tuple[str, str] = ("BLOCK_R", "BLOCK_W"),
    **settings: int,
) -> None:
    """Launch on the device of the first tensor, which need not be the current one."""
    if 0 in grid:
        return
    warps = min(16, max(1, cut.warps * block[0] * block[1] // cut.elements))
    settings |= dict(zip(names, block, strict=True))
    gpu = first.device.type == "cuda"
    with torch.cuda.device(first.device) if gpu else nullcontext():
        kernel[grid](first, *others, num_warps=warps, **settings)
