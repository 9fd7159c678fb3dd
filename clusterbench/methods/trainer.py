"""Training of a stack of heads against their moving-average teacher, on features in memory.

Pairs are drawn on the fly from the nearest neighbours; there is no per-sample loader. All random
draws come from one CPU generator, so a seed gives the same draws on every device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..estimator import TrainingError
from ..progress import Progress
from .heads import DECAYED, LAST_LAYER, HeadStack, logits, new_heads
from .schedule import Schedule

#: (student logits / temperature, teacher log-probabilities) -> (heads,) losses, and what it keeps
#: between steps lives in the objective itself.
Objective = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Trained:
    """The teachers after training and the mean loss of each head in each epoch.

    Attributes:
        teacher: stack of H heads on the training device.
        losses: (epochs, H) float64 on the CPU.
    """

    teacher: HeadStack
    losses: Tensor


def train_heads(
    features: Tensor,
    neighbours: Tensor,
    n_clusters: int,
    objective: Objective,
    schedule: Schedule,
    seed: int,
    progress: Progress,
) -> Trained:
    """Train `schedule.n_heads` heads together; each sees the same pairs, none sees another.

    Args:
        features: (n, dim) float32 on the device, already scaled.
        neighbours: (n, k) int64 on the device, the sample itself excluded.
        n_clusters: K.
        objective: losses of all heads from student logits and teacher log-probabilities.
        schedule: sizes, rates and temperatures.
        seed: of weights, order and partners.
        progress: called as `progress(done, total)` after each epoch.

    Raises:
        TrainingError: the loss of every head stopped being finite.
    """
    device = features.device
    generator = torch.Generator().manual_seed(seed)
    student = {
        name: tensor.to(device).requires_grad_()
        for name, tensor in new_heads(
            schedule.n_heads,
            features.shape[1],
            n_clusters,
            generator,
            hidden=schedule.hidden,
            bottleneck=schedule.bottleneck,
        ).items()
    }
    teacher = {name: tensor.detach().clone() for name, tensor in student.items()}
    optimiser = _adamw(student, schedule.weight_decay)

    n, k = neighbours.shape
    batch = min(schedule.batch_size, n)
    steps_per_epoch = n // batch  # the incomplete last batch is left out of its epoch
    total = schedule.epochs * steps_per_epoch
    history = torch.zeros(schedule.epochs, schedule.n_heads, dtype=torch.float64)
    step = 0
    for epoch in range(schedule.epochs):
        order = torch.randperm(n, generator=generator)
        drawn = torch.randint(k, (n,), generator=generator)
        order, drawn = order.to(device), drawn.to(device)
        loss_sum = torch.zeros(schedule.n_heads, device=device)
        for first in range(0, steps_per_epoch * batch, batch):
            anchor = order[first : first + batch]
            partner = neighbours[anchor, drawn[first : first + batch]]
            x = features[torch.cat([anchor, partner])]
            with torch.no_grad():
                log_teacher = torch.log_softmax(
                    logits(teacher, x).div_(schedule.teacher_temperature), dim=2
                )
            losses = objective(logits(student, x) / schedule.student_temperature, log_teacher)
            optimiser.zero_grad(set_to_none=True)
            losses.mean().backward()
            if epoch == 0:
                # AdamW passes over a tensor without a gradient: neither moments nor decay reach
                # the last layer, and its count of steps begins in the second epoch.
                for name in LAST_LAYER:
                    student[name].grad = None
            for group in optimiser.param_groups:
                group["lr"] = schedule.rate(step, steps_per_epoch, batch)
            optimiser.step()
            _follow(teacher, student, schedule.teacher_momentum(step, total))
            loss_sum += losses.detach()
            step += 1
        history[epoch] = loss_sum.double().cpu() / steps_per_epoch
        if not torch.isfinite(history[epoch]).any():
            raise TrainingError(
                f"the loss of all {schedule.n_heads} heads is not finite in epoch {epoch + 1} of "
                f"{schedule.epochs}; lower the learning rate ({schedule.learning_rate:g})"
            )
        progress(epoch + 1, schedule.epochs)
    return Trained(teacher=teacher, losses=history)


def _adamw(student: HeadStack, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [
            {"params": [student[name] for name in DECAYED], "weight_decay": weight_decay},
            {
                "params": [t for name, t in student.items() if name not in DECAYED],
                "weight_decay": 0.0,
            },
        ],
        lr=0.0,
        fused=next(iter(student.values())).device.type in ("cpu", "cuda"),
    )


@torch.no_grad()
def _follow(teacher: HeadStack, student: HeadStack, momentum: float) -> None:
    for name, tensor in teacher.items():
        tensor.lerp_(student[name], 1.0 - momentum)
