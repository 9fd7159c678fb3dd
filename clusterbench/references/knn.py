"""Weighted k nearest neighbours by cosine similarity, exact."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..cost import Cost
from ..devices import resolve_device
from ..estimator import positive_float, positive_int
from ..neighbours.kept import nearest_of
from ..progress import Progress
from .blocks import row_blocks
from .reference import Reference


class KNN(Reference):
    """Vote of the nearest training rows, weighted by exp(cosine / temperature).

    The protocol by which frozen features are usually compared: k = 20 and temperature 0.02 are
    those of the evaluation in TEMI's code (arXiv:2303.17896); the weighting is that of Wu et al.,
    "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018.

    Args:
        n_classes: number of classes; None takes those of y.
        random_state: not used; the answer has no chance in it.
        device: "auto", "cpu" or "cuda[:N]".
        n_neighbors: neighbours that vote; all training rows if there are fewer.
        temperature: the lower, the more the nearest ones count.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench.references import KNN
        >>> X, y = [[1.0, 0.0], [1.0, 0.2], [0.0, 1.0], [0.2, 1.0]], [0, 0, 1, 1]
        >>> knn = KNN(n_classes=2, device="cpu", n_neighbors=3).fit(X, y)
        >>> knn.predict([[3.0, 1.0], [1.0, 3.0]]).tolist()
        [0, 1]
        >>> knn.predict_top([[3.0, 1.0]], 2).tolist()
        [[0, 1]]
    """

    name: ClassVar[str] = "knn"
    label: ClassVar[str] = "kNN"
    version: ClassVar[int] = 2

    def __init__(
        self,
        n_classes: int | None = None,
        random_state: int = 0,
        device: str = "auto",
        n_neighbors: int = 20,
        temperature: float = 0.02,
    ) -> None:
        super().__init__(n_classes, random_state, device)
        self.n_neighbors = positive_int("n_neighbors", n_neighbors)
        self.temperature = positive_float("temperature", temperature)

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """The neighbours of the rows to be classified among the training rows."""
        return Cost(2.0 * n_train * n_eval * dim, float(n_train) * n_eval)

    def _fit(self, features: np.ndarray, targets: np.ndarray, progress: Progress) -> None:
        progress(0, 1)
        resolve_device(self.device)
        self._features, self._targets = features, targets
        self.diagnostics_ = {"n_neighbors_used": min(self.n_neighbors, len(features))}
        progress(1, 1)

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        device = resolve_device(self.device)
        k = min(self.n_neighbors, len(self._features))
        near = nearest_of(features, self._features, k, device)
        cosines, found = near.similarities, near.ids
        result = np.empty((len(features), n), dtype=np.int64)
        for block in row_blocks(len(features), (found.shape[1] + n) * found.shape[1]):
            labels = self._targets[found[block]]
            result[block] = _vote(cosines[block], labels, self.temperature, n, self.n_classes_)
        return result


def _vote(
    cosines: np.ndarray, labels: np.ndarray, temperature: float, n: int, n_classes: int
) -> np.ndarray:
    """The n classes with the most weight: (rows, n) int64; a tie goes to the nearer neighbour's.

    cosines, labels: (rows, k), nearest first. Classes without a vote follow by their number.
    """
    # Relative to the nearest: the same ranking, and no weight overflows at a low temperature.
    weights = np.exp((cosines - cosines[:, :1]).astype(np.float64) / temperature)
    same = labels[:, :, None] == labels[:, None, :]
    votes = np.einsum("ijk,ik->ij", same, weights)
    repeated = np.tril(same, -1).any(axis=2)
    votes[repeated] = -1.0
    # As candidates after the neighbours' classes: the lowest class numbers, enough for n.
    spare = np.arange(min(n_classes, n + labels.shape[1]) if n > 1 else 0)
    spare_votes = np.where((spare[None, :, None] == labels[:, None, :]).any(axis=2), -1.0, 0.0)
    candidates = np.concatenate([labels, np.broadcast_to(spare, spare_votes.shape)], axis=1)
    order = np.argsort(-np.concatenate([votes, spare_votes], axis=1), axis=1, kind="stable")
    top: np.ndarray = np.take_along_axis(candidates, order[:, :n], axis=1)
    return top
