"""Self-labelling's loss and weights against their equations, row by row, in float64."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.lessons.self_labels import SelfLabels, mini_cluster_weights
from clusterbench.heads.stack import HeadStack, new_heads, select_head
from clusterbench.heads.training_rows import HeldRows

PAIRS, CLUSTERS, HEADS, ROWS = 12, 4, 3, 40
#: So that some of the twelve rows are surer than that, of every head, and some are not.
THRESHOLD = 0.4
GIVEN = torch.arange(ROWS) % CLUSTERS
MINIS = torch.arange(ROWS) // 4


def heads(seed: int, scale: float = 1.0) -> HeadStack:
    drawing = torch.Generator().manual_seed(seed)
    found = new_heads(HEADS, 5, CLUSTERS, drawing, last="linear", depth=0)
    return {name: scale * tensor.double() for name, tensor in found.items()}


def rows(seed: int, n: int) -> torch.Tensor:
    drawing = torch.Generator().manual_seed(seed)
    return torch.randn(n, 5, generator=drawing, dtype=torch.float64)


def batch(x: torch.Tensor, epoch: int) -> TrainingBatch:
    anchors = torch.arange(PAIRS) * 3 + 1
    return TrainingBatch(x, anchors, epoch, 0, 1, 9)


def started(student: HeadStack, **settings: Any) -> SelfLabels:
    lesson = SelfLabels(GIVEN, **{"threshold": THRESHOLD, "warm_epochs": 2, **settings})
    lesson.begin(student, 0, ROWS)
    return lesson


def probabilities(stack: HeadStack, x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x @ stack["weight_last"][0] + stack["bias_last"][0], dim=1)


def plain_weights(weighting: str, own: list[int], sure: list[bool], all_rows: list[int]) -> Any:
    """Of a cluster."""
    if weighting == "none":
        return lambda c: 1.0
    if weighting == "inverse":
        return lambda c: 1.0 / sum(y == c and s for y, s in zip(own, sure, strict=True))
    n_minis = int(MINIS.max()) + 1
    fall = [0] * CLUSTERS
    for mini in range(n_minis):
        members = [all_rows[i] for i in range(ROWS) if MINIS[i] == mini]
        for c in range(CLUSTERS):
            fall[c] += members.count(c) / len(members) > 0.3
    return lambda c: n_minis / max(0.5, fall[c])


@pytest.mark.parametrize("weighting", ["none", "inverse", "mini-clusters"])
def test_losses_and_gradients_are_those_of_the_equation(weighting: str) -> None:
    student, teacher, x = heads(1), heads(2, scale=2.0), rows(3, 2 * PAIRS)
    everything = rows(4, ROWS)
    lesson = started(student, weighting=weighting, minis=MINIS)
    lesson.before_epoch(2, student, teacher, HeldRows(everything, None))

    taught = lesson.teach(student, teacher, batch(x, 2))

    for h in range(HEADS):
        own_head = {name: t.requires_grad_() for name, t in select_head(student, h).items()}
        q = probabilities(select_head(teacher, h), x[:PAIRS])
        p = probabilities(own_head, x[PAIRS:])
        own = [int(row.argmax()) for row in q]
        sure = [float(row.max()) > THRESHOLD for row in q]
        assert 1 < sum(sure) < PAIRS
        of_all = probabilities(select_head(teacher, h), everything).argmax(dim=1).tolist()
        weight = plain_weights(weighting, own, sure, of_all)
        loss, total = torch.zeros((), dtype=torch.float64), 0.0
        for i in range(PAIRS):
            if sure[i]:
                loss = loss - weight(own[i]) * p[i, own[i]].log()
                total += weight(own[i])
        loss = loss / total
        loss.backward()
        torch.testing.assert_close(taught.losses[h], loss.detach())
        for name, tensor in own_head.items():
            torch.testing.assert_close(taught.gradients[name][h], tensor.grad[0])
        assert int(lesson.state["confident"][h]) == sum(sure)
    assert lesson.state["unsure"].tolist() == [0] * HEADS


@pytest.mark.parametrize(("epoch", "threshold"), [(0, 0.0), (1, 0.4), (2, 1.0)])
def test_the_given_clusters_teach_before_and_where_no_row_is_sure(
    epoch: int, threshold: float
) -> None:
    student, x = heads(1), rows(3, 2 * PAIRS)
    lesson = started(student, threshold=threshold)
    given_batch = batch(x, epoch)

    taught = lesson.teach(student, heads(2), given_batch)

    for h in range(HEADS):
        own_head = {name: t.requires_grad_() for name, t in select_head(student, h).items()}
        p = probabilities(own_head, x)
        loss = sum(-p[i, GIVEN[a]].log() for i, a in enumerate(given_batch.anchors)) / PAIRS
        loss.backward()
        torch.testing.assert_close(taught.losses[h], loss.detach())
        for name, tensor in own_head.items():
            torch.testing.assert_close(taught.gradients[name][h], tensor.grad[0])
    assert lesson.state["unsure"].tolist() == [int(epoch == 2)] * HEADS
    assert lesson.state["confident"].tolist() == [0] * HEADS


def test_heads_that_are_sure_learn_beside_heads_that_are_not() -> None:
    # Given that the first head alone is sure of all rows
    student, x = heads(1), rows(3, 2 * PAIRS)
    teacher = heads(2)
    teacher["bias_last"][0, 0, 1] = 50.0

    both = started(student, threshold=0.9)
    together = both.teach(student, teacher, batch(x, 5))

    assert both.state["unsure"].tolist() == [0, 1, 1]
    for h in range(HEADS):
        alone = started(select_head(student, h), threshold=0.9)
        found = alone.teach(select_head(student, h), select_head(teacher, h), batch(x, 5))
        torch.testing.assert_close(found.losses[0], together.losses[h])


@given(
    st.integers(1, 6).flatmap(
        lambda n_minis: st.lists(
            st.tuples(st.integers(0, n_minis - 1), st.integers(0, 2)), max_size=40
        ).map(lambda drawn: [*drawn, *[(mini, 0) for mini in range(n_minis)]])
    )
)
def test_mini_cluster_weights(drawn: list[tuple[int, int]]) -> None:
    minis, clusters = zip(*drawn, strict=True)
    found = mini_cluster_weights(torch.tensor(clusters), torch.tensor(minis), 3)
    n_minis = max(minis) + 1
    for c in range(3):
        fall = 0
        for mini in range(n_minis):
            members = [own for m, own in drawn if m == mini]
            fall += 10 * members.count(c) > 3 * len(members)
        assert float(found[c]) == pytest.approx(n_minis / max(0.5, fall))


def test_an_epoch_begins_with_no_row_counted_and_weighs_anew() -> None:
    student, x = heads(1), rows(3, 2 * PAIRS)
    lesson = started(student, weighting="mini-clusters", minis=MINIS, threshold=0.0)
    lesson.teach(student, student, batch(x, 2))
    assert lesson.state["confident"].tolist() == [PAIRS] * HEADS
    everything = HeldRows(rows(4, ROWS), None)
    lesson.before_epoch(1, student, student, everything)
    assert lesson.state["confident"].tolist() == [0] * HEADS
    assert torch.equal(lesson.state["weights"], torch.ones_like(lesson.state["weights"]))
    lesson.before_epoch(2, student, student, everything)
    assert not torch.equal(lesson.state["weights"], torch.ones_like(lesson.state["weights"]))


def test_a_sure_head_that_agrees_with_itself_has_no_loss() -> None:
    x = 100.0 * torch.eye(CLUSTERS).repeat(2, 1)
    stack = {"weight_last": torch.eye(CLUSTERS)[None], "bias_last": torch.zeros(1, 1, CLUSTERS)}
    lesson = SelfLabels(GIVEN, 0.99)
    lesson.begin(stack, 0, ROWS)
    taught = lesson.teach(stack, stack, TrainingBatch(x, torch.arange(CLUSTERS), 0, 0, 1, 1))
    assert math.isclose(float(taught.losses[0]), 0.0, abs_tol=1e-6)
