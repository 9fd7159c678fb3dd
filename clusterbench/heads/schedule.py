"""How heads are trained: sizes, learning rate and teacher momentum over the steps."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How the heads are trained; the defaults are TEMI's published recipe (see `TEMI`).

    hidden, bottleneck, depth, last and spaces: as `stack.new_heads` takes them.
    rate_per: pairs for which `learning_rate` is, in proportion; 0 for any number.
    """

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
    depth: int = 2
    last: str = "cosine"
    spaces: tuple[int, ...] = ()
    rate_per: int = 256

    def rate(self, step: int, steps_per_epoch: int, batch: int) -> float:
        """Learning rate at a step: linear warm-up to the peak, then decay.

        The peak is `learning_rate * batch / rate_per`.
        The warm-up goes from 0 at the first step to the full rate at the last of its own, as in
        TEMI's code.

        Args:
            step: from 0, counted over all epochs.
            steps_per_epoch: steps of one epoch.
            batch: pairs per step.

        Returns:
            The rate; after the warm-up decay "constant" keeps it, "cosine" takes it to zero over
            the remaining steps, and "halving" halves it after each third of the epochs.
        """
        peak = self.learning_rate * (batch / self.rate_per if self.rate_per else 1.0)
        total = self.epochs * steps_per_epoch
        warmup = min(self.warmup_epochs, self.epochs) * steps_per_epoch
        if step < warmup:
            return peak * step / max(1, warmup - 1)
        if self.decay == "constant":
            return peak
        if self.decay == "halving":
            return peak * 0.5 ** min(2, 3 * (step // steps_per_epoch) // self.epochs)
        return 0.5 * peak * (1.0 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

    def teacher_momentum(self, step: int, total: int) -> float:
        """Momentum of the moving average at a step of `total`; "cosine" ends at 1."""
        if self.momentum_decay == "constant":
            return self.momentum
        return 1.0 - (1.0 - self.momentum) * 0.5 * (1.0 + math.cos(math.pi * step / total))


def widths(dim: int, hidden: int, depth: int, bottleneck: int) -> list[int]:
    """Of rows of `dim` before each of a head's layers and after the last: depth + 1 numbers."""
    return [dim, *[hidden] * (depth - 1), bottleneck] if depth else [dim]
