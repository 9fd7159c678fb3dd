"""What TEMI and SCAN share: scaling, neighbours, training, label-free choice of the head."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import torch

from ..errors import InputError
from .base import Clusterer, Progress, TrainingError, positive_int, resolve_device
from .heads import logits, select_head
from .neighbours import nearest_neighbours
from .scaling import Scaler
from .trainer import Objective, Schedule, train_heads

_PREDICT_ROWS = 8192
_DECAYS = ("constant", "cosine")


class DeepClusterer(Clusterer):
    """A clustering head trained on frozen features; see `TEMI` and `SCAN` for the settings."""

    #: Settings of `Schedule`, by the same names in the constructors.
    _SCHEDULE: ClassVar[tuple[str, ...]] = tuple(f.name for f in fields(Schedule))

    n_heads: int
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
            setattr(self, name, _number(name, settings[name], above=0.0))
        self.weight_decay = _number("weight_decay", settings["weight_decay"], at_least=0.0)
        self.warmup_epochs = int(_number("warmup_epochs", settings["warmup_epochs"], at_least=0.0))
        self.momentum = _number("momentum", settings["momentum"], at_least=0.0, at_most=1.0)
        for name in ("decay", "momentum_decay"):
            if settings[name] not in _DECAYS:
                raise InputError(f"{name}={settings[name]!r} should be constant or cosine")
            setattr(self, name, settings[name])
        self.scaling = Scaler(settings["scaling"]).scaling

    @abstractmethod
    def _objective(self, n_heads: int, device: torch.device) -> Objective:
        """The losses of all heads for one training run."""

    def _fit(self, features: np.ndarray, progress: Progress) -> np.ndarray:
        device = resolve_device(self.device)
        n = len(features)
        if n < 2:
            raise InputError(f"n_samples={n}: a head needs at least 2 samples to have neighbours")
        n_neighbors = min(self.n_neighbors, n - 1)
        self._scaler = Scaler(self.scaling).fit(features)
        x = torch.from_numpy(self._scaler(features)).to(device)
        # Neighbours are cosine neighbours of the features as given, whatever the heads' scaling.
        raw = torch.from_numpy(features).to(device)
        neighbours = nearest_neighbours(raw, n_neighbors)
        del raw
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
        chosen = self._select(trained.losses[-1].numpy())
        self._heads = select_head(trained.teacher, chosen)
        labels = self._predict_tensor(x)
        used = [
            len(np.unique(self._predict_tensor(x, select_head(trained.teacher, h))))
            for h in range(schedule.n_heads)
        ]
        self.diagnostics_ = {
            "head": chosen,
            "head_losses": [_jsonable(v) for v in trained.losses[-1].tolist()],
            "head_clusters_used": used,
            "loss_by_epoch": [_jsonable(v) for v in trained.losses[:, chosen].tolist()],
            "n_neighbors_used": n_neighbors,
            "warnings": _warnings(used, chosen, trained.losses[-1].numpy()),
        }
        return labels

    @staticmethod
    def _select(losses: np.ndarray) -> int:
        """The head with the lowest mean training loss of the last epoch: no labels."""
        if not np.isfinite(losses).any():
            raise TrainingError("no head has a finite loss")
        return int(np.nanargmin(np.where(np.isfinite(losses), losses, np.nan)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The chosen teacher's probabilities: (n_samples, n_clusters) float32."""
        x = self._scaler(self._checked(X))
        blocks = [
            torch.softmax(block / self.teacher_temperature, dim=1).cpu().numpy()
            for block in self._logit_blocks(torch.from_numpy(x), self._heads)
        ]
        return np.concatenate(blocks)

    def _predict(self, features: np.ndarray) -> np.ndarray:
        return self._predict_tensor(torch.from_numpy(self._scaler(features)))

    def _predict_top(self, features: np.ndarray, n: int) -> np.ndarray:
        x = torch.from_numpy(self._scaler(features))
        blocks = self._logit_blocks(x, self._heads)
        return np.concatenate([block.topk(n, dim=1).indices.cpu().numpy() for block in blocks])

    def _predict_tensor(self, x: torch.Tensor, heads: Any = None) -> np.ndarray:
        blocks = self._logit_blocks(x, self._heads if heads is None else heads)
        return np.concatenate([block.argmax(dim=1).cpu().numpy() for block in blocks])

    @torch.no_grad()
    def _logit_blocks(self, x: torch.Tensor, heads: Any) -> list[torch.Tensor]:
        device = next(iter(heads.values())).device
        return [logits(heads, block.to(device))[0] for block in x.split(_PREDICT_ROWS)]


def _number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not usable or not math.isfinite(value) or value <= above or not at_least <= value <= at_most:
        bounds = f"> {above:g}" if above > -math.inf else f">= {at_least:g}"
        upper = f" and <= {at_most:g}" if at_most < math.inf else ""
        raise InputError(f"{name}={value!r} should be a number {bounds}{upper}")
    return float(value)


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
