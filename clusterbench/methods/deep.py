"""What TEMI and SCAN share: scaling, neighbours, training, label-free choice of the head."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..cost import Cost
from ..devices import resolve_device
from ..errors import InputError
from ..estimator import TrainingError, number, positive_int, whole_number
from ..neighbours.kept import neighbours_of, search_cost
from ..progress import Progress
from .clusterer import Clusterer
from .scaling import Scaler
from .schedule import Schedule
from .top_order import led_by

if TYPE_CHECKING:
    import torch

    from .heads import HeadStack
    from .trainer import Objective

_DECAYS = ("constant", "cosine")


class DeepClusterer(Clusterer):
    """A clustering head trained on frozen features; see `TEMI` and `SCAN` for the settings."""

    #: Settings of `Schedule`, by the same names in the constructors.
    _SCHEDULE: ClassVar[tuple[str, ...]] = tuple(f.name for f in fields(Schedule))

    n_heads: int
    epochs: int
    batch_size: int
    hidden: int
    bottleneck: int
    n_neighbors: int
    learning_rate: float
    student_temperature: float
    teacher_temperature: float
    scaling: str

    def _set(self, settings: dict[str, Any]) -> None:
        """Check and store the settings common to all heads."""
        for name in ("n_heads", "epochs", "batch_size", "n_neighbors", "hidden", "bottleneck"):
            setattr(self, name, positive_int(name, settings[name]))
        for name in ("learning_rate", "student_temperature", "teacher_temperature"):
            setattr(self, name, number(name, settings[name], above=0.0))
        self.weight_decay = number("weight_decay", settings["weight_decay"], at_least=0.0)
        self.warmup_epochs = whole_number("warmup_epochs", settings["warmup_epochs"])
        self.momentum = number("momentum", settings["momentum"], at_least=0.0, at_most=1.0)
        for name in ("decay", "momentum_decay"):
            if settings[name] not in _DECAYS:
                raise InputError(f"{name}={settings[name]!r} should be constant or cosine")
            setattr(self, name, settings[name])
        self.scaling = Scaler(settings["scaling"]).scaling

    def cost(self, n_train: int, n_eval: int, dim: int) -> Cost:
        """All neighbours, the steps of training, and the clusters of all rows by all heads.

        The weights of what is no matrix product were fitted to measured times (docs/decisions.md).
        """
        steps_by_epoch = n_train // min(self.batch_size, n_train)
        rows = 2 * min(self.batch_size, n_train)
        scaler = Scaler(self.scaling)
        first = scaler.width(dim) * self.hidden
        later = self.hidden * self.bottleneck + self.bottleneck * self.n_clusters
        # Of the student forward and twice backward, of the teacher forward; no gradient of the
        # input is needed.
        products = 2.0 * rows * self.n_heads * (3 * first + 4 * later)
        between = 110 * self.hidden + 70 * self.bottleneck + 110 * self.n_clusters
        moved = self.n_heads * (30.0 * (first + later) + rows * between)
        steps = self.epochs * steps_by_epoch
        assigned = 2.0 * (self.n_heads * n_train + n_eval) * (first + later)
        search = search_cost(n_train, 0, dim) + scaler.cost(n_train, n_eval, dim)
        return Cost(steps * products + assigned, steps * moved) + search

    @abstractmethod
    def _objective(self, n_heads: int, device: torch.device) -> Objective:
        """The losses of all heads for one training run."""

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        import torch

        from .heads import assign, select_head
        from .trainer import train_heads

        n = len(features)
        if n < 2:
            raise InputError(f"n_samples={n}: a head needs at least 2 samples to have neighbours")
        device = resolve_device(self.device)
        n_neighbors = min(self.n_neighbors, n - 1)
        self._scaler = Scaler(self.scaling).fit(features)
        x = torch.tensor(features, device=device)
        # Neighbours are cosine neighbours of the features as given, whatever the heads' scaling.
        near = neighbours_of(features, n_neighbors, device, lambda *_: progress(0, self.epochs))
        neighbours = torch.tensor(near.ids, dtype=torch.int64, device=device)
        x = self._scaler.tensor(x)
        schedule = Schedule(**{name: getattr(self, name) for name in self._SCHEDULE})
        trained = train_heads(
            x,
            neighbours,
            self.n_clusters,
            self._objective(schedule.n_heads, device),
            schedule,
            self.random_state,
            progress,
        )
        losses = trained.losses[-1].numpy()
        chosen = self._select(losses)
        self._heads: HeadStack = select_head(trained.teacher, chosen)
        assigned = [
            assign(select_head(trained.teacher, h), x).cpu().numpy()
            for h in range(schedule.n_heads)
        ]
        used = [len(np.unique(labels)) for labels in assigned]
        self.diagnostics_ = {
            "head": chosen,
            "head_losses": [_jsonable(v) for v in losses.tolist()],
            "head_clusters_used": used,
            "loss_by_epoch": [_jsonable(v) for v in trained.losses[:, chosen].tolist()],
            "n_neighbors_used": n_neighbors,
            "warnings": _warnings(used, chosen, losses),
        }
        return assigned[chosen]

    @staticmethod
    def _select(losses: np.ndarray) -> int:
        """The head with the lowest mean training loss of the last epoch: no labels."""
        if not np.isfinite(losses).any():
            raise TrainingError("no head has a finite loss")
        return int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The chosen teacher's probability of each cluster.

        Args:
            X: (n_samples, dim) array of floats, or a `FeatureStore`.

        Returns:
            (n_samples, n_clusters) float32, rows that sum to 1.

        Raises:
            InputError: not fitted, or X is not a finite 2-D array of the dimension seen.
        """
        from .heads import probabilities

        x = self._scaled(self._fitted_features(X))
        proba: np.ndarray = probabilities(self._heads, x, self.teacher_temperature).cpu().numpy()
        return proba

    def _predict(self, features: np.ndarray) -> np.ndarray:
        from .heads import assign

        labels: np.ndarray = assign(self._heads, self._scaled(features)).cpu().numpy()
        return labels

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        from .heads import assign, top

        x = self._scaled(features)
        return led_by(assign(self._heads, x).cpu().numpy(), top(self._heads, x, n).cpu().numpy())

    def _scaled(self, features: np.ndarray) -> torch.Tensor:
        import torch

        return self._scaler.tensor(torch.tensor(features, device=self._heads["gain"].device))


def _jsonable(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _warnings(used: list[int], chosen: int, losses: np.ndarray) -> list[str]:
    found = []
    collapsed = [h for h, count in enumerate(used) if count < 2]
    if collapsed:
        found.append(f"heads {collapsed} collapsed to one cluster")
    broken = np.flatnonzero(~np.isfinite(losses)).tolist()
    if broken:
        found.append(f"heads {broken} ended with a loss that is not finite")
    if used[chosen] < 2:
        found.append("the chosen head put all samples into one cluster")
    return found
