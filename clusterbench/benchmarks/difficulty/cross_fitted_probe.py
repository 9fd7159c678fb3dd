"""How well a linear classifier tells the classes apart: a cross-fitted logistic regression.

Multinomial logistic regression on features that are centred, scaled (see `scaled_unit_integers`)
and of unit length, without an intercept (every class has equally many images, and the features are
centred):

    minimise  mean_i -log softmax(W x_i)[y_i]  +  l2 / 2 * |W|^2

by Nesterov's accelerated gradient descent over all images at once, from W = 0, with the step 1 / L
and the momentum (t - 1) / (t + 2). L = lambda_max(mean x x^T) / 2 + l2 bounds the curvature
(Boehning, "Multinomial logistic regression algorithm", 1992). The number of steps is fixed, so
that nothing is decided by a comparison of rounded numbers.

Every sum runs over integers (see `probe_arithmetic`), so the answer is the same, bit for bit, in
any order of rows, dimensions and blocks, with any BLAS, number of threads and device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ...errors import InputError
from ...progress import Progress
from .class_ranking import ProbeSettings
from .probe_arithmetic import (
    MAX_ROWS,
    PROBABILITY_BITS,
    grid_probabilities,
    grid_weights,
    largest_eigenvalue_bound,
)
from .unit_integers import NORM, scaled_unit_integers, unit_integers

_CPU_CELLS = 1 << 17  # logits held at a time: what stays in a core's cache
_GPU_CELLS = 1 << 26
_LEAST_ROWS = 256  # of a block, so that a product is worth its call


@dataclass(frozen=True, eq=False)
class _Rows:
    """Training images: features (n, dim) float32 of integers, labels (n,) int64, on a device."""

    features: torch.Tensor
    labels: torch.Tensor
    n_classes: int
    block_rows: int

    def blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(b, dim) float64 and (b,) labels, in order."""
        features = self.features.split(self.block_rows)
        for block, labels in zip(features, self.labels.split(self.block_rows), strict=True):
            yield block.to(torch.float64), labels


def probe_correct(
    features: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    n_classes: int,
    *,
    settings: ProbeSettings | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> np.ndarray:
    """(n,) bool: whether a probe trained on the other folds gives the image its class.

    features: (n, dim) real numbers. labels: (n,) in [0, n_classes). folds: (n,) in [0, F), at
    least two of them. An image counts when the logit of its class is above all others. Each fold
    is centred and scaled by the images its probe is trained on. progress: (steps done, in all).

    Time O(F steps n n_classes dim); memory 2 n dim float32, 4 n_classes dim float64 and a block of
    logits. Raises InputError for a feature that is zero or not finite, fewer than two folds, and
    2^21 rows or more.
    """
    settings = settings or ProbeSettings()
    if len(features) >= MAX_ROWS:
        raise InputError(f"{len(features)} images should be < {MAX_ROWS} for exact gradients")
    found = np.unique(folds)
    if len(found) < 2:
        raise InputError(f"{len(found)} folds should be >= 2: a probe is scored on images it lacks")
    integers = unit_integers(features)
    correct = np.zeros(len(features), dtype=bool)
    total = len(found) * settings.steps
    for position, fold in enumerate(found):
        held_out = folds == fold
        rows = _to_device(integers, labels, ~held_out, ~held_out, n_classes, device)

        def tell(step: int, done: int = position * settings.steps) -> None:
            if progress is not None:
                progress(done + step, total)

        weights = fit_weights(rows, settings, tell)
        del rows
        rows = _to_device(integers, labels, ~held_out, held_out, n_classes, device)
        correct[held_out] = _recognised(rows, weights)
    return correct


def fit_weights(
    rows: _Rows, settings: ProbeSettings, tell: Callable[[int], None] | None = None
) -> torch.Tensor:
    """(n_classes, dim) float64: the weights after the last step, for features of length 1."""
    n, dim = rows.features.shape
    gram = rows.features.new_zeros((dim, dim), dtype=torch.float64)
    for block, _ in rows.blocks():
        gram += block.T @ block
    curvature = largest_eigenvalue_bound(gram) / (NORM * NORM * n) / 2 + settings.l2
    step = 1 / curvature
    ahead = gram.new_zeros((rows.n_classes, dim))
    weights = ahead
    for t in range(1, settings.steps + 1):
        change = gradient(rows, ahead, settings.l2).mul_(step)
        moved = ahead - change
        ahead = (moved - weights).mul_((t - 1) / (t + 2)).add_(moved)
        weights = moved
        if tell is not None:
            tell(t)
    return weights


def gradient(rows: _Rows, weights: torch.Tensor, l2: float) -> torch.Tensor:
    """(n_classes, dim) float64: of the objective above, at `weights` on their grid."""
    grid = grid_weights(weights)
    total = torch.zeros_like(weights)
    one = float(1 << PROBABILITY_BITS)
    for block, labels in rows.blocks():
        error = grid_probabilities(block @ grid.T).to(torch.float64)
        error[torch.arange(len(labels), device=labels.device), labels] -= one
        total.addmm_(error.T, block)
    return total.mul_(1 / (NORM * one * len(rows.labels))).add_(weights * l2)


def _recognised(rows: _Rows, weights: torch.Tensor) -> np.ndarray:
    grid = grid_weights(weights)
    found = []
    for block, labels in rows.blocks():
        logits = block @ grid.T
        own = logits.gather(1, labels[:, None])
        others = logits.scatter_(1, labels[:, None], -torch.inf)
        found.append(own[:, 0] > others.amax(dim=1))
    return torch.cat(found).cpu().numpy()


def _to_device(
    integers: np.ndarray,
    labels: np.ndarray,
    fitted: np.ndarray,
    wanted: np.ndarray,
    n_classes: int,
    device: str | torch.device,
) -> _Rows:
    """The wanted rows, centred and scaled by the fitted ones."""
    features = scaled_unit_integers(integers, fitted, wanted)
    cells = _CPU_CELLS if torch.device(device).type == "cpu" else _GPU_CELLS
    return _Rows(
        torch.from_numpy(features).to(device),
        torch.from_numpy(labels[wanted].astype(np.int64)).to(device),
        n_classes,
        max(_LEAST_ROWS, cells // n_classes),
    )
