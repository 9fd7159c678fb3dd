"""Training of the stack against a plain loop over torch modules, with the same draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clusterbench.heads.losses.objectives import Objective, ScanObjective, TemiObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import HeadStack, new_heads
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows

N, DIM, CLUSTERS, NEIGHBOURS = 53, 7, 4, 5
TEMPERATURE, BETA, ALPHA = 0.1, 0.6, 5.0
# A decay and rates so large that a wrong tensor, step or factor of them is seen.
SETTINGS = {
    "n_heads": 3,
    "batch_size": 16,
    "learning_rate": 0.2,
    "weight_decay": 0.5,
    "momentum": 0.9,
    "hidden": 12,
    "bottleneck": 6,
}


def turned(matrix: Tensor) -> Tensor:
    """From (in, out), as ours, to (out, in), as torch's, or back."""
    return matrix.mT


class PlainHead(nn.Module):
    """Linear, GELU, Linear, L2-normalise, weight-normalised Linear."""

    def __init__(self, start: HeadStack, h: int) -> None:
        super().__init__()
        dim, hidden = start["weight_1"].shape[1:]
        bottleneck, n_clusters = start["direction"].shape[1:]
        self.first, self.second = nn.Linear(dim, hidden), nn.Linear(hidden, bottleneck)
        last = nn.Linear(bottleneck, n_clusters, bias=False)
        self.last = nn.utils.parametrizations.weight_norm(last, dim=0)
        with torch.no_grad():
            for name, parameter in self.named().items():
                parameter.copy_(turned(start[name][h]).reshape(parameter.shape))

    def named(self) -> dict[str, nn.Parameter]:
        """The parameters by our names."""
        weight = self.last.parametrizations.weight
        return {
            "weight_1": self.first.weight,
            "bias_1": self.first.bias,
            "weight_2": self.second.weight,
            "bias_2": self.second.bias,
            "direction": weight.original1,
            "gain": weight.original0,
        }

    def forward(self, x: Tensor) -> Tensor:
        z = self.second(nn.functional.gelu(self.first(x)))
        return torch.softmax(self.last(z / z.norm(dim=1, keepdim=True)) / TEMPERATURE, dim=1)


#: Probabilities of student and teacher, a list of heads each of two views -> losses of the heads.
PlainLoss = Callable[[list[list[Tensor]], list[list[Tensor]]], list[Tensor]]


@dataclass
class PlainTemi:
    """TEMI's loss, head by head."""

    marginals: dict[int, Tensor] = field(default_factory=dict)

    def __call__(self, student: list[list[Tensor]], teacher: list[list[Tensor]]) -> list[Tensor]:
        agreement = [(one * other).sum(dim=1) for one, other in teacher]
        weight = sum(agreement) / len(agreement)
        losses = []
        for h, (s, t) in enumerate(zip(student, teacher, strict=True)):
            p = self.marginals.get(h, torch.full((CLUSTERS,), 1 / CLUSTERS))
            p = self.marginals[h] = 0.9 * p + 0.1 * torch.cat(t).mean(dim=0)
            both = [((s[a] * t[1 - a]) ** BETA / p).sum(dim=1).log() for a in (0, 1)]
            losses.append(-0.5 * ((weight * both[0]).mean() + (weight * both[1]).mean()))
        return losses


def plain_scan(student: list[list[Tensor]], teacher: list[list[Tensor]]) -> list[Tensor]:
    """SCANv2's loss, head by head."""
    losses = []
    for s, t in zip(student, teacher, strict=True):
        consistency = [-(s[a] * t[1 - a]).sum(dim=1).log().mean() for a in (0, 1)]
        entropy = [-(mean * mean.log()).sum() for mean in (v.mean(dim=0) for v in s)]
        losses.append(0.5 * sum(consistency) - ALPHA * 0.5 * sum(entropy))
    return losses


