"""Distillation of pairs: students learn from the teachers' view of their neighbours, in tiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ..body import Passed, backward, forward
from ..lanes import Lanes, Meet
from ..last_layer import LastLayer
from ..losses.objectives import Objective
from ..losses.tiling import TILE_NUMBERS, Tiling
from ..one_of_many import OneOfMany
from ..schedule import Schedule
from ..stack import HALF, HeadStack, n_clusters_of
from .lesson import Lesson, Move, Taught, TrainingBatch

__all__ = ["Distillation"]


class Distillation(Lesson):
    """TEMI's and SCANv2's lesson, by an `Objective`; its gradients are written down, not recorded.

    On a CPU a head is taught at a time, from its rows to its new weights, of which most are in
    cache then, and lanes share the heads. Others are taught all at once.

    Args:
        objective: the losses.
        schedule: temperatures and heads.
        mates: the processes that share the heads.
        half: products in half precision.
        tile_numbers: logits in a tile at most; None takes what suits the device.
        lanes: open while there are steps.
    """

    def __init__(
        self,
        objective: Objective,
        schedule: Schedule,
        mates: OneOfMany,
        half: bool,
        tile_numbers: int | None = None,
        lanes: Lanes | None = None,
    ) -> None:
        self._objective, self._schedule, self._mates = objective, schedule, mates
        self._half, self._tile_numbers = half, tile_numbers
        self._lanes = lanes or Lanes()
        self._units: list[list[_Unit]] = []  # of each lane

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`."""
        del first
        gain, schedule = student["gain"], self._schedule
        n_heads, n_clusters = len(gain), n_clusters_of(student)
        self._objective.begin(n_heads, n_clusters, gain)
        kind = gain.device.type
        limit = self._tile_numbers or TILE_NUMBERS.get(kind, TILE_NUMBERS["cpu"])
        batch = min(schedule.batch_size, n_rows)
        self._agreement = gain.new_empty((n_heads, batch))
        keeps = Tiling.of(n_heads, batch, n_clusters, limit).single
        size = 1 if kind == "cpu" else n_heads
        tiling = Tiling.of(size, batch, n_clusters, limit)

        def last(first: int, buffers: dict[str, Tensor]) -> LastLayer:
            return LastLayer(
                tiling, schedule.n_heads, schedule.student_temperature,
                schedule.teacher_temperature, first=first, keeps=keeps,
                buffers=buffers,
            )  # fmt: skip

        self._units = []
        for lane in range(self._lanes.n):
            begin, end = (n_heads * at // self._lanes.n for at in (lane, lane + 1))
            room, buffers = _room(student) if kind == "cpu" else None, dict[str, Tensor]()
            self._units.append(
                [
                    _Unit(slice(start, start + size), last(start, buffers), room)
                    for start in range(begin, end, size)
                ]
            )

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`."""
        return self._objective.state

    def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
        """As `Lesson.teach`."""
        found: dict[int, Mapping[str, Tensor | None]] = {}

        def note(heads: slice, gradients: Mapping[str, Tensor | None]) -> None:
            # The next head's take the place of these.
            found[heads.start] = {n: None if g is None else g.clone() for n, g in gradients.items()}

        taught = self.step(student, teacher, batch, note)
        parts = [found[start] for start in sorted(found)]
        gradients = {
            name: torch.cat(of_heads) if (of_heads := _all(part[name] for part in parts)) else None
            for name in parts[0]
        }
        return replace(taught, gradients=gradients)

    def step(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch, move: Move
    ) -> Taught:
        """As `Lesson.step`; lanes move their heads, one after the other."""
        x = batch.x.to(HALF) if self._half else batch.x  # once for both
        objective = self._objective
        # In the first epoch AdamW passes over the last layer, which has no gradient: neither
        # moments nor decay reach it, and its count of steps begins in the second.
        resting = ("direction", "gain") if batch.epoch == 0 else ()
        found: list[list[Taught]] = [[] for _ in self._units]

        def work(lane: int, meet: Meet) -> None:
            for unit in self._units[lane]:
                seen = unit.look(student, teacher, x, self._half, objective)
                if seen is not None:
                    self._agreement[unit.heads] = seen
            if objective.couples_heads:
                meet()
            for unit in self._units[lane]:
                taught, gradients = unit.learn(objective)
                move(unit.heads, {n: None if n in resting else g for n, g in gradients.items()})
                found[lane].append(taught)

        self._lanes.run(
            work, lambda: objective.couple(self._agreement, self._schedule.n_heads, self._mates.sum)
        )
        units = [taught for lane in found for taught in lane]
        if len(units) == 1:
            return units[0]
        return Taught(
            torch.cat([taught.losses for taught in units]), {},
            torch.cat([taught.mass for taught in units]),
            torch.cat([taught.best for taught in units]),
        )  # fmt: skip


def _all(tensors: Iterable[Tensor | None]) -> list[Tensor]:
    """Those that are there."""
    return [tensor for tensor in tensors if tensor is not None]


def _room(student: HeadStack) -> Tensor | None:
    """A place for the largest gradient of a head on a CPU.

    Memory that is asked for anew at each step is given by the system page by page. The C library
    keeps what is freed up to twice the largest block, of 32 MiB at most, that it has seen freed
    (glibc's M_MMAP_THRESHOLD); the largest gradient has its own for good.
    """
    first = student.get("weight_1")
    if first is None:
        return None
    torch.empty((32 << 20) - (64 << 10), dtype=torch.uint8)
    return torch.empty_like(first[:1])


class _Unit:
    """Heads that are taught at once.

    Args:
        heads: which.
        last: their last layer.
        room: of the gradient of `weight_1`, one of all that take turns.
    """

    def __init__(self, heads: slice, last: LastLayer, room: Tensor | None) -> None:
        self.heads, self._last, self._room = heads, last, room
        self._own: HeadStack = {}
        self._passed: Passed | None = None

    def look(
        self, student: HeadStack, teacher: HeadStack, x: Tensor, half: bool, objective: Objective
    ) -> Tensor | None:
        """Pass rows through both networks; (heads, pairs) for an objective that couples heads."""
        own = {name: tensor[self.heads] for name, tensor in student.items()}
        other = {name: tensor[self.heads] for name, tensor in teacher.items()}
        teacher_rows = forward(other, x, half, keep=False).rows
        self._own, self._passed = own, forward(own, x, half)
        return self._last.look(own, other, self._passed.rows, teacher_rows, objective)

    def learn(self, objective: Objective) -> tuple[Taught, HeadStack]:
        """What became of the rows, and the gradients of these heads."""
        own, passed, self._passed = self._own, self._passed, None
        assert passed is not None  # `look` comes first
        stepped = self._last.learn(objective)
        gradients = backward(own, passed, stepped.below, stepped.scale, self._room)
        survey = stepped.survey
        best = survey.best.view(len(stepped.losses), -1)
        return (
            Taught(stepped.losses, {}, survey.sums.sum(dim=1), best),
            {**gradients, "direction": stepped.direction, "gain": stepped.gain},
        )
