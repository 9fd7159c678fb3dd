"""SeLa's labels and loss against plain loops, in float64."""

from __future__ import annotations

import torch

from clusterbench.heads.lessons.full_assignment import FullAssignment
from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.stack import HeadStack, new_heads, select_head
from clusterbench.heads.training_rows import HeldRows

ROWS, CLUSTERS, DIM, PAIRS = 34, 4, 5, 6
POWER, TEMPERATURE = 25.0, 1.0


def given() -> tuple[HeadStack, torch.Tensor]:
    drawing = torch.Generator().manual_seed(1)
    heads = new_heads(3, DIM, CLUSTERS, drawing, last="linear", depth=0)
    x = torch.randn(ROWS, DIM, generator=drawing, dtype=torch.float64)
    return {name: tensor.double() for name, tensor in heads.items()}, x


def labelled(heads: HeadStack, x: torch.Tensor, iterations: int = 500) -> FullAssignment:
    lesson = FullAssignment(POWER, iterations, TEMPERATURE, 2)
    lesson.begin(heads, 0, ROWS)
    lesson.before_epoch(0, heads, heads, HeldRows(x, None))
    return lesson


def test_labels_are_those_of_the_balanced_plan() -> None:
    heads, x = given()
    labels = labelled(heads, x).state["labels"]
    for h in range(3):
        p = torch.softmax(x @ heads["weight_last"][h] + heads["bias_last"][h], dim=1)
        plan = p**POWER
        for _ in range(500):
            plan = plan / plan.sum(dim=0, keepdim=True) / CLUSTERS
            plan = plan / plan.sum(dim=1, keepdim=True) / ROWS
        assert labels[h].tolist() == plan.argmax(dim=1).tolist()
        sizes = torch.bincount(labels[h].long(), minlength=CLUSTERS)
        free = torch.bincount(p.argmax(dim=1), minlength=CLUSTERS)
        # Rows are whole and K does not divide them: sizes differ by a few rows, not by what the
        # head says itself.
        assert sizes.max() - sizes.min() <= 3 < free.max() - free.min()


def test_losses_and_gradients_are_those_of_the_equation() -> None:
    heads, rows = given()
    lesson = labelled(heads, rows)
    labels = lesson.state["labels"]
    anchors = torch.tensor([3, 30, 8, 1, 12, 21])
    x = torch.cat([rows[anchors], rows[anchors - 1]])

    taught = lesson.teach(heads, heads, TrainingBatch(x, anchors, 0, 0, 1, 1))

    for h in range(3):
        own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
        p = torch.softmax(x @ own["weight_last"] + own["bias_last"], dim=1)
        loss = 0.0
        for i, anchor in enumerate(anchors.tolist()):
            label = int(labels[h, anchor])
            loss = loss - 0.5 * (p[i, label].log() + p[PAIRS + i, label].log()) / PAIRS
        loss.backward()
        torch.testing.assert_close(taught.losses[h], loss.detach())
        for name, tensor in own.items():
            torch.testing.assert_close(taught.gradients[name][h], tensor.grad)
        torch.testing.assert_close(taught.mass[h], p.sum(dim=0).detach())


def test_labels_stay_until_the_next_plan_and_heads_have_their_own() -> None:
    heads, x = given()
    lesson = labelled(heads, x)
    labels = lesson.state["labels"]
    first = labels.clone()
    other = {name: tensor.flip(0) for name, tensor in heads.items()}
    lesson.before_epoch(1, other, other, HeldRows(x, None))
    assert torch.equal(labels, first)
    lesson.before_epoch(2, other, other, HeldRows(x, None))
    assert torch.equal(labels, first.flip(0)) and not torch.equal(first[0], first[2])
    assert lesson.state["labels"] is labels
    alone = labelled(select_head(heads, 1), x)
    assert torch.equal(alone.state["labels"][0], first[1])