def plain_loop(
    features: Tensor, table: Tensor, schedule: Schedule, seed: int, loss: PlainLoss
) -> tuple[list[PlainHead], Tensor]:
    """Teachers and mean losses (epochs, heads) of the recipe, written with torch's own parts."""
    generator = torch.Generator().manual_seed(seed)
    start = new_heads(
        schedule.n_heads, DIM, CLUSTERS, generator, schedule.hidden, schedule.bottleneck
    )
    students = [PlainHead(start, h) for h in range(schedule.n_heads)]
    teachers = [PlainHead(start, h) for h in range(schedule.n_heads)]
    batch = schedule.batch_size
    steps = N // batch
    peak = schedule.learning_rate * batch / 256
    rates = list(np.linspace(0.0, peak, schedule.warmup_epochs * steps))
    total = schedule.epochs * steps
    left = total - len(rates)
    for step in range(left):
        falling = 0.5 * peak * (1 + math.cos(math.pi * step / left))
        rates.append(falling if schedule.decay == "cosine" else peak)

    def groups(names: set[str]) -> list[dict[str, object]]:
        tensors = [p for s in students for name, p in s.named().items() if name in names]
        return [
            {"params": [p for p in tensors if p.ndim > 1], "weight_decay": schedule.weight_decay},
            {"params": [p for p in tensors if p.ndim == 1], "weight_decay": 0.0},
        ]

    optimiser = torch.optim.AdamW(groups({"weight_1", "bias_1", "weight_2", "bias_2"}))
    history = []
    for epoch in range(schedule.epochs):
        if epoch == 1:  # before it the optimiser does not know of the last layer
            optimiser.add_param_group(groups({"direction", "gain"})[0])
        order = torch.randperm(N, generator=generator)
        drawn = torch.randint(NEIGHBOURS, (N,), generator=generator)
        losses_of_steps = []
        for i in range(steps):
            step = epoch * steps + i
            anchors = order[i * batch : (i + 1) * batch]
            partners = torch.stack(
                [table[a, drawn[i * batch + j]] for j, a in enumerate(anchors.tolist())]
            )
            views = (features[anchors], features[partners])
            with torch.no_grad():
                q_t = [[teacher(view) for view in views] for teacher in teachers]
            losses = torch.stack(loss([[s(view) for view in views] for s in students], q_t))
            for student in students:
                student.zero_grad()
            losses.mean().backward()
            for group in optimiser.param_groups:
                group["lr"] = float(rates[step])
            optimiser.step()
            m = schedule.momentum
            if schedule.momentum_decay == "cosine":
                m = 1 - (1 - m) * 0.5 * (1 + math.cos(math.pi * step / total))
            with torch.no_grad():
                for teacher, student in zip(teachers, students, strict=True):
                    for mine, theirs in zip(
                        teacher.parameters(), student.parameters(), strict=True
                    ):
                        mine.copy_(m * mine + (1 - m) * theirs)
            losses_of_steps.append(losses.detach())
        history.append(torch.stack(losses_of_steps).mean(dim=0))
    return teachers, torch.stack(history)


@pytest.fixture
def double_precision() -> Iterator[None]:
    """Rounding in float32 grows over the steps; in float64 every step can be compared."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def objectives(method: str) -> tuple[Objective, PlainLoss]:
    if method == "temi":
        return TemiObjective(BETA, 0.9, True), PlainTemi()
    return ScanObjective(ALPHA), plain_scan


def compare(
    method: str, schedule: Schedule, tolerance: float, tile_numbers: int | None = None
) -> None:
    drawing = torch.Generator().manual_seed(11)
    features = torch.randn(N, DIM, generator=drawing)
    table = torch.randint(N, (N, NEIGHBOURS), generator=drawing)
    ours, theirs = objectives(method)

    trained = train_heads(
        HeldRows(features, table), CLUSTERS, ours, schedule, 5, tile_numbers=tile_numbers
    )
    teachers, losses = plain_loop(features, table, schedule, 5, theirs)

    torch.testing.assert_close(trained.losses, losses.double(), rtol=tolerance, atol=tolerance)
    for h, teacher in enumerate(teachers):
        for name, parameter in teacher.named().items():
            torch.testing.assert_close(
                turned(trained.teacher[name][h]).reshape(parameter.shape),
                parameter.detach(),
                rtol=tolerance,
                atol=tolerance,
                msg=lambda text, name=name, h=h: f"{name} of head {h}: {text}",
            )


@pytest.mark.parametrize("method", ["temi", "scan"])
class TestAgainstAPlainLoop:
    def test_one_step_with_every_layer_moving(self, method: str) -> None:
        # Given batches of all rows, so that the second epoch is the last layer's first step
        schedule = Schedule(**{**SETTINGS, "batch_size": N}, epochs=2, warmup_epochs=0)
        compare(method, schedule, 1e-5)

    @pytest.mark.usefixtures("double_precision")
    @pytest.mark.parametrize("decay", ["constant", "cosine"])
    def test_several_epochs_to_the_last_digits(self, method: str, decay: str) -> None:
        # Given three batches an epoch, five rows left out of each, and a warm-up of two epochs
        schedule = Schedule(
            **SETTINGS, epochs=6, warmup_epochs=2, decay=decay, momentum_decay=decay
        )
        compare(method, schedule, 1e-9)

    @pytest.mark.usefixtures("double_precision")
    @pytest.mark.parametrize(
        "numbers",
        [
            2 * 2 * 16 * CLUSTERS,  # two heads of all pairs
            2 * 16 * CLUSTERS,  # one head
            2 * 5 * CLUSTERS,  # one head, five pairs
            1,  # one head, one pair
        ],
    )
    def test_tiles_of_any_size(self, method: str, numbers: int) -> None:
        schedule = Schedule(**SETTINGS, epochs=3, warmup_epochs=1)
        compare(method, schedule, 1e-9, tile_numbers=numbers)

    @pytest.mark.usefixtures("double_precision")
    def test_the_epoch_in_which_the_last_layer_rests(self, method: str) -> None:
        compare(method, Schedule(**SETTINGS, epochs=1, warmup_epochs=0), 1e-9)
