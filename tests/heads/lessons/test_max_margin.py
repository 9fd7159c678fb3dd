"""TURTLE's loss against its equations, head by head and space by space, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from clusterbench.heads.lessons.lesson import TrainingBatch, drawing
from clusterbench.heads.lessons.max_margin import MaxMargin
from clusterbench.heads.stack import linear_start, new_heads, probabilities, select_head

HEADS, ROWS, CLUSTERS, SEED, FIRST = 3, 12, 4, 9, 5
GAMMA, INNER, RATE = 3.0, 4, 0.05


def heads_of(spaces: tuple[int, ...], drawing: torch.Generator) -> dict[str, torch.Tensor]:
    """Heads with gains that are not the lengths of their directions."""
    heads = new_heads(HEADS, sum(spaces), CLUSTERS, drawing, depth=0, last="spaces", spaces=spaces)
    for name in heads:
        if name.startswith("gain_"):
            heads[name] *= 1.0 + torch.rand(heads[name].shape, generator=drawing)
    return {name: tensor.double() for name, tensor in heads.items()}


def batch_of(x: torch.Tensor, step: int) -> TrainingBatch:
    return TrainingBatch(x, torch.arange(len(x)), 0, step, 10, 1)


def fitted(x: torch.Tensor, labels: torch.Tensor, linear: nn.Linear) -> nn.Linear:
    """After the inner steps, of Adam as its paper's algorithm 1 has it."""
    parameters = list(linear.parameters())
    m, v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    for t in range(1, INNER + 1):
        loss = nn.functional.cross_entropy(linear(x), labels)
        for i, g in enumerate(torch.autograd.grad(loss, parameters)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g**2
            unbiased = m[i] / (1 - 0.9**t), v[i] / (1 - 0.999**t)
            parameters[i].data -= RATE * unbiased[0] / (unbiased[1].sqrt() + 1e-8)
    return linear


def linear_of(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    linear = nn.Linear(*weight.shape).double()
    with torch.no_grad():
        linear.weight.copy_(weight.T)
        linear.bias.copy_(bias[0])
    return linear


@pytest.mark.parametrize("spaces", [(5,), (5, 3), (2, 3, 4)])
@pytest.mark.parametrize("warm", [False, True])
def test_losses_and_gradients_are_those_of_the_equations(
    spaces: tuple[int, ...], warm: bool
) -> None:
    draws = torch.Generator().manual_seed(1)
    heads = heads_of(spaces, draws)
    x = torch.randn(ROWS, sum(spaces), generator=draws, dtype=torch.float64)
    lesson = MaxMargin(GAMMA, INNER, RATE, warm, SEED)
    lesson.begin(heads, FIRST, ROWS)
    going_on: dict[tuple[int, int], nn.Linear] = {}

    for step in (0, 1):
        taught = lesson.teach(heads, heads, batch_of(x, step))

        for h in range(HEADS):
            own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
            generator = drawing(SEED, FIRST + h, step)
            parts, of_spaces = x.split(spaces, dim=1), []
            for s, part in enumerate(parts, 1):
                v = own[f"direction_{s}"]
                weight = own[f"gain_{s}"] * v / v.pow(2).sum(dim=0).sqrt()
                of_spaces.append(torch.softmax(part @ weight + own[f"bias_last_{s}"], dim=1))
            tau = sum(of_spaces) / len(spaces)
            loss = torch.zeros((), dtype=torch.float64)
            for s, (part, p) in enumerate(zip(parts, of_spaces, strict=True)):
                start = linear_of(*linear_start(spaces[s], CLUSTERS, generator))
                classifier = fitted(part, tau.detach(), going_on.get((h, s), start))
                if warm:
                    going_on[h, s] = classifier
                logs = torch.log_softmax(classifier(part).detach(), dim=1)
                loss = loss - (tau * logs).sum() / ROWS
                mean = p.mean(dim=0)
                loss = loss + GAMMA * (mean * mean.log()).sum()
            loss.backward()
            torch.testing.assert_close(taught.losses[h], loss.detach())
            for name, tensor in own.items():
                torch.testing.assert_close(taught.gradients[name][h], tensor.grad)
            assert taught.best[h].tolist() == tau.argmax(dim=1).tolist()
            torch.testing.assert_close(taught.mass[h], tau.sum(dim=0).detach())
            torch.testing.assert_close(probabilities(select_head(heads, h), x, 1.0), tau.detach())


def test_only_classifiers_that_go_on_are_kept() -> None:
    heads = heads_of((2, 3), torch.Generator().manual_seed(0))
    fresh, warm = (MaxMargin(GAMMA, INNER, RATE, kept, SEED) for kept in (False, True))
    for lesson in (fresh, warm):
        lesson.begin(heads, FIRST, ROWS)
    assert fresh.state == {}
    assert {name: tuple(tensor.shape) for name, tensor in warm.state.items()} == {
        "weight_1": (HEADS, 2, CLUSTERS),
        "bias_1": (HEADS, 1, CLUSTERS),
        "weight_2": (HEADS, 3, CLUSTERS),
        "bias_2": (HEADS, 1, CLUSTERS),
    }


def test_labels_with_a_margin_have_the_lower_loss() -> None:
    # Given two groups far apart, labelled as they lie or one row of each the other way
    x = torch.tensor([[3.0, 0.0]] * 4 + [[-3.0, 0.0]] * 4) + 0.1 * torch.eye(8)[:, :2]
    right = torch.tensor([[50.0, -50.0], [0.0, 0.0]])
    wrong = torch.tensor([[0.0, 0.0], [50.0, -50.0]])  # the second column tells but one row
    direction = torch.stack([right, wrong])
    heads = {
        "direction_1": direction,
        "gain_1": direction.norm(dim=1, keepdim=True),
        "bias_last_1": torch.tensor([[[0.0, 0.0]], [[-2.5, 2.5]]]),
    }
    lesson = MaxMargin(0.0, 10, 0.1, False, SEED)
    lesson.begin(heads, 0, 8)
    taught = lesson.teach(heads, heads, batch_of(x, 0))
    assert taught.losses[0] < 0.3 < taught.losses[1]
    assert 0.0 < taught.losses[0] < math.log(2)
