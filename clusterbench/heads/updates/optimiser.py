"""AdamW for a stack of students, and their teachers as a moving average of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor
from torch.optim.adamw import adamw

from ...kernels.adamw import adamw_and_follow
from ..cpu_threads import array, spread
from ..engines import adamw_engine
from ..stack import HALF, HeadStack, is_decayed, is_halved

BETA_1, BETA_2, EPS = 0.9, 0.999, 1e-8
#: Numbers that are moved together, when there are several threads.
_BLOCK = 1 << 15


@dataclass
class _Moved:
    """A tensor of the student and what moves with it, all of one shape; `updates` it has had.

    halves: student and teacher in half precision, if there are such copies.
    """

    student: Tensor
    teacher: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    decay: float
    halves: tuple[Tensor, Tensor] | None
    updates: int = 0

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All that moves."""
        return self.student, self.exp_avg, self.exp_avg_sq, self.teacher

    def numbers(self, rate: float, momentum: float) -> tuple[float, ...]:
        """Of the next step, as `kernels.adamw.adamw_and_follow` takes them."""
        t = self.updates + 1
        return (
            1 - rate * self.decay, 1 - BETA_1, BETA_2, 1 - BETA_2, math.sqrt(1 - BETA_2**t), EPS,
            rate / (1 - BETA_1**t), 1 - momentum,
        )  # fmt: skip

    def of(self, heads: slice) -> _Moved:
        """Of some heads."""
        halves = None
        if self.halves is not None:
            halves = self.halves[0][heads], self.halves[1][heads]
        return _Moved(
            self.student[heads], self.teacher[heads], self.exp_avg[heads],
            self.exp_avg_sq[heads], self.decay, halves, self.updates,
        )  # fmt: skip

    def halve(self) -> None:
        """Make the copies of what is there now."""
        if self.halves is not None:
            self.halves[0].copy_(self.student)
            self.halves[1].copy_(self.teacher)


class HeadOptimiser:
    """Moves students by AdamW (Loshchilov and Hutter, arXiv:1711.05101), and teachers after them.

    Of step t of a tensor with gradient g, rate r and decay d, as `torch.optim.AdamW` has it:

        m <- m + (1 - 0.9) (g - m),    v <- 0.999 v + (1 - 0.999) g^2
        p <- (1 - r d) p - r / (1 - 0.9^t) m / (sqrt(v) / sqrt(1 - 0.999^t) + 1e-8)

    and then the teacher's: q <- q + (1 - momentum) (p - q).

    Args:
        student: a stack of contiguous tensors, all of one dtype and device; they are overwritten.
        teacher: another; likewise.
        weight_decay: d of the tensors that `stack.is_decayed` names; the others have none.
        half: keep copies in half precision of the tensors that `stack.is_halved` names, for the
            next step to multiply with.

    Raises:
        ValueError: a tensor is not contiguous.
    """

    def __init__(
        self, student: HeadStack, teacher: HeadStack, weight_decay: float, half: bool = False
    ) -> None:
        self._moved = {
            name: _Moved(
                p, teacher[name], torch.zeros_like(p), torch.zeros_like(p),
                weight_decay if is_decayed(name) else 0.0,
                (p.to(HALF), teacher[name].to(HALF)) if half and is_halved(name) else None,
            )
            for name, p in student.items()
        }  # fmt: skip
        for name, each in self._moved.items():
            if not all(tensor.is_contiguous() for tensor in each.tensors):
                raise ValueError(f"{name}: heads are trained in contiguous tensors only")
        #: The memory of all that a kernel moves; empty where torch moves it.
        self._arrays: dict[str, list[np.ndarray]] = {}
        self._views: dict[tuple[int, int], dict[str, list[np.ndarray]]] = {}
        #: Tensors that move in this step.
        self._moving: tuple[str, ...] = ()
        first = next(iter(student.values()))
        self._engine = adamw_engine(first.device, first.dtype)
        if self._engine is None and first.device.type == "cpu" and first.dtype == torch.float32:
            self._arrays = {
                name: [array(tensor) for tensor in each.tensors]
                for name, each in self._moved.items()
            }

    @property
    def multiplied(self) -> tuple[HeadStack, HeadStack]:
        """Student and teacher with the copies, if there are any, in place of what they are of."""
        both = {
            name: moved.halves or (moved.student, moved.teacher)
            for name, moved in self._moved.items()
        }
        return {n: s for n, (s, _) in both.items()}, {n: t for n, (_, t) in both.items()}

    @property
    def state(self) -> dict[str, Tensor]:
        """The moments, named exp_avg.NAME and exp_avg_sq.NAME; zeros before the first step."""
        return {
            f"{moment}.{name}": getattr(moved, moment)
            for moment in ("exp_avg", "exp_avg_sq")
            for name, moved in self._moved.items()
        }

    @property
    def updates(self) -> dict[str, int]:
        """Steps that each tensor has taken."""
        return {name: moved.updates for name, moved in self._moved.items()}

    def restore(self, tensors: Mapping[str, Tensor], updates: Mapping[str, int]) -> None:
        """Go back to a `state`, which may be among other tensors, and to its `updates`.

        Student and teacher are those of that time already.
        """
        for name, tensor in self.state.items():
            tensor.copy_(tensors[name])
        for name, moved in self._moved.items():
            moved.updates = int(updates[name])
            moved.halve()

    def step(self, gradients: Mapping[str, Tensor | None], rate: float, momentum: float) -> None:
        """Move all tensors.

        Args:
            gradients: by name. A tensor whose gradient is None stays as it is, as do its moments
                and its count of steps; its teacher still follows.
            rate: r.
            momentum: share of itself that a teacher keeps.
        """
        first = next(iter(self._moved.values()))
        self.move(slice(0, len(first.student)), gradients, rate, momentum)
        self.end_step()

    def move(
        self, heads: slice, gradients: Mapping[str, Tensor | None], rate: float, momentum: float
    ) -> None:
        """Move some heads; other threads may move others. `end_step` comes after all of them.

        Args:
            heads: which.
            gradients: of these heads; else as of `step`, as is the rest.
            rate: r.
            momentum: share of itself that a teacher keeps.
        """
        moving = {name: g for name in self._moved if (g := gradients[name]) is not None}
        self._moving = tuple(moving)  # of all heads the same
        if self._engine is not None:
            for name, moved in self._moved.items():
                _in_one_kernel(self._engine, moved.of(heads), moving.get(name), rate, momentum)
            return
        if self._arrays:
            arrays = self._arrays_of(heads.start, heads.stop)
            numbers: dict[tuple[int, float], list[np.float32]] = {}  # the same for most tensors
            for name, gradient in moving.items():
                key = self._moved[name].updates, self._moved[name].decay
                if key not in numbers:
                    told = self._moved[name].numbers(rate, momentum)
                    numbers[key] = [np.float32(number) for number in told]
                _in_one_pass(array(gradient).reshape(-1), arrays[name], numbers[key])
            follow = [moved for name, moved in self._moved.items() if name not in moving]
        else:
            _by_torch([(self._moved[name].of(heads), g) for name, g in moving.items()], rate)
            follow = list(self._moved.values())
        if follow:
            torch._foreach_lerp_(
                [moved.teacher[heads] for moved in follow],
                [moved.student[heads] for moved in follow], 1.0 - momentum,
            )  # fmt: skip

    def _arrays_of(self, first: int, last: int) -> dict[str, list[np.ndarray]]:
        """The memory of some heads; looked up, as making views takes as long as small heads do."""
        found = self._views.get((first, last))
        if found is None:
            found = self._views[first, last] = {
                name: [each[first:last].reshape(-1) for each in of_all]
                for name, of_all in self._arrays.items()
            }
        return found

    def end_step(self) -> None:
        """All heads have taken a step."""
        for name in self._moving:
            self._moved[name].updates += 1
        if self._engine is None:
            for moved in self._moved.values():
                moved.halve()


