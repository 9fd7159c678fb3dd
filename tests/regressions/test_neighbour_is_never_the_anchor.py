"""Defects seen in public code: a chunked kNN whose later blocks return the sample itself, kNN
that builds N x N on the host, and a neighbour draw that can return the anchor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clusterbench.methods import neighbours, trainer
from clusterbench.methods.neighbours import nearest_neighbours


def test_self_is_excluded_beyond_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_ELEMENTS", 40)
    monkeypatch.setattr(neighbours, "_BLOCK_COLUMNS", 11)
    features = torch.randn(70, 4, generator=torch.Generator().manual_seed(0))
    found = nearest_neighbours(features, 5)
    assert not (found == torch.arange(70)[:, None]).any()


def test_self_is_excluded_among_exact_duplicates() -> None:
    features = torch.ones(50, 3)
    found = nearest_neighbours(features, 49)
    assert not (found == torch.arange(50)[:, None]).any()
    assert all(len(set(row)) == 49 for row in found.tolist())


def test_no_block_holds_n_by_n(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_ELEMENTS", 1000)
    monkeypatch.setattr(neighbours, "_BLOCK_COLUMNS", 100)
    largest = 0
    original = neighbours._exclude_self

    def spy(similarity: torch.Tensor, top: int, left: int) -> None:
        nonlocal largest
        largest = max(largest, similarity.numel())
        original(similarity, top, left)

    monkeypatch.setattr(neighbours, "_exclude_self", spy)
    nearest_neighbours(torch.randn(500, 3), 5)
    assert 0 < largest <= 1000


def test_the_drawn_partner_is_a_neighbour_and_not_the_anchor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given features that carry their own row number, so that a batch shows what was drawn
    n = 40
    features = torch.zeros(n, 3)
    features[:, 0] = torch.arange(n)
    features[:, 1:] = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    table = nearest_neighbours(features, 4)
    pairs: list[np.ndarray] = []
    original = trainer.logits

    def spy(heads: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        pairs.append(x[:, 0].view(2, -1).numpy().astype(int).T)
        return original(heads, x)

    monkeypatch.setattr(trainer, "logits", spy)
    trainer.train_heads(
        features,
        table,
        5,
        lambda student, teacher: (student * teacher.exp()).sum(dim=(1, 2)),
        trainer.Schedule(n_heads=1, epochs=3, batch_size=8, hidden=4, bottleneck=4),
        seed=0,
        progress=lambda done, total: None,
    )
    seen = np.concatenate(pairs)
    assert len(seen) == 2 * 3 * n  # teacher and student passes of every epoch
    assert all(b in table[a].tolist() and a != b for a, b in seen)
