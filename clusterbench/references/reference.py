"""What every reference shares: settings in the constructor, checked input, class numbers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import InputError
from ..estimator import Estimator, as_features, positive_int
from ..progress import Progress, unseen

if TYPE_CHECKING:
    from typing_extensions import Self


class Reference(Estimator, ABC):
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

    #: Whether the seed changes the answer; where it does not, one run says everything.
    seeded: ClassVar[bool] = False

    n_classes: int

    def __init__(self, n_classes: int, random_state: int = 0, device: str = "auto") -> None:
        super().__init__(random_state, device)
        self.n_classes = positive_int("n_classes", n_classes)

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
        self._fit(features, targets, progress or unseen)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row of X: (n_samples,) int64 in [0, n_classes)."""
        return self.predict_top(X, 1)[:, 0]

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """The `n` most likely classes of each row, best first: (n_samples, n) int64."""
        if not 1 <= n <= self.n_classes:
            raise InputError(f"n={n} should be in 1..n_classes={self.n_classes}")
        return self._predict_top(self._fitted_features(X), n)

    @abstractmethod
    def _fit(self, features: np.ndarray, targets: np.ndarray, progress: Progress) -> None: ...

    @abstractmethod
    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray: ...


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
