"""Whitened principal components, computed so that the same features give the same components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pca:
    """Whitening projection: `project` gives dimensions of unit variance on the fitted rows.

    mean: (d,) float64; components: (k, d) float64, orthonormal rows, largest variance first;
    deviations: (k,) float64, the standard deviation along each component.
    """

    mean: np.ndarray
    components: np.ndarray
    deviations: np.ndarray
    variance_kept: float

    def project(self, features: np.ndarray) -> np.ndarray:
        """(n, d) to (n, k) float64."""
        projected: np.ndarray = (features.astype(np.float64) - self.mean) @ self.components.T
        projected /= self.deviations
        return projected


def fit(features: np.ndarray, n_components: int) -> Pca:
    """Principal components of the rows of `features`, (n, d).

    Eigenvectors of the float64 covariance (no random projection); the sign of each is chosen so
    that its entry of largest magnitude is positive.
    """
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    values -= mean
    eigenvalues, vectors = np.linalg.eigh(values.T @ values / (len(values) - 1))
    order = np.argsort(eigenvalues)[::-1][:n_components]
    components = vectors[:, order].T
    largest = np.argmax(np.abs(components), axis=1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    deviations = np.sqrt(eigenvalues[order])
    kept = float(eigenvalues[order].sum() / eigenvalues.sum())
    return Pca(mean, components, deviations, kept)


def unit_root_rows(features: np.ndarray) -> np.ndarray:
    """Signed square roots of the entries, then rows at length 1; float64, zero rows stay zero.

    The square root tames the few large activations of pooled ReLU features, so that the inner
    product becomes the Hellinger kernel (Arandjelovic and Zisserman, CVPR 2012).
    """
    values = features.astype(np.float64)
    values = np.sign(values) * np.sqrt(np.abs(values))
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit: np.ndarray = values / np.where(lengths > 0, lengths, 1.0)
    return unit
