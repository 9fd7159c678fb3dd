"""What every reference shares: settings in the constructor, checked input, class numbers out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import InputError
from ..estimator import Estimator, positive_int
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

    n_classes: int | None
    #: (n_classes_,) the class that each class number stands for.
    classes_: np.ndarray
    #: Class numbers are in [0, n_classes_); what `_fit` and `_predict_top` go by.
    n_classes_: int
    _fitted: ClassVar[str] = "classes_"

    def __init__(
        self, n_classes: int | None = None, random_state: int = 0, device: str = "auto"
    ) -> None:
        super().__init__(random_state, device)
        self.n_classes = None if n_classes is None else positive_int("n_classes", n_classes)

    def fit(self, X: Any, y: Any, *, progress: Progress | None = None) -> Self:
        """Learn the classes y of the rows of X.

        Args:
            X: (n_samples, dim) features (see `feature_rows.as_features`), or a `FeatureStore`.
            y: (n_samples,) whole numbers in [0, n_classes); a class without a sample is allowed.
                Where n_classes is None, numbers or texts of any kind: the classes are those in y.
            progress: called as `progress(done, total)` while the fit goes on.

        Raises:
            InputError: X is not a usable 2-D array, or y is not one class per row of it.
        """
        features = self._features_to_fit(X)
        if self.n_classes is None:
            classes, targets = _found_classes(y, len(features))
        else:
            targets = _classes(y, len(features), self.n_classes)
            classes = np.arange(self.n_classes)
        self.n_classes_ = len(classes)
        self._fit(features, targets, progress or unseen)
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row of X, (n_samples,): int64 in [0, n_classes), or as in y."""
        return self.predict_top(X, 1)[:, 0]

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """The `n` most likely classes of each row, best first: (n_samples, n)."""
        features = self._fitted_features(X)
        if not 1 <= n <= self.n_classes_:
            raise InputError(f"n={n} should be in 1..n_classes={self.n_classes_}")
        top = self._predict_top(features, n)
        return top if self.n_classes is not None else self.classes_[top]

    def score(self, X: Any, y: Any) -> float:
        """Share of the rows of X whose class in y is predicted, in [0, 1]."""
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.target_tags.required = True
        return tags

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


def _found_classes(y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes of targets of any kind, as scikit-learn reads them, and their numbers."""
    from sklearn.utils import column_or_1d
    from sklearn.utils.multiclass import check_classification_targets

    if y is None:
        raise InputError("requires y to be passed, but the target y is None: give the classes")
    try:
        targets = column_or_1d(y, warn=True)
        check_classification_targets(targets)
    except (ValueError, TypeError) as error:
        raise InputError(f"y is not one class per row of X: {error}") from error
    if len(targets) != n:
        raise InputError(f"y has {len(targets)} classes for {n} rows of X; expected one for each")
    try:
        classes, numbers = np.unique(targets, return_inverse=True)
    except TypeError as error:
        raise InputError(f"y mixes kinds of classes ({error}); use one kind") from error
    return classes, np.ascontiguousarray(numbers, dtype=np.int64)
