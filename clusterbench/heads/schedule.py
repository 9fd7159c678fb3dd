"""How heads are trained: sizes, learning rate and teacher momentum over the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How the heads are trained; the defaults are TEMI's published recipe (see `TEMI`)."""

    n_heads: int = 16
    epochs: int = 100
    batch_size: int = 1024
    learning_rate: float = 1e-4
    warmup_epochs: int = 20
    decay: str = "constant"
    weight_decay: float = 1e-4
    momentum: float = 0.996
    momentum_decay: str = "constant"
    student_temperature: float = 0.1
    teacher_temperature: float = 0.1
    hidden: int = 512
    bottleneck: int = 256

    def rate(self, step: int, steps_per_epoch: int, batch: int) -> float:
        """Learning rate at a step: linear warm-up to `learning_rate * batch / 256`, then decay.

        The warm-up goes from 0 at the first step to the full rate at the last of its own, as in
        TEMI's code.

        Args:
            step: from 0, counted over all epochs.
            steps_per_epoch: steps of one epoch.
            batch: pairs per step.

        Returns:
            The rate; after the warm-up decay "constant" keeps it, and "cosine" takes it to zero
            over the remaining steps.
        """
        peak = self.learning_rate * batch / 256
        total = self.epochs * steps_per_epoch
        warmup = min(self.warmup_epochs, self.epochs) * steps_per_epoch
        if step < warmup:
            return peak * step / max(1, warmup - 1)
        if self.decay == "constant":
            return peak
        return 0.5 * peak * (1.0 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    def teacher_momentum(self, step: int, total: int) -> float:
        """Momentum of the moving average at a step of `total`; "cosine" ends at 1."""
        if self.momentum_decay == "constant":
            return self.momentum
        return 1.0 - (1.0 - self.momentum) * 0.5 * (1.0 + math.cos(math.pi * step / total))
