"""Gradients that are written down equal those that are recorded, with any number of layers."""

from __future__ import annotations

import pytest
import torch

from clusterbench.heads.lessons.distillation import Distillation
from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.losses.objectives import TemiObjective
from clusterbench.heads.one_of_many import Single
from clusterbench.heads.schedule import Schedule, widths
from clusterbench.heads.stack import depth_of, logits, new_heads, shapes

HEADS, DIM, CLUSTERS, PAIRS, BETA = 3, 6, 5, 8, 0.6


@pytest.fixture(autouse=True)
def _double_precision() -> object:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
def test_gradients_of_every_layer(depth: int) -> None:
    drawing = torch.Generator().manual_seed(depth)
    student, teacher = (
        new_heads(HEADS, DIM, CLUSTERS, drawing, 7, 4, init_std=0.5, depth=depth) for _ in range(2)
    )
    for stack in (student, teacher):
        for name in stack:
            if name.startswith("bias_") or name == "gain":
                stack[name] += 0.3 * torch.randn(stack[name].shape, generator=drawing)
    x = torch.randn(2 * PAIRS, DIM, generator=drawing)
    schedule = Schedule(n_heads=HEADS, batch_size=PAIRS, hidden=7, bottleneck=4, depth=depth)
    lesson = Distillation(TemiObjective(BETA, 0.9, True), schedule, Single(), half=False)
    lesson.begin(student, 0, 20)

    taught = lesson.teach(student, teacher, TrainingBatch(x, torch.arange(PAIRS), 1, 0, 2, 3))

    own = {name: tensor.clone().requires_grad_() for name, tensor in student.items()}
    q_s = torch.softmax(logits(own, x) / 0.1, dim=2)
    q_t = torch.softmax(logits(teacher, x) / 0.1, dim=2)
    p = 0.9 / CLUSTERS + 0.1 * q_t.mean(dim=1)
    weight = (q_t[:, :PAIRS] * q_t[:, PAIRS:]).sum(dim=2).mean(dim=0)
    sides = ((q_s[:, :PAIRS], q_t[:, PAIRS:]), (q_s[:, PAIRS:], q_t[:, :PAIRS]))
    losses = sum(
        -(weight * ((a * b) ** BETA / p[:, None]).sum(dim=2).log()).mean(dim=1) / 2
        for a, b in sides
    )
    expected = torch.autograd.grad(losses.mean(), list(own.values()))
    assert depth_of(student) == depth
    assert {n: tuple(t.shape) for n, t in student.items()} == shapes(
        HEADS, widths(DIM, 7, depth, 4), CLUSTERS, "cosine"
    )
    torch.testing.assert_close(taught.losses, losses.detach())
    for name, gradient in zip(own, expected, strict=True):
        torch.testing.assert_close(taught.gradients[name], gradient)


def test_logits_of_a_linear_head_are_those_of_torchs_layers() -> None:
    heads = new_heads(2, 6, 5, torch.Generator().manual_seed(0), 7, 4, depth=3, last="linear")
    x = torch.randn(9, 6)
    for h in range(2):
        rows = x
        for i in (1, 2, 3):
            rows = rows @ heads[f"weight_{i}"][h] + heads[f"bias_{i}"][h]
            rows = torch.nn.functional.gelu(rows)
        torch.testing.assert_close(
            logits(heads, x)[h], rows @ heads["weight_last"][h] + heads["bias_last"][h]
        )
