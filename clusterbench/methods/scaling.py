"""Scaling of a method's input, fitted on its training rows."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from ..cost import Cost
from ..errors import InputError
from ..feature_rows import check_arrays, check_standardised, to_unit_length, unit_rows
from ..kmeans.row_sources import ArrayRows, Rows
from . import whitening
from .fit_warnings import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

SCALINGS = ("none", "l2", "standardize")


class Scaler:
    """Scaling of input rows, as fitted on the training rows.

    Args:
        scaling: "none", "l2" (rows to length 1, however large or small their numbers; a row of
            zeros stays zeros, with a warning), "standardize" (dimensions to mean 0 and standard
            deviation 1) or "whiten(M, POWER)" (see `whitening.Whitening`; "whiten(M)" with power
            0.5, "whiten" of 256 components).
        spaces: widths of blocks of columns that are features of several encoders, each scaled by
            itself: "l2" brings each of them to length 1. () for one encoder.

    Attributes:
        scaling: the setting in its one spelling.
        learns: whether it depends on all training rows, so that none of them can be scaled before
            all have been read.
        unit_length: whether scaled rows are at unit length.

    Raises:
        InputError: another scaling; "whiten" of several spaces.
    """

    def __init__(self, scaling: str, spaces: tuple[int, ...] = ()) -> None:
        self._whitening: whitening.Whitening | None = None
        if not isinstance(scaling, str) or scaling not in SCALINGS:
            self._whitening = whitening.parsed(scaling) if isinstance(scaling, str) else None
            if self._whitening is None:
                raise InputError(
                    f"scaling={scaling!r} should be one of {', '.join(SCALINGS)}, "
                    f"{whitening.SPELLINGS}"
                )
            # The text as it was given where it is spelled so already: `clone` looks for the same.
            if scaling != self._whitening.spelling:
                scaling = self._whitening.spelling
        if self._whitening is not None and len(spaces) > 1:
            raise InputError(
                f"scaling={scaling!r} is of one space, and there are {len(spaces)}; whiten each "
                "before they are put side by side, and take 'none'"
            )
        self.scaling = scaling
        ends = list(accumulate(spaces))
        self._spaces = [slice(end - width, end) for end, width in zip(ends, spaces, strict=True)]
        self._spaces = self._spaces if len(spaces) > 1 else [slice(None)]
        self.learns = self._whitening is not None or scaling == "standardize"
        self.unit_length = self._whitening is not None or (scaling == "l2" and len(spaces) < 2)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """What a scaling of note costs beside a fit, as `Estimator.cost`; others are nothing."""
        if self._whitening is None:
            return Cost(0.0)
        return self._whitening.cost(n_train, n_eval, dim)

    def width(self, dim: int) -> int:
        """Dimensions of scaled rows, of rows of `dim`; before the fit the most there can be."""
        if self._whitening is None:
            return dim
        return self._whitening.width or min(self._whitening.n_components, dim)

    def fit(self, features: np.ndarray) -> Scaler:
        """Learn means, deviations and components from (n, dim) training rows."""
        if self._whitening is not None:
            self._whitening.fit(ArrayRows(features))
        elif self.scaling == "standardize":
            self._mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
            deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
            self._deviation = _divisor(deviation)
        elif self.scaling == "l2":
            for space in self._spaces:
                warn_of_zeros(features[:, space])
        return self

    def fit_rows(self, rows: Rows) -> Scaler:
        """The same, of rows that are read in blocks."""
        if self._whitening is not None:
            self._whitening.fit(rows)
        elif self.scaling == "standardize":
            mean = _sum(rows, lambda x: x) / rows.n
            variance = _sum(rows, lambda x: (x - mean) ** 2) / rows.n
            self._mean = mean.astype(np.float32)
            self._deviation = _divisor(np.sqrt(variance).astype(np.float32))
        elif self.scaling == "l2":
            zeros: list[list[np.ndarray]] = [[] for _ in self._spaces]
            for start, stop in _blocks(rows.n):
                block = rows.block(start, stop)
                for space, found in zip(self._spaces, zeros, strict=True):
                    found.append(start + np.flatnonzero(~block[:, space].any(axis=1)))
            for found in zeros:
                warn_of(np.concatenate(found), rows.n)
        return self

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was learned, by name: nothing for "none" and "l2".

        "standardize": mean and deviation, (dim,) float32. "whiten": mean (dim,), basis
        (dim, width) and factors (width,), float64.
        """
        if self._whitening is not None:
            return self._whitening.arrays
        if self.scaling == "standardize":
            return {"mean": self._mean, "deviation": self._deviation}
        return {}

    def restore(self, arrays: Mapping[str, np.ndarray], dim: int) -> Scaler:
        """Become what had learned these `arrays` from rows of `dim` dimensions.

        Raises:
            InputError: arrays of other names, shapes, dtypes or ranges than a fit gives.
        """
        if self._whitening is not None:
            self._whitening.restore(arrays, dim)
        elif self.scaling == "standardize":
            check_arrays(arrays, {"mean": ((dim,), "float32"), "deviation": ((dim,), "float32")})
            if not (arrays["deviation"] > 0).all():
                raise InputError("deviation is not above 0 everywhere")
            self._mean, self._deviation = arrays["mean"], arrays["deviation"]
        else:
            check_arrays(arrays, {})
        return self

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scaled copy of (n, dim) float32 rows (the rows themselves for "none"): (n, width)."""
        if self._whitening is not None:
            return self._whitening(features)
        if self.scaling == "standardize":
            with np.errstate(over="ignore"):
                scaled: np.ndarray = (features - self._mean) / self._deviation
            check_standardised(scaled)
            return scaled
        if self.scaling == "l2":
            unit = [unit_rows(features[:, space]) for space in self._spaces]
            return unit[0] if len(unit) == 1 else np.hstack(unit)
        return features

    def tensor(self, features: Tensor, check: bool = True) -> Tensor:
        """The same for rows on a device, where they are scaled; in place, but for whitening.

        check: refuse rows that leave float32; rows that were looked at before need not be.
        """
        import torch

        if self._whitening is not None:
            return self._whitening.tensor(features)
        if self.scaling == "standardize":
            mean, deviation = (torch.from_numpy(v) for v in (self._mean, self._deviation))
            features.sub_(mean.to(features)).div_(deviation.to(features))
            if check:  # which waits for a GPU
                check_standardised(features)
            return features
        if self.scaling == "l2":
            for space in self._spaces:
                to_unit_length(features[:, space])
            return features
        return features


def _divisor(deviation: np.ndarray) -> np.ndarray:
    """A constant dimension stays constant instead of dividing by zero."""
    return np.where(deviation > 0, deviation, np.float32(1.0))


def warn_of_zeros(features: np.ndarray) -> None:
    """Say how many of (n, dim) rows are all zeros, if there are any."""
    warn_of(np.flatnonzero(~features.any(axis=1)), len(features))


def warn_of(zeros: np.ndarray, n: int) -> None:
    """Say which of n rows are all zeros, by their numbers, if there are any."""
    if len(zeros):
        warn(
            f"{len(zeros)} of {n} rows are all zeros, first row {zeros[0]}: they "
            "have no direction and stay zeros, equally far from everything of length 1",
            stacklevel=5,
        )


def _blocks(n: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + 8192, n)) for start in range(0, n, 8192))


def _sum(rows: Rows, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    total = np.zeros(rows.dim)
    for start, stop in _blocks(rows.n):
        total += of(rows.block(start, stop).astype(np.float64)).sum(axis=0)
    return total
