"""Students moved by AdamW and teachers after them, against torch's own optimiser."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from clusterbench.heads import cpu_threads
from clusterbench.heads.stack import HeadStack
from clusterbench.heads.updates.optimiser import HeadOptimiser

DECAYED = {"weight_1", "weight_2", "direction", "gain"}
LAST = {"direction", "gain"}
SHAPES = {
    "weight_1": (2, 7, 11), "bias_1": (2, 1, 11), "weight_2": (2, 11, 5), "bias_2": (2, 1, 5),
    "direction": (2, 5, 3), "gain": (2, 1, 3),
}  # fmt: skip


def stack(seed: int, dtype: torch.dtype) -> HeadStack:
    generator = torch.Generator().manual_seed(seed)
    made = {n: torch.randn(*s, generator=generator, dtype=torch.float64) for n, s in SHAPES.items()}
    return {name: tensor.to(dtype) for name, tensor in made.items()}


def gradients(step: int, dtype: torch.dtype, resting: int) -> dict[str, Tensor | None]:
    """Of a step, from tiny to large; the last layer has none in the first `resting` steps."""
    found: dict[str, Tensor | None] = {
        n: t * 10.0 ** (step % 7 - 5) for n, t in stack(100 + step, dtype).items()
    }
    return {n: None if n in LAST and step < resting else t for n, t in found.items()}


def rate_of(step: int) -> float:
    return 0.02 * (step + 1) / 20


class Plain:
    """torch.optim.AdamW, one tensor at a time, and a moving average written out."""

    def __init__(self, dtype: torch.dtype, decay: float) -> None:
        self.student = {n: t.requires_grad_() for n, t in stack(0, dtype).items()}
        self.teacher = stack(1, dtype)
        groups = [
            {"params": [t], "weight_decay": decay if name in DECAYED else 0.0}
            for name, t in self.student.items()
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=0.0, foreach=False, fused=False)

    def step(self, step: int, dtype: torch.dtype, resting: int) -> None:
        for name, gradient in gradients(step, dtype, resting).items():
            self.student[name].grad = gradient
        for group in self.optimiser.param_groups:
            group["lr"] = rate_of(step)
        self.optimiser.step()
        for name, tensor in self.teacher.items():
            tensor.copy_(0.9 * tensor + 0.1 * self.student[name].detach())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("resting", [0, 5])
def test_twenty_steps_are_those_of_torch(
    dtype: torch.dtype, tolerance: float, resting: int
) -> None:
    student, teacher, plain = stack(0, dtype), stack(1, dtype), Plain(dtype, 0.3)
    optimiser = HeadOptimiser(student, teacher, 0.3)
    for step in range(20):
        optimiser.step(gradients(step, dtype, resting), rate_of(step), 0.9)
        plain.step(step, dtype, resting)

    for name in SHAPES:
        of_name = plain.optimiser.state[plain.student[name]]
        assert optimiser.updates[name] == of_name["step"]
        for found, right in (
            (student[name], plain.student[name].detach()),
            (teacher[name], plain.teacher[name]),
            (optimiser.state[f"exp_avg.{name}"], of_name["exp_avg"]),
            (optimiser.state[f"exp_avg_sq.{name}"], of_name["exp_avg_sq"]),
        ):
            torch.testing.assert_close(found, right, rtol=tolerance, atol=tolerance, msg=name)


def test_a_tensor_that_rests_keeps_all_but_its_teacher() -> None:
    student, teacher = stack(0, torch.float32), stack(1, torch.float32)
    before = {n: t.clone() for n, t in student.items()}
    optimiser = HeadOptimiser(student, teacher, 0.3)
    optimiser.step(gradients(0, torch.float32, 1), 0.1, 0.75)
    for name in SHAPES:
        rests = name in LAST
        assert torch.equal(student[name], before[name]) == rests
        assert optimiser.updates[name] == (0 if rests else 1)
        assert (optimiser.state[f"exp_avg.{name}"] == 0).all() == rests
        right = 0.75 * stack(1, torch.float32)[name] + 0.25 * student[name]
        torch.testing.assert_close(teacher[name], right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("at", [0, 3, 8])
def test_one_that_was_restored_goes_on_to_the_same_bits(dtype: torch.dtype, at: int) -> None:
    student, teacher = stack(0, dtype), stack(1, dtype)
    optimiser = HeadOptimiser(student, teacher, 0.3)
    for step in range(10):
        if step == at:
            kept = [{n: t.clone() for n, t in s.items()} for s in (student, teacher)]
            state = {n: t.clone() for n, t in optimiser.state.items()}
            updates = dict(optimiser.updates)
        optimiser.step(gradients(step, dtype, 5), rate_of(step), 0.9)

    # Given one that has gone astray meanwhile
    other = HeadOptimiser(*kept, 0.3)
    copies = [{n: t.clone() for n, t in s.items()} for s in kept]
    other.step(gradients(0, dtype, 0), 0.5, 0.5)
    for stack_, copy in zip(kept, copies, strict=True):
        for name, tensor in stack_.items():
            tensor.copy_(copy[name])
    other.restore({**state, "of something else": torch.zeros(1)}, updates)
    for step in range(at, 10):
        other.step(gradients(step, dtype, 5), rate_of(step), 0.9)

    for name in SHAPES:
        assert torch.equal(student[name], kept[0][name])
        assert torch.equal(teacher[name], kept[1][name])
    assert other.updates == optimiser.updates


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    start, other, slope = (torch.randn(1_000_003, generator=generator) for _ in range(3))
    answers = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(cpu_threads, "torch_threads", lambda n=threads: n)
        student, teacher = {"weight_1": start.clone()}, {"weight_1": other.clone()}
        optimiser = HeadOptimiser(student, teacher, 0.3)
        for _ in range(2):
            optimiser.step({"weight_1": slope}, 0.01, 0.9)
        answers.append([*student.values(), *teacher.values(), *optimiser.state.values()])
    for found in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answers[0], found, strict=True))


def test_no_number_stays_none_and_harms_no_other() -> None:
    student, teacher = stack(0, torch.float32), stack(1, torch.float32)
    optimiser = HeadOptimiser(student, teacher, 0.3)
    given = gradients(0, torch.float32, 0)
    assert given["weight_1"] is not None
    given["weight_1"][1, 2, 3] = math.nan
    optimiser.step(given, 0.1, 0.9)
    for moved in (student, teacher):
        assert moved["weight_1"].isnan().nonzero().tolist() == [[1, 2, 3]]


def test_gradients_may_lie_in_any_order_and_what_is_moved_may_not() -> None:
    student, teacher = stack(0, torch.float32), stack(1, torch.float32)
    optimiser, plain = HeadOptimiser(student, teacher, 0.3), Plain(torch.float32, 0.3)
    for step in range(3):
        given = gradients(step, torch.float32, 0)
        turned = {n: None if g is None else g.mT.contiguous().mT for n, g in given.items()}
        optimiser.step(turned, rate_of(step), 0.9)
        plain.step(step, torch.float32, 0)
    right = plain.student["weight_1"].detach()
    torch.testing.assert_close(student["weight_1"], right, rtol=2e-6, atol=2e-6)

    student["weight_1"] = student["weight_1"].mT.contiguous().mT
    with pytest.raises(ValueError, match="weight_1"):
        HeadOptimiser(student, teacher, 0.3)
