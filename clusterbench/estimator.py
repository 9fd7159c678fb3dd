"""What methods and references share: settings, their checks, and scikit-learn's ways with them."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .catalog import unknown_name
from .errors import ClusterbenchError, InputError

if TYPE_CHECKING:
    from typing_extensions import Self

#: Constructor arguments that are not settings: a run sets them for each fit.
RESERVED = ("n_clusters", "n_classes", "random_state", "device")


class NotFittedError(InputError):
    """`predict` was called before `fit`."""


class TrainingError(ClusterbenchError):
    """Training gave no usable answer: the loss is not finite, or every head collapsed."""


class Estimator:
    """Settings in the constructor, stored under their own names, and read back from there.

    Attributes after `fit`:
        diagnostics_: JSON-able facts about the fit (losses, chosen head, warnings).
        n_features_in_: number of feature dimensions seen.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    #: Raised by one whenever a change of the code changes the answer for the same settings.
    version: ClassVar[int]

    random_state: int
    device: str
    n_features_in_: int
    #: The attribute that is there once `fit` has ended.
    _fitted: ClassVar[str] = "n_features_in_"

    def __init__(self, random_state: int, device: str) -> None:
        self.random_state = whole_seed(random_state)
        self.device = device
        self.diagnostics_: dict[str, Any] = {}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every constructor setting by name, as scikit-learn does."""
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    def set_params(self, **params: Any) -> Self:
        """Change settings, checked as in the constructor; what was fitted is forgotten.

        Raises:
            InputError: a setting that there is not, with the nearest names, or a value it refuses.
        """
        known = self.get_params()
        for name in params:
            if name not in known:
                raise unknown_name(f"setting of {type(self).__name__}:", name, known)
        fresh = type(self)(**{**known, **params})
        self.__dict__.clear()
        self.__dict__.update(fresh.__dict__)
        return self

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({settings})"

    def _fitted_features(self, X: Any) -> np.ndarray:
        """X checked as what `fit` saw: (n_samples, n_features_in_) float32."""
        if not hasattr(self, self._fitted):
            raise NotFittedError(f"this {type(self).__name__} has not been fitted; call fit first")
        features = as_features(X)
        if features.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {features.shape[1]} features, fit saw {self.n_features_in_}; "
                "use the same encoder for both"
            )
        return features


def as_features(X: Any) -> np.ndarray:
    """X as a C-contiguous (n_samples, dim) float32 array without NaN or infinity."""
    if hasattr(X, "read") and hasattr(X, "index"):  # a FeatureStore
        X = X.read()
    try:
        features = np.asarray(X)
    except ValueError as error:
        raise InputError(f"X should be a 2-D array of numbers; {error}") from error
    if features.ndim != 2:
        raise InputError(f"X has shape {features.shape}; expected (n_samples, dim)")
    if features.dtype.kind not in "fiu":
        raise InputError(f"X has dtype {features.dtype}; expected numbers")
    if 0 in features.shape:
        raise InputError(f"X is empty: shape {features.shape}")
    features = np.ascontiguousarray(features, dtype=np.float32)
    # The sum of a row is finite only if every entry is (up to overflow): no N x dim mask.
    if not np.isfinite(features.sum(dtype=np.float64)):
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        raise InputError(
            f"X has NaN or infinity in {len(bad)} of {len(features)} rows, first in row {bad[0]}; "
            "drop those rows or extract them again"
        )
    return features


def positive_int(name: str, value: Any) -> int:
    """`value` as an int; InputError unless it is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name}={value!r} should be a whole number >= 1")
    return int(value)


def whole_seed(value: Any) -> int:
    """`value` as a seed; InputError unless it is a whole number in [0, 2**31)."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InputError(f"random_state={value!r} should be a whole number >= 0")
    if not 0 <= value < 2**31:
        raise InputError(f"random_state={value} should be in [0, 2**31)")
    return int(value)


def true_or_false(name: str, value: Any) -> bool:
    """`value` if it is a bool; the string "False" is not (it would count as true)."""
    if not isinstance(value, bool):
        raise InputError(f"{name}={value!r} should be true or false")
    return value


def positive_float(name: str, value: Any, *, zero: bool = False) -> float:
    """`value` as a finite float above 0 (or 0 itself where `zero`); InputError otherwise."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name}={value!r} should be a number {'>= 0' if zero else '> 0'}")
    return float(value)


def number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
) -> float:
    """`value` as a float; InputError unless it is finite and within the bounds."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not math.isfinite(value) or value <= above or not at_least <= value <= at_most:
        bounds = f"> {above:g}" if above > -math.inf else f">= {at_least:g}"
        upper = f" and <= {at_most:g}" if at_most < math.inf else ""
        raise InputError(f"{name}={value!r} should be a number {bounds}{upper}")
    return float(value)
