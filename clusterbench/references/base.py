"""What every reference shares: settings in the constructor, checked input, class numbers out."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import InputError
from ..methods.base import NotFittedError, Progress, as_features, positive_int, whole_seed

if TYPE_CHECKING:
    from typing_extensions import Self


class Reference(ABC):
    """A supervised classifier: settings in the constructor, `fit(X, y)`, `predict(X)`.

    It is no `Clusterer`: its `fit` takes the classes of the training rows, so it cannot be run
    where a method is, nor a method where it is. The public methods check their input and call the
    hooks `_fit` and `_predict_top`.

    Subclasses list every setting as a keyword of their constructor and store it under the same
    name; `get_params` reads them back.

    Attributes after `fit`:
        diagnostics_: JSON-able facts about the fit.
        n_features_in_: number of feature dimensions seen.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    #: Raised by one whenever a change of the code changes the answer for the same settings.
    version: ClassVar[int]
    #: Whether the seed changes the answer; where it does not, one run says everything.
    seeded: ClassVar[bool] = False

    n_classes: int
    random_state: int
    device: str

    def __init__(self, n_classes: int, random_state: int = 0, device: str = "auto") -> None:
        self.n_classes = positive_int("n_classes", n_classes)
        self.random_state = whole_seed(random_state)
        self.device = device
        self.diagnostics_: dict[str, Any] = {}

    def fit(self, X: Any, y: Any, *, progress: Progress | None = None) -> Self:
        """Learn the classes y of the rows of X.

        Args:
            X: (n_samples, dim) array of floats, or a `FeatureStore`.
            y: (n_samples,) whole numbers in [0, n_classes). A class without a sample is allowed.
            progress: called as `progress(done, total)` while the fit goes on.

        Raises:
            InputError: X is not a finite 2-D array, or y is not one class per row of it.
        """
        features = as_features(X)
        targets = _classes(y, len(features), self.n_classes)
        self.n_features_in_ = features.shape[1]
        self.diagnostics_ = {}
        self._fit(features, targets, progress or _silent)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row of X: (n_samples,) int64 in [0, n_classes)."""
        return self.predict_top(X, 1)[:, 0]

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """The `n` most likely classes of each row, best first: (n_samples, n) int64."""
        if not 1 <= n <= self.n_classes:
            raise InputError(f"n={n} should be in 1..n_classes={self.n_classes}")
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(f"this {type(self).__name__} has not been fitted; call fit first")
        features = as_features(X)
        if features.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {features.shape[1]} features, fit saw {self.n_features_in_}; "
                "use the same encoder for both"
            )
        return self._predict_top(features, n)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every constructor setting by name, as scikit-learn does."""
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({settings})"

    @abstractmethod
    def _fit(self, features: np.ndarray, targets: np.ndarray, progress: Progress) -> None: ...

    @abstractmethod
    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray: ...


def positive_float(name: str, value: Any, *, zero: bool = False) -> float:
    """`value` as a finite float above 0 (or 0 itself where `zero`); InputError otherwise."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name}={value!r} should be a number {'>= 0' if zero else '> 0'}")
    return float(value)


def _classes(y: Any, n: int, n_classes: int) -> np.ndarray:
    targets = np.asarray(y)
    if targets.shape != (n,):
        raise InputError(f"y has shape {targets.shape}; expected one class per row of X, ({n},)")
    if targets.dtype.kind not in "iu":
        raise InputError(f"y has dtype {targets.dtype}; expected whole numbers")
    if not 0 <= targets.min() <= targets.max() < n_classes:
        raise InputError(
            f"y has classes {targets.min()}..{targets.max()}; expected 0..{n_classes - 1}"
        )
    return np.ascontiguousarray(targets, dtype=np.int64)


def _silent(done: int, total: int) -> None:
    del done, total
