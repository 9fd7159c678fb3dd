"""SwAV's loss against its equations, head by head and row by row, in float64."""

from __future__ import annotations

import pytest
import torch

from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.lessons.swapped_codes import SwappedCodes
from clusterbench.heads.stack import new_heads, select_head

PAIRS, CLUSTERS, DIM = 6, 4, 5
EPSILON, TEMPERATURE = 0.05, 0.1


def codes(scores: torch.Tensor, iterations: int) -> torch.Tensor:
    """SwAV's: exp, then clusters and rows brought to their masses in turn, rows last."""
    q = (scores / EPSILON).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=0, keepdim=True) / q.shape[1]
        q = q / q.sum(dim=1, keepdim=True) / q.shape[0]
    return q * len(q)


@pytest.mark.parametrize("queue", [0, PAIRS, 2 * PAIRS])
@pytest.mark.parametrize("iterations", [1, 3])
def test_losses_and_gradients_are_those_of_the_equations(queue: int, iterations: int) -> None:
    drawing = torch.Generator().manual_seed(1)
    heads = new_heads(2, DIM, CLUSTERS, drawing, depth=0)
    heads = {name: tensor.double() for name, tensor in heads.items()}
    lesson = SwappedCodes(EPSILON, iterations, TEMPERATURE, queue)
    lesson.begin(heads, 0, 30)
    earlier: list[list[torch.Tensor]] = [[], []]  # of each head, the batches before
    for step in range(4):
        x = torch.randn(2 * PAIRS, DIM, generator=drawing, dtype=torch.float64)
        batch = TrainingBatch(x, torch.arange(PAIRS), step // 2, step % 2, 2, 2)

        taught = lesson.teach(heads, heads, batch)

        for h in range(2):
            own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
            unit = torch.stack([row / row.norm() for row in x])
            prototypes = own["direction"] / own["direction"].norm(dim=0)
            scores = unit @ prototypes
            p = torch.softmax(scores / TEMPERATURE, dim=1)
            given = []
            for view in range(2):
                mine = scores.detach().view(2, PAIRS, CLUSTERS)[view]
                before = earlier[h][: queue // PAIRS]
                given.append(
                    codes(torch.cat([mine, *(b[view] for b in before)]), iterations)[:PAIRS]
                )
            loss = 0.0
            for i in range(PAIRS):
                loss = loss - 0.5 / PAIRS * (given[0][i] * p[PAIRS + i].log()).sum()
                loss = loss - 0.5 / PAIRS * (given[1][i] * p[i].log()).sum()
            loss.backward()
            torch.testing.assert_close(taught.losses[h], loss.detach())
            torch.testing.assert_close(taught.gradients["direction"][h], own["direction"].grad)
            torch.testing.assert_close(taught.mass[h], p.sum(dim=0).detach())
            earlier[h].insert(0, scores.detach().view(2, PAIRS, CLUSTERS))
        assert taught.gradients["gain"] is None  # prototypes keep unit length


def test_a_queue_is_kept_as_state_and_codes_are_no_part_of_the_gradient() -> None:
    heads = new_heads(1, DIM, CLUSTERS, torch.Generator().manual_seed(1), depth=0)
    assert SwappedCodes(EPSILON, 3, TEMPERATURE, 0).state == {}
    lesson = SwappedCodes(EPSILON, 3, TEMPERATURE, 12)
    lesson.begin(heads, 0, 30)
    assert lesson.state["queue"].shape == (1, 2, 12, CLUSTERS)
    before = lesson.state["queue"]
    x = torch.randn(2 * PAIRS, DIM, generator=torch.Generator().manual_seed(2))
    lesson.teach(heads, heads, TrainingBatch(x, torch.arange(PAIRS), 0, 0, 1, 1))
    assert lesson.state["queue"] is before and bool(before[0, 1, PAIRS - 1].any())
    assert not before[0, :, PAIRS:].any() and not before.requires_grad
