"""The nearest class mean by cosine similarity."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..devices import resolve_device
from ..progress import Progress
from .blocks import first_columns, row_blocks, unit_rows
from .reference import Reference


class NearestMean(Reference):
    """Class whose mean of unit-length training rows has the largest cosine.

    What k-means would find if each centroid sat on a class. A class without a training row is
    predicted last.

    Args:
        n_classes: number of classes; None takes those of y.
        random_state: not used; the answer has no chance in it.
        device: "auto", "cpu" or "cuda[:N]".

    Attributes:
        means_: (n_classes, dim) float64, of rows of length 1; zeros for a class without rows.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        The means are (0.9, 0.3) and (0, 1):

        >>> from clusterbench.references import NearestMean
        >>> X, y = [[1.0, 0.0], [0.8, 0.6], [0.0, 2.0]], [0, 0, 1]
        >>> nearest = NearestMean(n_classes=2, device="cpu").fit(X, y)
        >>> nearest.means_.round(4).tolist()
        [[0.9, 0.3], [0.0, 1.0]]
        >>> nearest.predict([[1.0, 1.0], [1.0, 3.0]]).tolist()
        [0, 1]
    """

    name: ClassVar[str] = "nearest-mean"
    label: ClassVar[str] = "nearest mean"
    version: ClassVar[int] = 1

    def _fit(self, features: np.ndarray, targets: np.ndarray, progress: Progress) -> None:
        from scipy.sparse import csr_matrix
        from torch import device as torch_device

        n, dim = features.shape
        self._on = resolve_device(self.device)
        sums = np.zeros((self.n_classes_, dim))
        progress(0, n)
        for block in row_blocks(n, dim):
            rows = unit_rows(features[block], torch_device("cpu")).numpy().astype(np.float64)
            members = (np.ones(len(rows)), (targets[block], np.arange(len(rows))))
            one_hot = csr_matrix(members, shape=(self.n_classes_, len(rows)))
            sums += np.asarray(one_hot @ rows)
            progress(block.stop, n)
        self.means_ = sums / np.maximum(np.bincount(targets, minlength=self.n_classes_), 1)[:, None]
        self._empty = np.bincount(targets, minlength=self.n_classes_) == 0
        self.diagnostics_ = {"n_classes_without_rows": int(self._empty.sum())}

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        import torch

        directions = unit_rows(self.means_.astype(np.float32), self._on)
        empty = torch.from_numpy(self._empty).to(self._on)
        result = np.empty((len(features), n), dtype=np.int64)
        for block in row_blocks(len(features), max(self.n_classes_, features.shape[1])):
            cosines = unit_rows(features[block], self._on) @ directions.T
            result[block] = first_columns(cosines.masked_fill_(empty, -torch.inf), n)
        return result