def _in_one_kernel(
    engine: ModuleType, moved: _Moved, gradient: Tensor | None, rate: float, momentum: float
) -> None:
    if gradient is None:
        engine.follow(moved.student, moved.teacher, moved.halves, 1 - momentum)
        return
    engine.adamw_and_follow(
        gradient.contiguous(), *moved.tensors, moved.halves, *moved.numbers(rate, momentum)
    )


def _in_one_pass(
    gradient: np.ndarray, arrays: Sequence[np.ndarray], numbers: Sequence[np.float32]
) -> None:
    if len(gradient) <= _BLOCK:
        adamw_and_follow(gradient, *arrays, *numbers)
        return

    def some(first: int, last: int) -> None:
        part = slice(first * _BLOCK, last * _BLOCK)
        adamw_and_follow(gradient[part], *(each[part] for each in arrays), *numbers)

    spread(some, -(-len(gradient) // _BLOCK), _BLOCK)


def _by_torch(moving: Sequence[tuple[_Moved, Tensor]], rate: float) -> None:
    """AdamW alone, in torch's own form for the device."""
    for decay in {moved.decay for moved, _ in moving}:
        some = [(moved, gradient) for moved, gradient in moving if moved.decay == decay]
        adamw(
            [moved.student for moved, _ in some], [gradient.contiguous() for _, gradient in some],
            [moved.exp_avg for moved, _ in some], [moved.exp_avg_sq for moved, _ in some], [],
            [_count(moved) for moved, _ in some],
            fused=_has_fused(some[0][0].student), amsgrad=False, beta1=BETA_1, beta2=BETA_2,
            lr=rate, weight_decay=decay, eps=EPS, maximize=False,
        )  # fmt: skip


def _has_fused(parameter: Tensor) -> bool:
    return parameter.device.type in ("cpu", "cuda")


def _count(moved: _Moved) -> Tensor:
    """The steps before this one, where AdamW's fused and its plain form look for their number."""
    device = moved.student.device if _has_fused(moved.student) else torch.device("cpu")
    return torch.full((), float(moved.updates), dtype=torch.float32, device=device)
