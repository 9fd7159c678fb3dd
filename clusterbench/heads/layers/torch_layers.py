"""What lies between the matrix products of a head, forward and backward: the definitions in torch.

Heads come first in every tensor: H heads, R rows. Gradients are written down, not recorded. Where
products are in half precision, values between them are, and everything is computed in float32.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: Below it a length counts as this: a row of zeros stays zeros.
SHORTEST = 1e-12


def activated(product: Tensor, bias: Tensor, keep: bool = True) -> tuple[Tensor | None, Tensor]:
    """GELU of product + bias.

    Args:
        product: (H, R, width), which may be overwritten.
        bias: (H, 1, width).
        keep: whether there is a way back.

    Returns:
        What `activated_back` wants of it, or None; and the activations in the dtype of `product`.
    """
    before = product.add_(bias)
    return before if keep else None, functional.gelu(before)


def activated_back(of_active: Tensor, kept: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients by the product and by the bias.

    Args:
        of_active: (H, R, width) gradient by the activations; may be overwritten.
        kept: what `activated` returned first.
        bias: as there.

    Returns:
        (H, R, width) in the dtype of `of_active`, and (H, 1, width) in that of the bias.
    """
    of_product = torch.ops.aten.gelu_backward(of_active, kept)
    return of_product, of_product.sum(dim=1, keepdim=True, dtype=bias.dtype)


def unit(product: Tensor, bias: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """product + bias at unit length.

    Args:
        product: (H, R, width), which may be overwritten.
        bias: (H, 1, width).
        dtype: of the unit rows.

    Returns:
        (H, R, width) unit rows, and (H, R, 1) lengths in the dtype of the bias.
    """
    rows = product.to(bias.dtype).add_(bias)
    length = rows.norm(dim=2, keepdim=True).clamp_min_(SHORTEST)
    return rows.div_(length).to(dtype), length


def unit_back(
    of_unit: Tensor, rows: Tensor, length: Tensor, scale: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Gradients by the product and by the bias: along a row its unit row does not move.

    Args:
        of_unit: (H, R, width) gradient by the unit rows, divided by `scale`; may be overwritten.
        rows: the unit rows.
        length: (H, R, 1).
        scale: that the gradient is multiplied by.
        dtype: of the gradient by the product.

    Returns:
        (H, R, width), and (H, 1, width) in the dtype of the length.
    """
    z = rows.to(length.dtype)
    along = (of_unit * z).sum(dim=2, keepdim=True)
    of_product = of_unit.sub_(z * along).mul_(scale / length)
    return of_product.to(dtype), of_product.sum(dim=1, keepdim=True)


def last_weight(
    direction: Tensor, gain: Tensor, dtype: torch.dtype, into: Tensor | None = None
) -> Tensor:
    """The weight of the last layer: unit columns times the gain.

    Args:
        direction: (H, bottleneck, n_clusters).
        gain: (H, 1, n_clusters).
        dtype: of the weight.
        into: where it may be put.
    """
    del into
    return (functional.normalize(direction, dim=1, eps=SHORTEST) * gain).to(dtype)


def last_weight_back(
    of_weight: Tensor, direction: Tensor, gain: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Gradients by direction and gain: along a column its unit column does not move.

    Args:
        of_weight: (H, bottleneck, n_clusters) gradient by the weight, divided by `scale`; may be
            overwritten.
        direction: as of `last_weight`.
        gain: likewise.
        scale: that the gradient is multiplied by.

    Returns:
        In the shapes and dtype of direction and gain.
    """
    length = direction.norm(dim=1, keepdim=True).clamp_min_(SHORTEST)
    column = direction / length
    along = (column * of_weight).sum(dim=1, keepdim=True)
    of_direction = of_weight.sub_(column.mul_(along)).mul_(gain * (scale / length))
    return of_direction, along * scale
