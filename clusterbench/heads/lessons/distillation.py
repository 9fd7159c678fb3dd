"""Distillation of pairs: students learn from the teachers' view of their neighbours, in tiles."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..body import backward, forward
from ..last_layer import LastLayer
from ..losses.objectives import Objective
from ..losses.tiling import TILE_NUMBERS, Tiling
from ..one_of_many import OneOfMany
from ..schedule import Schedule
from ..stack import HALF, HeadStack, n_clusters_of
from .lesson import Lesson, Taught, TrainingBatch

__all__ = ["Distillation"]


class Distillation(Lesson):
    """TEMI's and SCANv2's lesson, by an `Objective`; its gradients are written down, not recorded.

    Args:
        objective: the losses.
        schedule: temperatures and heads.
        mates: the processes that share the heads.
        half: products in half precision.
        tile_numbers: logits in a tile at most; None takes what suits the device.
        room: where the largest gradient goes, if it has a place.
    """

    def __init__(
        self,
        objective: Objective,
        schedule: Schedule,
        mates: OneOfMany,
        half: bool,
        tile_numbers: int | None = None,
        room: Callable[[], Tensor | None] = lambda: None,
    ) -> None:
        self._objective, self._schedule, self._mates = objective, schedule, mates
        self._half, self._tile_numbers, self._room = half, tile_numbers, room
        self._last: LastLayer | None = None

    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """As `Lesson.begin`."""
        del first
        gain, schedule = student["gain"], self._schedule
        n_heads, n_clusters = len(gain), n_clusters_of(student)
        self._objective.begin(n_heads, n_clusters, gain)
        kind = gain.device.type
        limit = self._tile_numbers or TILE_NUMBERS.get(kind, TILE_NUMBERS["cpu"])
        self._last = LastLayer(
            Tiling.of(n_heads, min(schedule.batch_size, n_rows), n_clusters, limit),
            schedule.n_heads, schedule.student_temperature, schedule.teacher_temperature,
            self._mates.sum,
        )  # fmt: skip

    @property
    def state(self) -> dict[str, Tensor]:
        """As `Lesson.state`."""
        return self._objective.state

    def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
        """As `Lesson.teach`."""
        assert self._last is not None  # it has begun
        x = batch.x.to(HALF) if self._half else batch.x  # once for both
        teacher_rows = forward(teacher, x, self._half, keep=False).rows
        passed = forward(student, x, self._half)
        stepped = self._last.step(student, teacher, passed.rows, teacher_rows, self._objective)
        gradients: dict[str, Tensor | None] = {
            **backward(student, passed, stepped.below, stepped.scale, self._room())
        }
        # In the first epoch AdamW passes over the last layer, which has no gradient: neither
        # moments nor decay reach it, and its count of steps begins in the second.
        rests = batch.epoch == 0
        gradients["direction"] = None if rests else stepped.direction
        gradients["gain"] = None if rests else stepped.gain
        survey = stepped.survey
        best = survey.best.view(len(stepped.losses), -1)
        return Taught(stepped.losses, gradients, survey.sums.sum(dim=1), best)
