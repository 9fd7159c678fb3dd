"""The nearest centroid by a lower bound that few dimensions give, the rest compared in float64.

Let Q be (dim, m) with orthonormal columns, y = x - mean, and f(x) = (Q'y, |y - QQ'y|): m leading
coordinates and the length of the rest. With P = I - QQ',

    |f(x) - f(c)|^2 = |Q'(x - c)|^2 + (|Py_x| - |Py_c|)^2 <= |Q'(x - c)|^2 + |P(x - c)|^2
                    = |x - c|^2,

so a distance in m + 1 dimensions is a lower bound of one in all. Where the leading directions hold
most of the variance, few centroids pass it.

What is stored is not f but g, which was rounded. How far off g is, with u = 2^-53,
gamma_n = n u / (1 - n u) as in `certified`, and B the basis as stored, |B'B - I| <= delta:

- Q is taken to be the polar factor of B, whose singular values are within delta of 1, so
  |B - Q| <= delta. The product B'y in float64 is off by at most gamma_dim |B|_F |y|. Together:
  leading coordinates are off by at most alpha |y|, with
  alpha = delta + gamma_dim sqrt(m) (1 + delta).
- The rest's square is |y|^2 - |B'y|^2, off by at most (2 gamma_dim + 2 alpha + alpha^2) |y|^2 and
  some roundings of single numbers, below 8 alpha |y|^2; its root is off by at most
  sqrt(8 alpha) |y|, since |sqrt(a) - sqrt(b)| <= sqrt|a - b|.
- y is rounded once: u |y|. Float32 rounds g: 2^-24 |g|, or 2^-149 a number where it is tiny.

So |g - f| <= e |y| + t with e = 1.01 * 2^-24 + 3 sqrt(alpha) and t = sqrt(m + 1) 2^-149; and as
|f| = |y|, |y| <= (|g| + t) / (1 - e). By the triangle inequality

    |x - c| >= |g(x) - g(c)| - off(x) - off(c).

|g(x) - g(c)|^2 / 2 is |g(x)|^2 / 2 plus the score of `certified`, in m + 1 dimensions, whose
rounding is bounded there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..kernels import ruling_out as kernels
from ..kernels.nearest import squared_lengths
from .certified import Certified, Points, at_least, tiles

#: Rows that a choice is tried on.
_TRIED = 256
#: Leading dimensions tried, as shares of all, and the most of them.
_SHARES, _MOST = (1 / 16, 1 / 8, 1 / 4), 192
#: What a pair costs in units of what its product costs a dimension: its score, and where its bound
#: is passed, finding its row and multiplying each dimension. Measured; time alone depends on it.
_SCORED, _FOUND, _MULTIPLIED = 16.0, 600.0, 5.0
#: Of the pairs that pass at the first centroids, so many pass later, when they are means.
_LATER = 0.5
#: Centroids up to so much farther than the nearest pass the bound: what is known of the others
#: then lasts for more iterations, at little cost.
_WIDE = 1.05
#: The longest of rows or centroids is no shorter and no longer: float32 products of them neither
#: vanish nor overflow.
_SHORTEST, _LONGEST = 1e-12, 1e16
_ALL = slice(None)


@dataclass(frozen=True)
class Leading:
    """Directions, and how far what is computed with them may be off.

    basis: (dim, m) float64. mean: (dim,) float64.
    """

    basis: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, sample: np.ndarray, m: int) -> Leading:
        """The m directions of most variance, nearly, of (n, dim) float32 rows; n >= m.

        By subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4): which directions
        they are is a matter of time, not of the answer.
        """
        mean = sample.mean(axis=0, dtype=np.float64)
        centred = (sample - mean).astype(np.float32)
        basis = np.random.default_rng(0).normal(size=(sample.shape[1], m))
        for _ in range(2):
            images = centred.T @ (centred @ basis.astype(np.float32))
            basis = np.linalg.qr(images.astype(np.float64))[0]
        images = (centred @ basis.astype(np.float32)).astype(np.float64)
        order = np.linalg.eigh(images.T @ images)[1][:, ::-1]
        return cls(np.linalg.qr(basis @ order)[0], mean)

    def narrowed(self, m: int) -> Leading:
        """The first m directions."""
        return Leading(np.ascontiguousarray(self.basis[:, :m]), self.mean)

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """(n, dim) float32 rows as g of them: (n, m + 1) float32."""
        leads, squared = self.coordinates(rows)
        return with_rest(leads, squared)

    def coordinates(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """B'y and |y|^2: (n, m) and (n,) float64."""
        centred = rows.astype(np.float64)
        centred -= self.mean
        return centred @ self.basis, np.einsum("ij,ij->i", centred, centred)

    def same(self, other: Leading | None) -> bool:
        """Whether it is of as many directions of the same sample."""
        return other is not None and self.basis.shape == other.basis.shape

    @cached_property
    def error(self) -> float:
        """e of the derivation above."""
        dim, m = self.basis.shape
        gamma = dim * 2.0**-53 / (1.0 - dim * 2.0**-53)
        delta = float(np.linalg.norm(self.basis.T @ self.basis - np.eye(m)))
        delta += 1.01 * m * gamma  # which itself was rounded
        alpha = 1.01 * (delta + gamma * np.sqrt(m) * (1.0 + delta))
        return 1.01 * 2.0**-24 + 3.0 * float(np.sqrt(alpha))


