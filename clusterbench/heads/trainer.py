"""Training of a stack of heads against their moving-average teacher.

All heads see the same pairs, whatever the number of threads and processes that
share them. Draws come from one CPU generator, so a seed gives the same draws on every device.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..cost import give_back_memory
from ..estimator import TrainingError
from ..progress import Progress, unseen
from .lanes import Lanes
from .lessons.distillation import Distillation
from .lessons.lesson import Lesson, Taught, TrainingBatch
from .losses.objectives import Objective
from .one_of_many import OneOfMany, Single
from .schedule import Schedule
from .stack import HeadStack, n_clusters_of, new_heads
from .training_log import Epoch, TrainingLog
from .training_rows import TrainingRows
from .training_state import NoKeeper, StateKeeper
from .updates.optimiser import HeadOptimiser

_log = logging.getLogger(__name__)

#: Steps between two looks at whether the loss is still finite: each waits for a GPU.
_LOOK_EVERY = 100


@dataclass(frozen=True)
class Trained:
    """The teachers after training and what became of each head in each epoch.

    Attributes:
        teacher: stack of the heads of this process, on the training device.
        losses: (epochs, heads) float64 on the CPU, mean training losses.
        history: the epochs, of the heads of all processes.
        steps: taken in all, those before a resumption included.
        resumed: of these, steps that an earlier training had taken whose state this one went on
            from.
    """

    teacher: HeadStack
    losses: Tensor
    history: list[Epoch]
    steps: int
    resumed: int = 0

    def history_of(self, head: int) -> list[float]:
        """Mean loss by epoch of a head, by its number among those of all processes."""
        return [epoch.losses[head] for epoch in self.history]


@dataclass
class _Moving:
    """All that a training changes as it goes on."""

    student: HeadStack
    teacher: HeadStack
    optimiser: HeadOptimiser
    generator: torch.Generator
    lesson: Lesson
    epoch: int = 0
    step: int = 0  # within the epoch
    order_from: Tensor = field(default_factory=lambda: torch.empty(0))  # generator, epoch's begin
    losses: Tensor = field(default_factory=lambda: torch.empty(0))  # (H,), sums of this epoch
    mass: Tensor = field(default_factory=lambda: torch.empty(0))  # (H, K), mean assignment
    seen: Tensor = field(default_factory=lambda: torch.empty(0))  # (H, K) bool
    history: list[Epoch] = field(default_factory=list)

    def tensors(self) -> dict[str, Tensor]:
        """Everything by name, the heads along the first axis."""
        found = {f"student.{name}": t for name, t in self.student.items()}
        found |= {f"teacher.{name}": t for name, t in self.teacher.items()}
        found |= self.optimiser.state
        found |= {f"objective.{name}": t for name, t in self.lesson.state.items()}
        found |= {"losses": self.losses, "mass": self.mass, "seen": self.seen}
        return found

    def shared(self) -> dict[str, Any]:
        """What is the same for all heads, as JSON."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "generator": self.order_from.numpy().tobytes().hex(),
            "updates": self.optimiser.updates,
        }

    def restore(self, tensors: dict[str, Tensor], shared: dict[str, Any]) -> None:
        """Go back to what `tensors` and `shared` said."""
        for mine, theirs in ((self.student, "student"), (self.teacher, "teacher")):
            for name, tensor in mine.items():
                tensor.copy_(tensors[f"{theirs}.{name}"])
        self.optimiser.restore(tensors, shared["updates"])
        for name, tensor in self.lesson.state.items():
            tensor.copy_(tensors[f"objective.{name}"])
        self.losses.copy_(tensors["losses"])
        self.mass.copy_(tensors["mass"])
        self.seen.copy_(tensors["seen"])
        self.epoch, self.step = shared["epoch"], shared["step"]
        self.order_from = torch.frombuffer(
            bytearray.fromhex(shared["generator"]), dtype=torch.uint8
        )
        self.generator.set_state(self.order_from)


