"""The nearest neighbours of many rows, as they are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Graph:
    """The k nearest rows of each row, the nearest first.

    Attributes:
        ids: (n, k) int32, row numbers; of equally near rows the lower number comes first.
        similarities: (n, k) float16, rounded cosines, 0 where one of the two rows is all zeros;
            float32 of rows among others, which are not kept.
    """

    ids: np.ndarray
    similarities: np.ndarray

    def first(self, k: int) -> Graph:
        """The graph of the first k neighbours alone; no copy."""
        return Graph(self.ids[:, :k], self.similarities[:, :k])
