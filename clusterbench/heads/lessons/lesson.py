"""What a lesson is: losses of a batch and their gradients, for all heads at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from ..stack import HeadStack

if TYPE_CHECKING:
    from ..training_rows import TrainingRows


@dataclass(frozen=True)
class TrainingBatch:
    """Rows of a step.

    x: (rows, dim) scaled rows on the device, the anchors first; then, of a lesson in pairs, one
        neighbour of each in the same order.
    anchors: (n_pairs,) int64 on the CPU, numbers of the anchors among all rows.
    epoch, step: from 0, the step within the epoch. steps: of each epoch. epochs: in all.
    drawn: (n_pairs,) int64 on the CPU, which of its neighbours each anchor is paired with; None of
        a lesson without pairs.
    """

    x: Tensor
    anchors: Tensor
    epoch: int
    step: int
    steps: int
    epochs: int
    drawn: Tensor | None = None

    @property
    def n_pairs(self) -> int:
        """Anchors."""
        return len(self.anchors)

    @property
    def at(self) -> int:
        """The step from 0, counted over all epochs."""
        return self.epoch * self.steps + self.step


@dataclass(frozen=True)
class Taught:
    """What a step comes to.

    losses: (H,) of each head, no gradient attached. gradients: by the student's tensors; None for
    one that rests. mass: (H, K), probabilities summed over the rows. best: (H, rows) whole numbers,
    the likeliest cluster of each row.
    """

    losses: Tensor
    gradients: Mapping[str, Tensor | None]
    mass: Tensor
    best: Tensor


#: Moves some heads by their gradients; as `HeadOptimiser.move`, with a rate and a momentum.
Move = Callable[[slice, Mapping[str, Tensor | None]], None]


class Lesson(ABC):
    """Losses of a stack of heads, and what is kept of them between steps.

    A head learns the same whichever heads are beside it, unless the lesson couples them.

    Attributes:
        pairs: whether batches have a neighbour of each anchor.
    """

    pairs: ClassVar[bool] = True

    @abstractmethod
    def begin(self, student: HeadStack, first: int, n_rows: int) -> None:
        """Start anew.

        Args:
            student: the heads of this process, on the device; not to be kept.
            first: number of the first of them among those of all processes.
            n_rows: of the training.
        """

    @property
    def state(self) -> dict[str, Tensor]:
        """What is kept between steps, each with the heads as its first axis; changed in place."""
        return {}

    def before_epoch(  # noqa: B027, as most lessons have nothing to do there
        self, epoch: int, student: HeadStack, teacher: HeadStack, rows: TrainingRows
    ) -> None:
        """Called before the first step of an epoch, and not where one is gone on with."""

    @abstractmethod
    def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
        """Losses of a batch and their gradients."""

    def step(
        self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch, move: Move
    ) -> Taught:
        """Teach, and have all heads moved.

        Args:
            student: as of `teach`, as are teacher and batch.
            teacher: likewise.
            batch: likewise.
            move: called for each head once.

        Returns:
            What `teach` found; perhaps without the gradients, which are used up.
        """
        taught = self.teach(student, teacher, batch)
        move(slice(0, len(taught.losses)), taught.gradients)
        return taught


def drawing(*numbers: Any) -> torch.Generator:
    """A generator on the CPU for what is drawn at one place, such as (seed, head, step).

    Draws of a lesson start here instead of going on from earlier ones, so that a training that is
    gone on with draws the same.
    """
    mixed = 0
    for number in numbers:  # Knuth's constant spreads neighbouring numbers
        mixed = (mixed * 6364136223846793005 + int(number) + 1442695040888963407) % 2**63
    return torch.Generator().manual_seed(mixed)