@torch.no_grad()
def train_heads(
    rows: TrainingRows,
    n_clusters: int,
    taught: Objective | Lesson,
    schedule: Schedule,
    seed: int,
    progress: Progress = unseen,
    *,
    precision: str = "float32",
    start: Callable[[], HeadStack] | None = None,
    tile_numbers: int | None = None,
    mates: OneOfMany | None = None,
    keeper: StateKeeper | None = None,
    log: TrainingLog | None = None,
) -> Trained:
    """Train `schedule.n_heads` heads together; each sees the same pairs.

    Args:
        rows: what is trained on.
        n_clusters: K.
        taught: what the heads learn: a lesson, or the losses of a `Distillation`.
        schedule: sizes, rates and temperatures.
        seed: of weights, order and partners.
        progress: called as `progress(done, total)` after each epoch.
        precision: "float32", or "bf16": products of the body in bfloat16 and logits in float16,
            with float32 sums, losses and weights; for GPUs.
        start: makes the heads to start from, as `new_heads` has them; asked only where there is
            no state to go on from. None starts them by the seed.
        tile_numbers: logits in a tile at most; None takes what suits the device.
        mates: the processes that share the heads; None has them all.
        keeper: keeps the state from time to time, and is asked first for one to go on from.
        log: written to after each epoch.

    Returns:
        What became of the heads of this process.

    Raises:
        TrainingError: the loss of every head stopped being finite.
    """
    mates, keeper, device = mates or Single(), keeper or NoKeeper(), rows.device
    generator = torch.Generator().manual_seed(seed)
    fresh = new_heads(
        schedule.n_heads, rows.dim, n_clusters, generator, schedule.hidden, schedule.bottleneck,
        depth=schedule.depth, last=schedule.last, spaces=schedule.spaces,
    )  # fmt: skip
    own = mates.heads(schedule.n_heads)
    found = keeper.load(own)
    if start is not None and found is None:
        fresh = start()
        give_back_memory()  # else what made them would stand beside the training
    half = precision == "bf16"
    lanes = Lanes()
    if isinstance(taught, Objective):
        lanes = Lanes.of(own.stop - own.start, device)
        taught = Distillation(taught, schedule, mates, half, tile_numbers, lanes)
    mine = {n: t[own] for n, t in fresh.items()}
    now = _begin(mine, taught, schedule, generator, device, half)
    taught.begin(now.student, own.start, rows.n)
    del fresh, mine  # else they would stay until the end
    batch = min(schedule.batch_size, rows.n)
    in_epoch = rows.n // batch  # the incomplete last batch is left out of its epoch
    if found is not None:
        now.restore(found.tensors, found.shared)
        now.history = found.history
    resumed = now.epoch * in_epoch + now.step
    if resumed:
        _log.info("goes on after step %d of %d", resumed, schedule.epochs * in_epoch)
    with lanes:
        while now.epoch < schedule.epochs:
            begin = time.perf_counter()
            if now.step == 0:
                now.order_from = generator.get_state()
            generator.set_state(now.order_from)
            order = torch.randperm(rows.n, generator=generator)
            drawn = None
            if taught.pairs:
                drawn = torch.randint(rows.n_neighbors, (rows.n,), generator=generator)
            if now.step == 0:
                taught.before_epoch(now.epoch, now.student, now.teacher, rows)
            # Closed whatever happens: a thread may be reading ahead.
            with closing(rows.batches(order, drawn, batch, now.step)) as batches:
                for x in batches:
                    these = slice(now.step * batch, (now.step + 1) * batch)
                    given = TrainingBatch(
                        x, order[these], now.epoch, now.step, in_epoch, schedule.epochs,
                        None if drawn is None else drawn[these],
                    )  # fmt: skip
                    at = given.at
                    rate = schedule.rate(at, in_epoch, batch)
                    momentum = schedule.teacher_momentum(at, schedule.epochs * in_epoch)
                    student, teacher = now.optimiser.multiplied
                    move = partial(now.optimiser.move, rate=rate, momentum=momentum)
                    stepped = taught.step(student, teacher, given, move)
                    now.optimiser.end_step()
                    _watch(now, stepped)
                    now.step += 1
                    if now.step < in_epoch:
                        if now.step % _LOOK_EVERY == 0:
                            _check_finite(now.losses, now.epoch, schedule, mates)
                        if keeper.due(at + 1):
                            keeper.save(at + 1, own, now.tensors(), now.shared(), now.history)
            _check_finite(now.losses, now.epoch, schedule, mates)
            now.history.append(_ended(now, in_epoch, schedule, mates, time.perf_counter() - begin))
            now.epoch, now.step = now.epoch + 1, 0
            for tensor in (now.losses, now.mass, now.seen):
                tensor.zero_()
            now.order_from = generator.get_state()
            if log is not None and mates.first:
                log.write(now.history, now.epoch == schedule.epochs)
            progress(now.epoch, schedule.epochs)
            done = now.epoch * in_epoch
            if now.epoch < schedule.epochs and keeper.due(done):
                keeper.save(done, own, now.tensors(), now.shared(), now.history)
    return Trained(
        teacher=now.teacher,
        losses=torch.tensor([epoch.losses for epoch in now.history], dtype=torch.float64)[:, own],
        history=now.history,
        steps=schedule.epochs * in_epoch,
        resumed=resumed,
    )


