"""Heads that start from a partition, and partners that are neighbours from both sides."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from clusterbench.heads.schedule import Schedule
from clusterbench.heads.stack import assign, new_heads, select_head
from clusterbench.heads.warm import started_from
from clusterbench.methods.trained.head_input import mutual_table

SIZES = Schedule(n_heads=3, hidden=24, bottleneck=10)


def test_directions_are_the_means_of_clusters_less_their_common_part() -> None:
    x = torch.randn(500, 7, generator=torch.Generator().manual_seed(0))
    labels = np.random.default_rng(0).integers(0, 4, size=500)  # of five, one is empty
    heads = started_from(lambda: [(0, x[:333]), (333, x[333:])], 7, labels, 5, SIZES, seed=3)
    fresh = new_heads(3, 7, 5, torch.Generator().manual_seed(3), 24, 10)
    for name in ("weight_1", "bias_1", "weight_2", "bias_2", "gain"):
        assert torch.equal(heads[name], fresh[name])
    for h in range(3):
        hidden = functional.gelu(x @ fresh["weight_1"][h] + fresh["bias_1"][h])
        z = functional.normalize(hidden @ fresh["weight_2"][h] + fresh["bias_2"][h], dim=1)
        means = torch.stack([z[labels == c].mean(dim=0) for c in range(4)])
        towards = functional.normalize(means - means.mean(dim=0), dim=1)
        length = fresh["direction"][h].norm(dim=0)
        torch.testing.assert_close(
            heads["direction"][h][:, :4], (towards * length[:4, None]).T, rtol=1e-4, atol=1e-5
        )
        assert torch.equal(heads["direction"][h][:, 4], fresh["direction"][h][:, 4])


def test_separated_groups_are_told_apart_before_any_step() -> None:
    labels = np.repeat(np.arange(6), 50)
    middles = 4 * torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    x = middles[labels] + torch.randn(300, 20, generator=torch.Generator().manual_seed(2))
    heads = started_from(lambda: [(0, x)], 20, labels, 6, Schedule(n_heads=3), seed=0)
    fresh = new_heads(3, 20, 6, torch.Generator().manual_seed(0))
    for h in range(3):
        assert np.mean(assign(select_head(heads, h), x).numpy() == labels) > 0.95
        assert np.mean(assign(select_head(fresh, h), x).numpy() == labels) < 0.8


@settings(max_examples=50)
@given(n=st.integers(3, 30), k=st.integers(1, 6), seed=st.integers(0, 999))
def test_mutual_neighbours_fill_a_row_in_turn(n: int, k: int, seed: int) -> None:
    rng, k = np.random.default_rng(seed), min(k, n - 1)
    ids = np.stack([rng.permutation(np.delete(np.arange(n), i))[:k] for i in range(n)])
    found = mutual_table(ids.astype(np.int32))
    for i in range(n):
        both = [j for j in ids[i] if i in ids[j]]
        expected = [both[c % len(both)] for c in range(k)] if both else list(ids[i])
        assert found[i].tolist() == expected
