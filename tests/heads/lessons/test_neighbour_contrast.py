"""I-Con's loss against its equations, head by head and row by row, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from clusterbench.heads.lessons.lesson import Taught, TrainingBatch
from clusterbench.heads.lessons.neighbour_contrast import NeighbourContrast
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import HeadStack, new_heads, select_head
from clusterbench.heads.trainer import train_heads
from clusterbench.heads.training_rows import HeldRows, StreamedRows
from clusterbench.kmeans.row_sources import ArrayRows

ROWS, CLUSTERS, DIM = 12, 4, 5


def given(anchors: list[int], drawn: list[int]) -> tuple[np.ndarray, torch.Tensor, TrainingBatch]:
    """Neighbours of 12 rows, these rows, and a batch of some of them."""
    rng = np.random.default_rng(3)
    table = np.array([rng.choice(np.delete(np.arange(ROWS), i), 3, False) for i in range(ROWS)])
    table[4, 2] = table[4, 0]  # a row that names one twice
    x = torch.randn(ROWS, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ids = [*anchors, *(table[i, d] for i, d in zip(anchors, drawn, strict=True))]
    batch = TrainingBatch(x[ids], torch.tensor(anchors), 0, 0, 1, 1, torch.tensor(drawn))
    return table.astype(np.int32), x, batch


def stack(n_heads: int) -> HeadStack:
    heads = new_heads(
        n_heads, DIM, CLUSTERS, torch.Generator().manual_seed(2), last="linear", depth=0
    )
    return {name: tensor.double() for name, tensor in heads.items()}


@pytest.mark.parametrize("a", [0.1, 0.6])
@pytest.mark.parametrize(
    ("anchors", "drawn"),
    [([4, 7, 0, 9, 2], [2, 1, 0, 0, 2]), ([4, 5, 6, 7, 8, 9, 10, 11], [0] * 8), ([3], [1])],
)
def test_losses_and_gradients_are_those_of_the_equations(
    a: float, anchors: list[int], drawn: list[int]
) -> None:
    table, x, batch = given(anchors, drawn)
    heads = stack(3)

    taught = NeighbourContrast(table, a).teach(heads, heads, batch)

    ids = sorted({*anchors, *(int(table[i, d]) for i, d in zip(anchors, drawn, strict=True))})
    n = len(ids)
    for h in range(3):
        own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
        p = torch.softmax(x[ids] @ own["weight_last"] + own["bias_last"], dim=1)
        sizes = [sum(p[j, c] for j in range(n)) for c in range(CLUSTERS)]
        divergences = []
        for i in range(n):
            near = [j for j in range(n) if ids[j] in table[ids[i]]]
            if not near:
                continue
            divergence = 0.0
            for j in range(n):
                wanted = (1 - a) * (j in near) / len(near) + a / n
                together = sum(p[i, c] * p[j, c] / sizes[c] for c in range(CLUSTERS))
                found = (1 - a) * together + a / n
                divergence = divergence + wanted * (math.log(wanted) - found.log())
            divergences.append(divergence)
        assert len(divergences) >= len(set(anchors))
        loss = sum(divergences) / len(divergences)
        loss.backward()
        torch.testing.assert_close(taught.losses[h], loss.detach())
        for name, tensor in own.items():
            torch.testing.assert_close(taught.gradients[name][h], tensor.grad)
        torch.testing.assert_close(taught.mass[h], p.sum(dim=0).detach())
        assert sorted(taught.best[h].tolist()) == sorted(p.argmax(dim=1).tolist())


def test_a_row_takes_its_share_of_its_own_cluster() -> None:
    # Given pairs that know each other and a head that has them in clusters of two: a row is in its
    # own cluster but no neighbour of its own, so half of q is lost.
    table = np.array([[1], [0], [3], [2]], dtype=np.int32)
    batch = TrainingBatch(
        100.0 * torch.eye(2)[[0, 1, 0, 1]], torch.tensor([0, 2]), 0, 0, 1, 1, torch.tensor([0, 0])
    )
    heads = {"weight_last": torch.eye(2)[None], "bias_last": torch.zeros(1, 1, 2)}
    a = 0.6
    taught = NeighbourContrast(table, a).teach(heads, heads, batch)
    near, half, far = (1 - a) + a / 4, (1 - a) / 2 + a / 4, a / 4
    wanted = near * math.log(near / half) + far * math.log(far / half)
    torch.testing.assert_close(taught.losses, torch.tensor([wanted]))


def test_clusters_that_no_row_is_in_do_no_harm() -> None:
    table, _, batch = given([1, 2, 3], [0, 1, 2])
    heads = {name: tensor.float() for name, tensor in stack(1).items()}
    heads["bias_last"][:, :, 1:] = -1e6
    batch = TrainingBatch(batch.x.float(), batch.anchors, 0, 0, 1, 1, batch.drawn)
    taught = NeighbourContrast(table, 0.6).teach(heads, heads, batch)
    assert torch.isfinite(taught.losses).all()
    assert all(torch.isfinite(t).all() for t in taught.gradients.values())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_batch_says_which_neighbours_its_partners_are(streamed: bool) -> None:
    table, x, _ = given([0], [0])
    seen = []

    class Looking(NeighbourContrast):
        def teach(self, student: HeadStack, teacher: HeadStack, batch: TrainingBatch) -> Taught:
            assert batch.drawn is not None
            partners = table[batch.anchors.numpy(), batch.drawn.numpy()]
            wanted = torch.cat([x[batch.anchors], x[partners]]).float()
            assert torch.equal(batch.x, wanted)
            seen.append(partners)
            return super().teach(student, teacher, batch)

    schedule = Schedule(
        n_heads=1, epochs=2, batch_size=5, warmup_epochs=0, depth=0, last="linear"
    )  # fmt: skip
    rows = (
        StreamedRows(ArrayRows(x.float().numpy()), table, torch.device("cpu"))
        if streamed
        else HeldRows(x.float(), torch.from_numpy(table))
    )
    train_heads(rows, CLUSTERS, Looking(table, 0.6), schedule, 0)
    assert [len(partners) for partners in seen] == [5] * 4