def _begin(
    heads: HeadStack,
    lesson: Lesson,
    schedule: Schedule,
    generator: torch.Generator,
    device: torch.device,
    half: bool,
) -> _Moving:
    student = {n: t.detach().to(device, copy=True).contiguous() for n, t in heads.items()}
    teacher = {n: t.clone() for n, t in student.items()}
    like = next(iter(student.values()))
    n_heads, n_clusters = len(like), n_clusters_of(student)
    return _Moving(
        student=student,
        teacher=teacher,
        optimiser=HeadOptimiser(student, teacher, schedule.weight_decay, half),
        generator=generator,
        lesson=lesson,
        order_from=generator.get_state(),
        losses=like.new_zeros(n_heads),
        mass=like.new_zeros((n_heads, n_clusters)),
        seen=torch.zeros((n_heads, n_clusters), dtype=torch.bool, device=device),
    )


def _watch(now: _Moving, taught: Taught) -> None:
    now.losses += taught.losses
    now.mass += taught.mass
    best = taught.best.long()
    now.seen.scatter_(1, best.clamp_(0, now.seen.shape[1] - 1), True)


def _ended(now: _Moving, steps: int, schedule: Schedule, mates: OneOfMany, seconds: float) -> Epoch:
    """What an epoch came to, of the heads of all processes."""
    share = now.mass / now.mass.sum(dim=1, keepdim=True)
    entropy = -torch.xlogy(share, share).sum(dim=1)
    found = Epoch(
        epoch=now.epoch + 1,
        steps=(now.epoch + 1) * steps,
        losses=mates.gathered(now.losses / steps),
        used=[int(n) for n in mates.gathered(now.seen.sum(dim=1))],
        entropy=mates.gathered(entropy),
        seconds=seconds,
    )
    best = found.best
    _log.info(
        "epoch %d of %d: loss %.4f, %d of %d clusters used",
        found.epoch, schedule.epochs, found.losses[best], found.used[best], now.mass.shape[1],
    )  # fmt: skip
    return found


def _check_finite(losses: Tensor, epoch: int, schedule: Schedule, mates: OneOfMany) -> None:
    finite = mates.sum(torch.isfinite(losses).sum().to(losses.dtype))
    if not finite:
        raise TrainingError(
            f"the loss of all {schedule.n_heads} heads is not finite in epoch {epoch + 1} of "
            f"{schedule.epochs}; lower the learning rate ({schedule.learning_rate:g})"
        )
