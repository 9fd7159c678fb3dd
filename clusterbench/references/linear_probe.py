"""Multinomial logistic regression on frozen features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..devices import resolve_device
from ..estimator import TrainingError, positive_float, positive_int
from ..feature_rows import check_standardised
from ..progress import Progress
from .blocks import first_columns, on_device, row_blocks
from .reference import Reference

if TYPE_CHECKING:
    import torch

#: Pairs of steps and gradients that L-BFGS remembers.
_HISTORY = 10

#: Change of the loss below which rounding leaves nothing more to find.
_STALLED = 1e-9


class LinearProbe(Reference):
    """Multinomial logistic regression on standardised features.

    Each dimension has mean 0 and standard deviation 1 over the training rows. Minimises the sum
    of the cross-entropies + l2 / 2 * |W|^2 over all training rows at once (the biases are not
    penalised) by L-BFGS with a strong Wolfe line search, from zero: convex, so there is one
    answer and no seed in it. scikit-learn's `LogisticRegression(C=1 / l2)` has the
    same minimum and, at l2 = 1, the same default. Logits are made for a block of rows at a time
    and are never kept.

    No setting is chosen by any data: `l2` is fixed. It is a reference, not the best linear probe.

    Args:
        n_classes: number of classes; None takes those of y.
        random_state: not used; the answer has no chance in it.
        device: "auto", "cpu" or "cuda[:N]".
        l2: strength of the penalty.
        max_iter: iterations of L-BFGS.
        tol: it ends once no entry of the gradient of the mean loss is larger, or the loss no
            longer falls.

    Attributes:
        n_iter_: iterations of L-BFGS.

    Raises:
        InputError: a setting of another type or range.

    Examples:
        >>> from clusterbench.references import LinearProbe
        >>> X, y = [[1.0, 0.0], [1.0, 0.2], [0.0, 1.0], [0.2, 1.0]], [0, 0, 1, 1]
        >>> probe = LinearProbe(n_classes=2, device="cpu").fit(X, y)
        >>> probe.predict([[3.0, 1.0], [1.0, 3.0]]).tolist()
        [0, 1]
        >>> probe.coef_.shape, probe.intercept_.shape
        ((2, 2), (2,))
    """

    name: ClassVar[str] = "linear-probe"
    label: ClassVar[str] = "linear probe"
    version: ClassVar[int] = 1

    def __init__(
        self,
        n_classes: int | None = None,
        random_state: int = 0,
        device: str = "auto",
        l2: float = 1.0,
        max_iter: int = 200,
        tol: float = 1e-5,
    ) -> None:
        super().__init__(n_classes, random_state, device)
        self.l2 = positive_float("l2", l2, zero=True)
        self.max_iter = positive_int("max_iter", max_iter)
        self.tol = positive_float("tol", tol)

    def _fit(self, features: np.ndarray, targets: np.ndarray, progress: Progress) -> None:
        import torch

        device = resolve_device(self.device)
        self._moments = _moments(features)
        loss = _Loss(features, targets, self._moments, self.n_classes_, device, self.l2)
        weights = torch.zeros((features.shape[1] + 1, self.n_classes_), device=device)
        weights.requires_grad_()
        limit = self.max_iter * 5 // 4  # a line search may try more than one step
        optimizer = torch.optim.LBFGS(
            [weights],
            max_iter=self.max_iter,
            max_eval=limit,
            tolerance_grad=self.tol,
            tolerance_change=_STALLED,
            history_size=_HISTORY,
            line_search_fn="strong_wolfe",
        )
        evaluations = 0

        def closure() -> torch.Tensor:
            nonlocal evaluations
            progress(min(evaluations, limit - 1), limit)
            evaluations += 1
            value, weights.grad = loss(weights.detach())
            if not np.isfinite(float(value)):
                raise TrainingError(
                    f"the loss of the linear probe is {float(value)} after {evaluations} "
                    "evaluations; choose a larger l2"
                )
            return value

        optimizer.step(closure)
        progress(limit, limit)
        self._weights = weights.detach()
        self.n_iter_ = int(optimizer.state[weights]["n_iter"])
        value, gradient = loss(self._weights)
        largest = float(gradient.abs().max())
        self.diagnostics_ = {
            "loss": float(value),
            "largest_gradient": largest,
            "iterations": self.n_iter_,
            "evaluations": evaluations,
            "converged": largest <= self.tol,
        }

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        weights = self._weights
        result = np.empty((len(features), n), dtype=np.int64)
        for block in row_blocks(len(features), max(self.n_classes_, features.shape[1])):
            rows = self._moments.standardised(features[block], weights.device)
            check_standardised(rows, block.start)
            result[block] = first_columns(rows @ weights[:-1] + weights[-1], n)
        return result

    @property
    def coef_(self) -> np.ndarray:
        """(n_classes, dim) float32, for standardised features."""
        return self._weights[:-1].T.cpu().numpy()

    @property
    def intercept_(self) -> np.ndarray:
        """(n_classes,) float32."""
        return self._weights[-1].cpu().numpy()


@dataclass(frozen=True, eq=False)
class _Moments:
    """mean, deviation: (dim,) float32 over training rows; a constant dimension has deviation 1."""

    mean: np.ndarray
    deviation: np.ndarray

    def standardised(self, features: np.ndarray, device: torch.device) -> torch.Tensor:
        rows = on_device(features, device)
        return rows.sub_(on_device(self.mean, device)).div_(on_device(self.deviation, device))


def _moments(features: np.ndarray) -> _Moments:
    """Moments in two passes of blocks: a copy of all rows would double the memory."""
    n, dim = features.shape
    mean, variance = np.zeros(dim), np.zeros(dim)
    for block in row_blocks(n, dim):
        mean += features[block].sum(axis=0, dtype=np.float64) / n
    for block in row_blocks(n, dim):
        variance += ((features[block] - mean) ** 2).sum(axis=0) / n
    deviation = np.sqrt(variance)
    # Of a constant dimension only rounding is left, which must not be blown up to 1.
    constant = deviation <= 1e-6 * np.abs(mean)
    deviation[constant] = 1.0
    return _Moments(mean.astype(np.float32), deviation.astype(np.float32))


class _Loss:
    """Mean over rows of cross-entropy and penalty, and its gradient, block by block."""

    def __init__(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        moments: _Moments,
        n_classes: int,
        device: torch.device,
        l2: float,
    ) -> None:
        import torch

        self.features, self.moments, self.device = features, moments, device
        self.l2 = l2 / len(features)
        self.targets = torch.from_numpy(targets).to(device)
        self.width = max(n_classes, features.shape[1])

    def __call__(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Value () float64 and gradient (dim + 1, n_classes) at weights of the same shape."""
        import torch

        n = len(self.features)
        gradient = torch.zeros_like(weights)
        value = torch.zeros((), dtype=torch.float64, device=self.device)
        for block in row_blocks(n, self.width):
            rows = self.moments.standardised(self.features[block], self.device)
            logits = torch.log_softmax(rows @ weights[:-1] + weights[-1], dim=1)
            own = self.targets[block][:, None]
            value -= logits.gather(1, own).sum(dtype=torch.float64)
            residual = logits.exp_()
            residual.scatter_add_(1, own, torch.full_like(own, -1, dtype=residual.dtype))
            gradient[:-1] += rows.T @ residual
            gradient[-1] += residual.sum(dim=0)
        gradient /= n
        gradient[:-1] += self.l2 * weights[:-1]
        penalty = self.l2 / 2 * weights[:-1].double().square().sum()
        return value / n + penalty, gradient
