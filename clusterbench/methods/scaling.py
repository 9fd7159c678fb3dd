"""Scaling of a method's input, fitted on its training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

SCALINGS = ("none", "l2", "standardize")


class Scaler:
    """Scaling of input rows, as fitted on the training rows.

    Args:
        scaling: "none", "l2" (rows to length 1) or "standardize" (dimensions to mean 0 and standard
            deviation 1).

    Raises:
        InputError: another scaling.
    """

    def __init__(self, scaling: str) -> None:
        if scaling not in SCALINGS:
            raise InputError(f"scaling={scaling!r} should be one of {', '.join(SCALINGS)}")
        self.scaling = scaling

    def fit(self, features: np.ndarray) -> Scaler:
        """Learn means and deviations from (n, dim) training rows."""
        if self.scaling == "standardize":
            self._mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
            deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
            # A constant dimension stays constant instead of dividing by zero.
            self._deviation = np.where(deviation > 0, deviation, np.float32(1.0))
        return self

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scaled copy of (n, dim) float32 rows (the rows themselves for "none")."""
        if self.scaling == "standardize":
            scaled: np.ndarray = (features - self._mean) / self._deviation
            return scaled
        if self.scaling == "l2":
            length = np.linalg.norm(features, axis=1, keepdims=True)
            unit: np.ndarray = features / np.maximum(length, np.finfo(np.float32).tiny)
            return unit
        return features

    def tensor(self, features: Tensor) -> Tensor:
        """The same for rows on a device; they are scaled where they are, in place."""
        import torch

        if self.scaling == "standardize":
            mean, deviation = (torch.from_numpy(v) for v in (self._mean, self._deviation))
            return features.sub_(mean.to(features)).div_(deviation.to(features))
        if self.scaling == "l2":
            length = features.norm(dim=1, keepdim=True)
            return features.div_(length.clamp_min(torch.finfo(features.dtype).tiny))
        return features
