"""The probe's arithmetic: softmax, products and a step size that are the same on every device.

Sums are over integers that a float64 holds, so their order is free. Everything else is single
additions, multiplications, divisions and roundings of IEEE 754, one torch operation each, so that
no compiler can fuse two of them; no function of a mathematical library is called, whose last bit
may differ between libraries.
"""

from __future__ import annotations

import math

import torch

from .unit_integers import NORM

WEIGHT_BITS = 22
"""Weights are rounded to multiples of 2^-22 before a product."""
MAX_WEIGHT = 1 << 10
"""And clipped to this. A partial sum of a logit is then at most |x| |w| <= 2^12 * 2^32 *
sqrt(36,864) < 2^52 (Cauchy-Schwarz), an integer that float64 holds."""
PROBABILITY_BITS = 20
"""Probabilities are rounded to multiples of 2^-20, so that a partial sum of the gradient is at
most n * 2^12 * 2^20."""
MAX_ROWS = 1 << (53 - 12 - PROBABILITY_BITS)
"""Rows up to which that is an integer below 2^53."""

_EXP_BITS = 30  # numerators are integers up to 2^30, so 2^23 classes have an exact sum
_LOWEST = -31.0  # below, 2^x is no numerator any more
_LOG2_E = 1.4426950408889634
# 2^f on [-1/2, 1/2], Chebyshev interpolation; the relative error is below 2e-7.
_EXP2 = (0.00133909, 0.00967603, 0.05550357, 0.24022107, 0.69314719, 1.0)
_EIGENVALUE_BITS = 18
_SQUARINGS = 5


def grid_weights(weights: torch.Tensor) -> torch.Tensor:
    """Weights (float64) as integers: multiples of 2^-22, clipped to +-1024."""
    grid = torch.round(weights * float(1 << WEIGHT_BITS))
    limit = float(MAX_WEIGHT << WEIGHT_BITS)
    return grid.clamp_(-limit, limit)


def grid_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Softmax of each row, (b, K) float32 of integers: multiples of 2^-20.

    logits: (b, K) float64 of integers, `unit_integers @ grid_weights.T`; overwritten. In float32
    once the largest logit is taken off.
    """
    scaled = logits.mul_(_LOG2_E / (NORM << WEIGHT_BITS))
    scaled.sub_(scaled.amax(dim=1, keepdim=True))
    exponent = scaled.clamp_(min=_LOWEST).to(torch.float32)
    whole = torch.round(exponent)
    fraction = exponent.sub_(whole)
    power = fraction * _EXP2[0]
    for coefficient in _EXP2[1:-1]:
        power.add_(coefficient).mul_(fraction)
    power.add_(_EXP2[-1])
    # 2^(whole + 30) is built from its bits: a library's power function need not be exact.
    bits = whole.to(torch.int32).add_(127 + _EXP_BITS).bitwise_left_shift_(23)
    parts = power.mul_(bits.view(torch.float32)).round_()
    share = float(1 << PROBABILITY_BITS) / parts.sum(dim=1, keepdim=True, dtype=torch.float64)
    return parts.mul_(share.to(torch.float32)).round_()


def largest_eigenvalue_bound(gram: torch.Tensor, squarings: int = _SQUARINGS) -> float:
    """An upper bound of the largest absolute eigenvalue of a symmetric matrix.

    gram: (dim, dim) float64. The largest absolute row sum is a bound, but one of up to sqrt(dim)
    times too much. The eigenvalues of G^2 are squares, so the root of its bound is a better one,
    and so on: five squarings leave at most dim^(1/64). Each power is rounded to 18 bits, and what
    the rounding can take from the eigenvalue is added.
    """
    dim = len(gram)
    largest = float(gram.abs().max()) if dim else 0.0
    if largest == 0:
        return 0.0
    scale = math.ldexp(1.0, math.frexp(largest)[1] - _EIGENVALUE_BITS)
    rounded = torch.round(gram / scale)
    if squarings:
        bound = math.sqrt(largest_eigenvalue_bound(rounded @ rounded, squarings - 1))
    else:
        bound = float(rounded.abs().sum(dim=1).max())
    return scale * (bound * (1 + 1e-12) + 0.5 * dim)
