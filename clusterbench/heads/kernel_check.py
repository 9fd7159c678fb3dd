"""Triton's kernels beside their definitions, on small numbers, before they are first used.

Compilers differ by card and version, and one that translates a kernel wrongly says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from .layers import torch_layers, triton_layers
from .losses import torch_tiles, triton_tiles

#: Of half precision, on numbers around 1; sums of float32 are far closer.
_TOLERANCE = 0.02
_HEADS, _ROWS, _WIDTH, _CLUSTERS = 2, 12, 24, 37

#: By the name of a kernel: what it says, and what its definition says.
Both = dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]


def unlike(device: torch.device) -> str:
    """The first kernel that says something else than its definition; empty where none does."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    found = {**_tiles(drawn), **_layers(drawn), **_moves(drawn)}
    for name, (fused, plain) in found.items():
        for ours, theirs in zip(fused, plain, strict=True):
            ours, theirs = ours.float(), theirs.float()
            if not torch.allclose(ours, theirs, rtol=_TOLERANCE, atol=_TOLERANCE):
                apart = float((ours - theirs).abs().max())
                return f"{name} is {apart:.2g} from its definition"
    return ""


def _tiles(drawn: Callable[..., Tensor]) -> Both:
    student, teacher = (drawn(_HEADS, _ROWS, _CLUSTERS).half() for _ in range(2))
    marginal = drawn(_HEADS, _CLUSTERS).log_softmax(dim=1)
    weight, slope = drawn(_ROWS // 2).abs(), drawn(_HEADS, 2, _CLUSTERS)

    def said(module: ModuleType) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        seen = module.survey(teacher, 2.0)
        gradient = student.clone()
        losses = module.pair_gradient(
            gradient, teacher, 2.0, 2.0, seen.lse, marginal, 0.6, weight, slope
        )
        return (seen.lse, seen.sums, seen.agreement), (losses, gradient)

    fused, plain = said(triton_tiles), said(torch_tiles)
    return {"survey": (fused[0], plain[0]), "pair_gradient": (fused[1], plain[1])}


def _layers(drawn: Callable[..., Tensor]) -> Both:
    product, of_active = (drawn(_HEADS, _ROWS, _WIDTH).bfloat16() for _ in range(2))
    of_unit, bias = drawn(_HEADS, _ROWS, _WIDTH), drawn(_HEADS, 1, _WIDTH)
    direction, gain = drawn(_HEADS, _WIDTH, _CLUSTERS), drawn(_HEADS, 1, _CLUSTERS)
    of_weight = drawn(_HEADS, _WIDTH, _CLUSTERS)

    def said(layers: ModuleType) -> list[tuple[Tensor, ...]]:
        kept, active = layers.activated(product.clone(), bias)
        back = layers.activated_back(of_active.clone(), kept, bias)
        rows, length = layers.unit(product.clone(), bias, torch.float16)
        unit_back = layers.unit_back(of_unit.clone(), rows, length, 0.5, torch.bfloat16)
        weight = layers.last_weight(direction, gain, torch.float16)
        weight_back = layers.last_weight_back(of_weight.clone(), direction, gain, 0.5)
        return [(active,), back, (rows, length), unit_back, (weight,), weight_back]

    names = "activated", "activated_back", "unit", "unit_back", "last_weight", "last_weight_back"
    pairs = zip(names, said(triton_layers), said(torch_layers), strict=True)
    return {name: (fused, plain) for name, fused, plain in pairs}


def _moves(drawn: Callable[..., Tensor]) -> Both:
    from .updates import triton_adamw

    gradient, p, teacher = (drawn(1000) for _ in range(3))
    m, v = drawn(1000), drawn(1000).abs()
    keep, less_1, beta_2, less_2, root, eps, rate, toward = 0.99, 0.1, 0.9, 0.1, 0.8, 1e-8, 0.3, 0.2
    own, own_m, own_v, own_teacher = (t.clone() for t in (p, m, v, teacher))
    halves = own.bfloat16(), own_teacher.bfloat16()
    triton_adamw.adamw_and_follow(
        gradient, own, own_m, own_v, own_teacher, halves, keep, less_1, beta_2, less_2, root, eps,
        rate, toward,
    )  # fmt: skip
    m = m + less_1 * (gradient - m)
    v = beta_2 * v + less_2 * gradient**2
    p = keep * p - rate * m / (v.sqrt() / root + eps)
    teacher = teacher + toward * (p - teacher)
    return {
        "adamw_and_follow": (
            (own, own_m, own_v, own_teacher, *halves),
            (p, m, v, teacher, p, teacher),
        )
    }
