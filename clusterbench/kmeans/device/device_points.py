"""Centroids and rows on a device, ready to be multiplied, and how far the products may be off.

A product on tensor cores takes numbers of float16 and adds in float32. So rows and centroids are
brought to lengths that float16 holds by powers of two, which changes no digit, and rounded. What
the score |c|^2 / 2 - x.c of such a product may be off by is bounded, with x' and c' for what was
multiplied:

    |x.c - x'.c'| <= |x - x'| |c| + |x'| |c - c'|          (Cauchy-Schwarz)

whose lengths are measured, not estimated, and adding adds at most a |x'| |c'|. For float32 sums in
whatever order a = gamma_n (see `certified`). Tensor cores cut off instead of rounding: they align
the products of a few steps with the sum so far at the largest exponent and drop what is below its
24th bit (Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior of NVIDIA tensor cores"). No
product and no part of a sum is above |x'| |c'|, so a step of b products loses at most
(b + 1) 2^-23 |x'| |c'|, with b >= 4 on all of them, and all steps less than n 2^-22.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

#: Unit roundoff of float32; its smallest number with all digits, below which a device may see 0.
_U, _TINY = 2.0**-24, 2.0**-126
#: float16 numbers are scaled so that a row is below 2^14 long, by at most so many powers of two.
_LENGTH, _MOST = 14, 60
#: float16 rows are padded with zeros to a multiple of this, so that rows begin on 32 bytes.
PADDING = 16


def padded(dim: int) -> int:
    """Numbers in a float16 row of so many dimensions."""
    return -(-dim // PADDING) * PADDING


@dataclass(frozen=True)
class Halves:
    """Rows as float16: features is rows times a power of two each, rounded.

    features: (n, padded(dim)) float16. inverse: (n,) float32, one over the power. residual: (n,)
    float64, at least |row - features * inverse|.
    """

    features: torch.Tensor
    inverse: torch.Tensor
    residual: torch.Tensor

    @classmethod
    def of(cls, rows: torch.Tensor, lengths: torch.Tensor) -> Halves:
        """rows: (n, dim) float32. lengths: (n,) float64, at least |x|^2."""
        exponent = _LENGTH - _exponent(lengths.sqrt())
        exponent = exponent.clamp(-_MOST, _MOST)
        scaled = rows * _power_of_two(exponent)[:, None]
        features = scaled.new_zeros((len(rows), padded(rows.shape[1])), dtype=torch.float16)
        near = features[:, : rows.shape[1]]
        near.copy_(scaled)
        inverse = _power_of_two(-exponent)
        # Exact in float32: the two are equal but for a factor of two, or the second is 0.
        scaled -= near
        norm = torch.linalg.vector_norm(scaled, dim=1, dtype=torch.float64)
        lost = 2.0 * rows.shape[1] * _TINY  # by numbers that the power takes below float32
        return cls(features, inverse, norm * (1.0 + 1e-9) * inverse.double() + lost)


@dataclass(frozen=True)
class DevicePoints:
    """Centroids in an order, on a device.

    features: (k, dim) float32. halves: (k, padded(dim)) float16 times `1 / inverse`, or None.
    numbers: (k,) int64, of each among all centroids. half: (k,) float32, |c|^2 / 2. longest:
    largest |c|. residual: largest |c - c'|. adding: what adding up may lose, for |x'| |c'| = 1.
    """

    features: torch.Tensor
    halves: torch.Tensor | None
    inverse: float
    numbers: torch.Tensor
    half: torch.Tensor
    longest: float
    residual: float
    adding: float

    @classmethod
    def of(
        cls, features: torch.Tensor, squared: torch.Tensor, numbers: torch.Tensor, halves: bool
    ) -> DevicePoints:
        """Those of these numbers among all.

        features: (n, dim) float32, all centroids. squared: (n,) float64, |c|^2 of all. numbers:
        (k,) int64. halves: they are multiplied as float16.
        """
        features, squared = features[numbers].contiguous(), squared[numbers]
        half = (squared / 2.0).float()
        largest = squared.max()
        longest = float(largest.sqrt()) * (1.0 + 1e-12)
        if not halves:
            gamma = _gamma(features.shape[1])
            return cls(features, None, 1.0, numbers, half, longest, 0.0, gamma)
        near = Halves.of(features, largest.expand(len(features)))
        adding = (padded(features.shape[1]) + 32) * 2.0**-22
        return cls(
            features, near.features, float(near.inverse[0]), numbers, half, longest,
            float(near.residual.max()), adding,
        )  # fmt: skip

    def in_float32(self) -> DevicePoints:
        """The same, multiplied as float32."""
        return replace(self, halves=None, residual=0.0, adding=_gamma(self.features.shape[1]))

    def errors(self, lengths: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """How far the scores of rows may be off: (n,) float64.

        It covers what `squared_distance` in float64 is off by, too: of two centroids whose scores
        are further apart than twice this, float64 has the same as the nearer one.

        lengths: (n,) float64, |x|^2. residual: (n,) float64, |x - x'|.
        """
        dim = self.features.shape[1]
        x = lengths.sqrt() * (1.0 + 1e-12)
        near = x + residual
        product = residual * self.longest + near * self.residual
        added = self.adding * near * (self.longest + self.residual)
        # |c|^2 / 2 is rounded when it is stored, a score when it is computed.
        rounded = 2.0 * _U * (self.longest**2 + near * (self.longest + self.residual))
        exact = (dim + 8) * 2.0**-51 * (x + self.longest) ** 2
        return 1.001 * (product + added + rounded) + exact + 4.0 * (dim + 32) * _TINY


def _gamma(dim: int) -> float:
    """What a float32 product of so many numbers may be off by."""
    n = dim + 2
    return n * _U / (1.0 - n * _U)


def _exponent(numbers: torch.Tensor) -> torch.Tensor:
    """Exponents e of float64 numbers >= 0, each below 2^e: int32."""
    bits = numbers.contiguous().view(torch.int64)
    return ((bits >> 52) - 1022).to(torch.int32)


def _power_of_two(exponent: torch.Tensor) -> torch.Tensor:
    """2^e as float32, of int32 exponents between -126 and 127; put together from its bits."""
    return ((exponent + 127) << 23).to(torch.int32).view(torch.float32)
