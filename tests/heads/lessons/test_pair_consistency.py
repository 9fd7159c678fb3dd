"""SCAN's loss against its equation, head by head and row by row, in float64."""

from __future__ import annotations

import math

import torch

from clusterbench.heads.lessons.lesson import TrainingBatch
from clusterbench.heads.lessons.pair_consistency import PairConsistency
from clusterbench.heads.stack import new_heads, select_head

PAIRS, CLUSTERS = 6, 4


def test_losses_and_gradients_are_those_of_the_equation() -> None:
    drawing = torch.Generator().manual_seed(1)
    heads = new_heads(3, 5, CLUSTERS, drawing, last="linear", depth=0)
    heads = {name: tensor.double() for name, tensor in heads.items()}
    x = torch.randn(2 * PAIRS, 5, generator=drawing, dtype=torch.float64)
    batch = TrainingBatch(x, torch.arange(PAIRS), 0, 0, 1, 1)

    taught = PairConsistency(5.0).teach(heads, heads, batch)

    for h in range(3):
        own = {name: t[0].requires_grad_() for name, t in select_head(heads, h).items()}
        p = torch.softmax(x @ own["weight_last"] + own["bias_last"], dim=1)
        together = [p[i] @ p[PAIRS + i] for i in range(PAIRS)]
        mean = sum(p[i] for i in range(PAIRS)) / PAIRS
        loss = -sum(t.log() for t in together) / PAIRS + 5.0 * (mean * mean.log()).sum()
        loss.backward()
        torch.testing.assert_close(taught.losses[h], loss.detach())
        for name, tensor in own.items():
            torch.testing.assert_close(taught.gradients[name][h], tensor.grad)
        assert taught.best[h].tolist() == p.argmax(dim=1).tolist()
        torch.testing.assert_close(taught.mass[h], p.sum(dim=0).detach())


def test_a_certain_head_with_all_clusters_used_has_the_least_loss() -> None:
    # Given rows that say their cluster, and partners of the same one
    x = 100.0 * torch.eye(CLUSTERS).repeat(2, 1)
    heads = {"weight_last": torch.eye(CLUSTERS)[None], "bias_last": torch.zeros(1, 1, CLUSTERS)}
    batch = TrainingBatch(x, torch.arange(CLUSTERS), 0, 0, 1, 1)

    taught = PairConsistency(2.0).teach(heads, heads, batch)

    torch.testing.assert_close(taught.losses, torch.tensor([-2.0 * math.log(CLUSTERS)]))
