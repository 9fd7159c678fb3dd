"""What every method shares: scikit-learn's habits, checked input, an explicit device and seed."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import ClusterbenchError, InputError

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

Progress = Callable[[int, int], None]


class NotFittedError(InputError):
    """`predict` was called before `fit`."""


class TrainingError(ClusterbenchError):
    """Training gave no usable clustering: the loss is not finite, or every head collapsed."""


class Clusterer(ABC):
    """A clustering method: settings in the constructor, `fit(X)`, `predict(X)`, `labels_`.

    The public methods check their input and call the hooks `_fit` and `_predict`, so no method
    can skip the checks. A method is handed features and a number of clusters, never labels.

    Subclasses list every setting as a keyword of their constructor and store it under the same
    name; `get_params` reads them back.

    Attributes after `fit`:
        labels_: (n_samples,) int64, the cluster of each training sample.
        diagnostics_: JSON-able facts about the fit (losses, chosen head, warnings).
        n_features_in_: number of feature dimensions seen.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    #: Raised by one whenever a change of the code changes the answer for the same settings.
    version: ClassVar[int]

    n_clusters: int
    random_state: int
    device: str

    def __init__(self, n_clusters: int, random_state: int = 0, device: str = "auto") -> None:
        self.n_clusters = positive_int("n_clusters", n_clusters)
        self.random_state = whole_seed(random_state)
        self.device = device
        self.diagnostics_: dict[str, Any] = {}

    def fit(self, X: Any, *, progress: Progress | None = None) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: (n_samples, dim) array of floats, or a `FeatureStore`.
            progress: called as `progress(done, total)` while the fit goes on.

        Raises:
            InputError: X is not a finite 2-D array, or has fewer rows than clusters.
        """
        features = as_features(X)
        if features.shape[0] < self.n_clusters:
            raise InputError(
                f"n_samples={features.shape[0]} should be >= n_clusters={self.n_clusters}"
            )
        self.n_features_in_ = features.shape[1]
        self.diagnostics_ = {}
        self.labels_ = self._fit(features, progress or _silent)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each row of X: (n_samples,) int64 in [0, n_clusters)."""
        return self._predict(self._checked(X))

    def fit_predict(self, X: Any, *, progress: Progress | None = None) -> np.ndarray:
        """`fit(X)`, then `labels_`."""
        self.fit(X, progress=progress)
        return self.labels_

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """The `n` most likely clusters of each row, best first: (n_samples, n) int64.

        The first is the one that `predict` gives; no cluster stands twice in a row.
        """
        if not 1 <= n <= self.n_clusters:
            raise InputError(f"n={n} should be in 1..n_clusters={self.n_clusters}")
        return self._predict_top(self._checked(X), n)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every constructor setting by name, as scikit-learn does."""
        names = inspect.signature(type(self).__init__).parameters
        return {name: getattr(self, name) for name in names if name != "self"}

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.get_params().items())
        return f"{type(self).__name__}({settings})"

    def _checked(self, X: Any) -> np.ndarray:
        if not hasattr(self, "labels_"):
            raise NotFittedError(f"this {type(self).__name__} has not been fitted; call fit first")
        features = as_features(X)
        if features.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {features.shape[1]} features, fit saw {self.n_features_in_}; "
                "use the same encoder for both"
            )
        return features

    @abstractmethod
    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray: ...

    @abstractmethod
    def _predict(self, features: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray: ...


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


def resolve_device(device: str) -> torch.device:
    """The torch device for "auto", "cpu", "cuda", "cuda:N" or "mps"; "auto" prefers a GPU."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N") from error
    if resolved.type == "cuda":
        if not torch.cuda.is_available():
            raise InputError(
                f"device {device!r}: this machine has no CUDA device; use --device cpu"
            )
        if (resolved.index or 0) >= torch.cuda.device_count():
            raise InputError(
                f"device {device!r}: there are {torch.cuda.device_count()} CUDA devices"
            )
    elif resolved.type == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device {device!r}: not available here; use --device cpu")
    elif resolved.type not in ("cpu", "mps"):
        raise InputError(f"device {device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return resolved


def positive_int(name: str, value: Any) -> int:
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


def _silent(done: int, total: int) -> None:
    del done, total
