"""Fit a reference: the only place of a run where training targets meet what is fitted."""

from __future__ import annotations

import numpy as np

from ..progress import Progress
from ..references import Reference
from .fitting import Fit, attempt


def fit_reference(
    reference: Reference,
    train_features: np.ndarray,
    train_targets: np.ndarray,
    progress: Progress,
) -> Fit:
    """Fit on the training features, (n, dim) float32, and their classes, (n,) int32.

    The fit has no clusters of the training rows: a score of them would not be a finding.

    Raises as `fitting.fit` does.
    """

    def fitted() -> Reference:
        return reference.fit(train_features, train_targets, progress=progress)

    _, warned, seconds = attempt("fit", reference, fitted)
    diagnostics = dict(reference.diagnostics_)
    return Fit(reference, reference.n_classes_, None, diagnostics, warned, seconds)