def with_rest(leads: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """g of rows with these (n, m) coordinates and (n,) squared lengths: (n, m + 1) float32."""
    rest = squared - np.einsum("ij,ij->i", leads, leads)
    result = np.empty((len(leads), leads.shape[1] + 1), dtype=np.float32)
    with np.errstate(over="ignore"):  # what is too long is not used: see `Led.sound`
        result[:, :-1], result[:, -1] = leads, np.sqrt(np.maximum(rest, 0.0))
    return result


@dataclass(frozen=True)
class Led:
    """Rows or centroids in leading coordinates.

    features: (n, m + 1) float32. lengths: (n,) float64, their squared lengths. error: e.
    """

    features: np.ndarray
    lengths: np.ndarray
    error: float

    @classmethod
    def of(cls, features: np.ndarray, error: float) -> Led:
        """With their lengths."""
        return cls(features, squared_lengths(features), error)

    def some(self, where: slice | np.ndarray) -> Led:
        """A part of them."""
        return Led(self.features[where], self.lengths[where], self.error)

    def off(self, where: slice | np.ndarray = _ALL) -> np.ndarray:
        """How far each may be from where it belongs: (n,) float64."""
        tiny = np.sqrt(self.features.shape[1]) * 2.0**-149
        error = 1.01 * self.error / (1.0 - self.error)
        off: np.ndarray = error * (np.sqrt(self.lengths[where]) + tiny) + 1.01 * tiny
        return off

    @property
    def sound(self) -> bool:
        """Whether float32 products of them neither overflow nor vanish."""
        longest = float(np.sqrt(self.lengths.max(initial=0.0)))
        return self.error < 0.01 and _SHORTEST < longest < _LONGEST


@dataclass(frozen=True)
class Bounds:
    """Centroids in an order, ready to be bounded away.

    whole: the centroids. leading: of their leading coordinates. off: the largest of theirs.
    """

    whole: Points
    leading: Points
    off: float

    @classmethod
    def of(cls, whole: Points, led: Led) -> Bounds:
        """Of these, among all centroids in leading coordinates."""
        off = float(led.off(whole.numbers).max(initial=0.0))
        return cls(whole, Points.of(led.features, whole.numbers), off)


def search(
    x: np.ndarray,
    at: np.ndarray,
    lengths: np.ndarray,
    led: Led,
    own: np.ndarray,
    own_squared: np.ndarray,
    bounds: Bounds,
    depth: int,
) -> Certified:
    """As `certified.search`, of rows whose leading coordinates are known.

    Args:
        x: (n_rows, dim) float32.
        at: (n,) int64, which of them are looked at, at most a few thousand.
        lengths: (n,) float64, |x|^2.
        led: those n rows in leading coordinates.
        own: (n,) int32, number of each row's centroid; -1 for none.
        own_squared: (n,) float64, squared distance to it; infinity for none.
        bounds: centroids to look at.
        depth: how many of them.
    """
    n, whole, leading = len(at), bounds.whole, bounds.leading
    off = led.off() + bounds.off
    error, error_bound = whole.errors(lengths), leading.errors(led.lengths)
    squared, labels = own_squared.copy(), own.copy()
    second = np.full(n, np.inf)
    low, low_bound = np.full((2, n), np.inf, dtype=np.float32)
    products = np.empty(n * tiles(depth)[0].stop, dtype=np.float32)
    multiplied = compared = 0
    for tile in tiles(depth):
        scores = products[: n * (tile.stop - tile.start)].reshape(n, -1)
        np.matmul(led.features, leading.features[tile].T, out=scores)
        pairs = kernels.nearest_by_bounds(
            scores, leading.half[tile], 2.0 * error_bound - led.lengths, off, _WIDE,
            whole.features[tile], whole.half[tile], 2.0 * error - lengths, whole.numbers[tile],
            x, at, own, squared, labels, second, low_bound, low,
        )  # fmt: skip
        multiplied, compared = multiplied + pairs[0], compared + pairs[1]
    others = np.minimum(at_least(low, error, lengths), np.sqrt(second) * (1.0 - 1e-7))
    others = np.minimum(others, at_least(low_bound, error_bound, led.lengths) - off)
    return Certified(labels, squared, others, compared, multiplied)


def choose(sample: np.ndarray, centroids: np.ndarray, worth: float) -> Leading | None:
    """The leading directions that save most; None where none save enough.

    Tried on a few of the rows, with all centroids: a filter costs its own product, and what it lets
    pass is multiplied in all dimensions. Whatever is chosen, the answer is the same.

    Args:
        sample: (n, dim) float32 rows in random order.
        centroids: (k, dim) float32.
        worth: the largest share of the cost of a product of all dimensions.
    """
    dim, k = sample.shape[1], len(centroids)
    widths = sorted({w for share in _SHARES if (w := min(int(dim * share), _MOST)) >= 2})
    widest = Leading.of(sample, widths[-1])
    tried = np.ascontiguousarray(sample[:_TRIED])
    whole = Points.of(centroids, np.arange(k, dtype=np.int32))
    n, lengths = len(tried), squared_lengths(tried)
    found_leads = [widest.coordinates(these) for these in (tried, centroids)]
    best, lowest = None, worth * (dim + _SCORED)
    for width in widths:
        leading = widest.narrowed(width)
        rows, led = (
            Led.of(with_rest(leads[:, :width], squared), leading.error)
            for leads, squared in found_leads
        )
        if not (rows.sound and led.sound):
            continue
        found = search(
            tried, np.arange(n), lengths, rows, np.full(n, -1, dtype=np.int32),
            np.full(n, np.inf), Bounds.of(whole, led), k,
        )  # fmt: skip
        passing = _LATER * found.multiplied / (n * k)
        cost = width + 1 + _SCORED + passing * (_FOUND + _MULTIPLIED * dim)
        if cost < lowest:
            best, lowest = leading, cost
    return best
