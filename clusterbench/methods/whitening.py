"""Whitening of the leading principal components by a power, fitted on the training rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..cores import one_blas_thread
from ..cost import Cost
from ..errors import InputError
from ..feature_rows import check_arrays
from ..kmeans.row_totals import total
from ..limits import DIMENSIONS, ROW_LENGTH
from .fit_warnings import warn

if TYPE_CHECKING:
    import torch

    from ..kmeans.row_sources import Rows

#: What "whiten" alone stands for.
N_COMPONENTS, POWER = 256, 0.5
#: Ways to spell it, for messages.
SPELLINGS = (
    f"whiten, whiten(M) or whiten(M, POWER), of a whole number M of components from 1 to "
    f"{DIMENSIONS:,} ({N_COMPONENTS} if left out) and a power from 0 to 1 ({POWER})"
)
#: Dimensions of which a covariance is computed: 2 GB.
WIDEST = 1 << 14
#: A component of so little deviation beside the first is rounding of the covariance, and one of so
#: little beside the largest numbers is rounding of float32 features.
_OF_FIRST, _OF_NUMBERS = 2.0**-20, 2.0**-23
#: A centred row is rounded to whole numbers so that it is about 2^_ROW_BITS long, a component to
#: ones so that it is 2^_BASIS_BITS long. By the inequality of Cauchy and Schwarz each sum of their
#: products is below 2^53, so float64 adds them without rounding, whatever the order.
_ROW_BITS, _BASIS_BITS = 24, 28
#: Rows projected at a time.
_BLOCK = 2048

_SPELLED = re.compile(r"whiten(?:\(\s*([0-9]{1,7})\s*(?:,\s*([0-9.eE+-]{1,30})\s*)?\))?")


class Whitening:
    """Rows in their leading principal components, the strong ones weakened by a power.

    A row x becomes z at unit length, z_j = (s_1 / s_j)^power (x - mean) . v_j, where s_j is the
    standard deviation of the training rows along their j-th principal component v_j. Power 0
    leaves the components in proportion, 1 makes all deviations alike (whitening), 1/2 lies half
    way. Components of no deviation but rounding are left out. The mean row becomes zeros.

    Unit length keeps a few rows of large z_j, which whitening makes of weak components, from being
    clusters of their own, and rows that are far from the training rows in the range of the others.

    A row comes to the same bits in whatever block it is: projections are exact sums of whole
    numbers. Covariances are summed in float64 in one order, in any number of threads.

    Args:
        n_components: m, the leading components taken; all where there are fewer.
        power: in [0, 1].

    Attributes:
        width: dimensions of whitened rows, from 1 to min(m, dim); None before the fit.
        mean: (dim,) float64, of the training rows.
        basis: (dim, width) float64, the components as whole numbers.
        factors: (width,) float64, what they are multiplied by: (s_1 / s_j)^power.
    """

    def __init__(self, n_components: int = N_COMPONENTS, power: float = POWER) -> None:
        self.n_components, self.power = n_components, power
        self.width: int | None = None

    @property
    def spelling(self) -> str:
        """The setting in its one spelling: "whiten(256, 0.5)"."""
        power = int(self.power) if self.power in (0.0, 1.0) else self.power
        return f"whiten({self.n_components}, {power})"

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """The covariance, its eigenvectors and projections, each product twice in float64's time.

        A method may scale rows again in each of its passes; that is not counted.
        """
        width = min(self.n_components, dim)
        rows = float(n_train + n_eval)
        flops = 2.0 * n_train * dim**2 + 18.0 * dim**3 + 4.0 * rows * dim * width
        return Cost(flops, 12.0 * rows * dim)

    def fit(self, rows: Rows) -> Whitening:
        """Learn mean and components of training rows, which are read twice, block by block.

        Memory: 8 (threads + 4) dim^2 bytes, and a few blocks of 8,192 rows.

        Raises:
            InputError: more than `WIDEST` dimensions.
        """
        if rows.dim > WIDEST:
            raise InputError(
                f"X has {rows.dim:,} dimensions; whitening takes a covariance of all pairs of "
                f"them, and at most {WIDEST:,}; use scaling=l2 or reduce them first"
            )
        mean = total(rows, lambda x: x.sum(axis=0)) / rows.n
        covariance = total(rows, lambda x: _products(x - mean)) / rows.n
        numbers = np.sqrt((np.diagonal(covariance) + mean**2).max())
        deviation, components = _principal(covariance, self.n_components)
        kept = deviation > max(_OF_FIRST * deviation[0], _OF_NUMBERS * numbers)
        if not kept.any():
            warn(
                f"all {rows.n} rows are the same but for rounding, so whitening leaves nothing of "
                "them: they are zeros, equally far from everything of length 1",
                stacklevel=5,
            )
            deviation, components, kept = np.ones(1), np.zeros((rows.dim, 1)), np.array([True])
        self.mean = mean
        self.basis = np.ascontiguousarray(_whole(components[:, kept].T, _BASIS_BITS).T)
        self.factors = (deviation[0] / deviation[kept]) ** self.power
        self.width = int(kept.sum())
        return self

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was learned, by the names of the attributes."""
        return {"mean": self.mean, "basis": self.basis, "factors": self.factors}

    def restore(self, arrays: Mapping[str, np.ndarray], dim: int) -> Whitening:
        """Become what had learned these `arrays` from rows of `dim` dimensions.

        Raises:
            InputError: arrays of other names, shapes, dtypes or ranges than a fit gives.
        """
        width = arrays["basis"].shape[-1] if "basis" in arrays and arrays["basis"].ndim else 0
        if not 1 <= width <= min(self.n_components, dim):
            most = min(self.n_components, dim)
            raise InputError(f"basis has {width:,} components; wanted 1 to {most:,}")
        shapes = {"mean": (dim,), "basis": (dim, width), "factors": (width,)}
        check_arrays(arrays, {name: (shape, "float64") for name, shape in shapes.items()})
        basis, factors = arrays["basis"], arrays["factors"]
        if (np.abs(basis) > 2.0**_BASIS_BITS).any() or (basis != np.rint(basis)).any():
            raise InputError(f"basis is not of whole numbers up to 2^{_BASIS_BITS}")
        if not ((factors >= 1.0) & (factors <= 1.0 / _OF_FIRST)).all():
            raise InputError(f"factors are not between 1 and {1.0 / _OF_FIRST:,.0f}")
        if (np.abs(arrays["mean"]) > ROW_LENGTH).any():
            raise InputError(f"mean is above {ROW_LENGTH:g}")
        self.mean, self.basis, self.factors = arrays["mean"], basis, factors
        self.width = width
        return self

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Whitened rows: (n, width) float32, of (n, dim) float32."""
        result = np.empty((len(features), len(self.factors)), dtype=np.float32)
        for start in range(0, len(features), _BLOCK):
            rows = features[start : start + _BLOCK] - self.mean
            parts = (_whole(rows, _ROW_BITS) @ self.basis) * self.factors
            result[start : start + _BLOCK] = parts / _length(parts)
        return result

    def tensor(self, features: torch.Tensor) -> torch.Tensor:
        """The same for rows on a device; float64's last bits differ, not float32's but rarely."""
        import torch

        mean, basis, factors = (
            torch.from_numpy(v).to(features.device) for v in (self.mean, self.basis, self.factors)
        )
        result = features.new_empty((len(features), len(factors)), dtype=torch.float32)
        for start in range(0, len(features), _BLOCK):
            rows = features[start : start + _BLOCK] - mean
            rows *= 2.0**_ROW_BITS / _tensor_length(rows)
            parts = (rows.round_() @ basis) * factors
            result[start : start + _BLOCK] = parts / _tensor_length(parts)
        return result


def parsed(text: str) -> Whitening | None:
    """The whitening that a text spells, as `SPELLINGS` says; None of any other text."""
    found = _SPELLED.fullmatch(text)
    if found is None:
        return None
    try:
        n_components = int(found.group(1) or N_COMPONENTS)
        power = float(found.group(2) or POWER)
    except ValueError:
        return None
    if not 1 <= n_components <= DIMENSIONS or not 0.0 <= power <= 1.0:
        return None
    return Whitening(n_components, abs(power))  # -0.0 is 0


def _whole(rows: np.ndarray, bits: int) -> np.ndarray:
    """Float64 rows in their directions, as whole numbers, about 2^bits long; zeros stay zeros."""
    whole: np.ndarray = np.rint(rows * (2.0**bits / _length(rows)))
    return whole


def _length(rows: np.ndarray) -> np.ndarray:
    """Lengths of float64 rows, 1 of zeros: (n, 1)."""
    length: np.ndarray = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    length[length == 0.0] = 1.0
    return length


def _tensor_length(rows: torch.Tensor) -> torch.Tensor:
    length = (rows * rows).sum(dim=1, keepdim=True).sqrt_()
    return length.masked_fill_(length == 0.0, 1.0)


def _products(rows: np.ndarray) -> np.ndarray:
    products: np.ndarray = rows.T @ rows
    return products


def _principal(covariance: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Deviations (m,), descending, and components (dim, m) of a covariance, by its eigenvectors.

    Of each component the entry of the largest size is positive, the first of equally large ones.
    """
    dim = len(covariance)
    size = float(np.trace(covariance)) or 1.0
    from scipy import linalg  # takes a third of a second

    with one_blas_thread():
        variance, components = linalg.eigh(
            covariance / size, subset_by_index=[dim - min(n_components, dim), dim - 1]
        )
    components = components[:, ::-1]
    largest = np.abs(components).argmax(axis=0)
    components = components * np.sign(components[largest, np.arange(components.shape[1])])
    return np.sqrt(np.maximum(variance[::-1], 0.0) * size), components
