"""k-means as the text-book has it, in float64 and without a thought for speed."""

from __future__ import annotations

import numpy as np


def nearest(rows: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and squared distances: of equally near centroids the lowest number."""
    rows, centroids = rows.astype(np.float64), centroids.astype(np.float64)
    labels, squared = [], []
    for row in rows:
        distances = ((row - centroids) ** 2).sum(axis=1)
        labels.append(int(distances.argmin()))
        squared.append(distances.min())
    return np.array(labels), np.array(squared)


def means(rows: np.ndarray, labels: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Mean of each cluster; an empty one stays where it is."""
    result = centroids.astype(np.float64)
    for k in range(len(centroids)):
        if (labels == k).any():
            result[k] = rows[labels == k].astype(np.float64).mean(axis=0)
    return result.astype(np.float32)
