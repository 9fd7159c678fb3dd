"""Scaling of a method's input, fitted on its training rows."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

SCALINGS = ("none", "l2", "standardize")


class Scaler:
    """Input scaling fitted on training rows: "none", "l2" or "standardize"."""

    def __init__(self, scaling: str) -> None:
        if scaling not in SCALINGS:
            raise InputError(f"scaling={scaling!r} should be one of {', '.join(SCALINGS)}")
        self.scaling = scaling

    def fit(self, features: np.ndarray) -> Scaler:
        if self.scaling == "standardize":
            self._mean = features.mean(axis=0, dtype=np.float64)
            deviation = features.std(axis=0, dtype=np.float64)
            # A constant dimension stays constant instead of dividing by zero.
            self._deviation = np.where(deviation > 0, deviation, 1.0)
        return self

    def __call__(self, features: np.ndarray) -> np.ndarray:
        if self.scaling == "standardize":
            scaled: np.ndarray = (features - self._mean) / self._deviation
            return scaled.astype(np.float32)
        if self.scaling == "l2":
            length = np.linalg.norm(features, axis=1, keepdims=True)
            unit: np.ndarray = features / np.maximum(length, np.finfo(np.float32).tiny)
            return unit
        return features
