"""What every method shares: scikit-learn's habits, checked input, an explicit device and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import InputError
from ..estimator import Estimator, positive_int
from ..progress import Progress, unseen

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from ..kmeans.lloyd import Group


class Clusterer(Estimator, ABC):
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

    n_clusters: int
    _fitted: ClassVar[str] = "labels_"

    def __init__(self, n_clusters: int = 8, random_state: int = 0, device: str = "auto") -> None:
        super().__init__(random_state, device)
        self.n_clusters = positive_int("n_clusters", n_clusters)

    def fit(self, X: Any, y: Any = None, *, progress: Progress | None = None) -> Self:
        """Find `n_clusters` clusters in X.

        Args:
            X: (n_samples, dim) features (see `feature_rows.as_features`), or a `FeatureStore`.
            y: not looked at, whatever it is: it is there for scikit-learn's pipelines.
            progress: called as `progress(done, total)` while the fit goes on.

        Raises:
            InputError: X is not a usable 2-D array, or has fewer rows than clusters.
        """
        del y  # nothing that fits sees a label
        features = self._features_to_fit(X)
        check_enough(features.shape[0], self.n_clusters)
        self.labels_ = self._fit(features, progress or unseen)
        return self

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether `fit` takes `checkpoint=`, a path that a fit which was killed goes on from.

        `clusterbench run` hands one of its own to such methods.
        """
        return False

    @property
    def shares_fit(self) -> bool:
        """Whether these settings let several processes fit together (`fit_share`)."""
        return False

    def fit_share(
        self,
        X: Any,
        group: Group,
        *,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Find `n_clusters` clusters in the rows of all processes, each of which calls this.

        Every process comes to what `fit` on all rows comes to, but `labels_` are of its own rows.

        Args:
            X: as `fit` takes it, the rows of this process; they follow those of the one before.
            group: the processes (`clusterbench.kmeans.processes.joined`).
            checkpoint: a file, or a folder for some methods, that a fit which was killed goes on
                from, in any number of processes; it is left to the caller to remove it. None
                writes none.
            progress: as in `fit`.

        Raises:
            InputError: X is not a usable 2-D array, there are fewer rows than clusters, the
                method cannot share a fit, or the checkpoint is not one of this fit.
        """
        if not self.shares_fit:
            raise InputError(f"{self.name} with these settings cannot share a fit; use fit")
        features = self._features_to_fit(X)
        n = group.total(np.array([len(features)], dtype=np.int64))
        check_enough(int(n[0]), self.n_clusters)
        self.labels_ = self._fit_share(features, group, checkpoint, progress or unseen)
        return self

    def _fit_share(
        self, features: np.ndarray, group: Group, checkpoint: Path | None, progress: Progress
    ) -> np.ndarray:
        """As `_fit`, of a method that shares a fit."""
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of each row of X: (n_samples,) int64 in [0, n_clusters)."""
        return self._predict(self._fitted_features(X))

    def fit_predict(self, X: Any, y: Any = None, *, progress: Progress | None = None) -> np.ndarray:
        """`fit(X)`, then `labels_`; y is not looked at."""
        del y
        self.fit(X, progress=progress)
        return self.labels_

    def predict_top(self, X: Any, n: int) -> np.ndarray:
        """The `n` most likely clusters of each row, best first: (n_samples, n) int64.

        The first is the one that `predict` gives; no cluster stands twice in a row.
        """
        if (
            isinstance(n, bool)
            or not isinstance(n, (int, np.integer))
            or not 1 <= n <= self.n_clusters
        ):
            raise InputError(f"n={n} should be in 1..n_clusters={self.n_clusters}")
        return self._predict_top(self._fitted_features(X), n)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.estimator_type = "clusterer"
        return tags

    @abstractmethod
    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray: ...

    @abstractmethod
    def _predict(self, features: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray: ...


def check_enough(n_samples: int, n_clusters: int) -> None:
    """Refuse fewer rows than clusters."""
    if n_samples < n_clusters:
        raise InputError(f"n_samples={n_samples} should be >= n_clusters={n_clusters}")
