"""Defects seen in public code: a chunked kNN whose later blocks return the sample itself, kNN
that builds N x N on the host, and a neighbour draw that can return the anchor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clusterbench.heads import trainer
from clusterbench.heads.body import Passed
from clusterbench.heads.lessons import distillation
from clusterbench.heads.losses.objectives import ScanObjective
from clusterbench.heads.schedule import Schedule
from clusterbench.heads.training_rows import HeldRows
from clusterbench.kmeans.row_sources import ArrayRows
from clusterbench.neighbours import tiles
from clusterbench.neighbours.search import CpuEngine, all_neighbours


def graph(x: np.ndarray, k: int, size: int | None = None) -> np.ndarray:
    found = all_neighbours(ArrayRows(x), k, CpuEngine(2), rows_at_a_time=size)
    assert found is not None
    return found.ids


def test_self_is_excluded_beyond_the_first_block() -> None:
    x = np.random.default_rng(0).normal(size=(1400, 4)).astype(np.float32)
    for n, size in ((1400, None), (70, 11), (1400, 600)):
        assert not (graph(x[:n], 5, size) == np.arange(n)[:, None]).any()


def test_self_is_excluded_among_exact_duplicates() -> None:
    found = graph(np.ones((50, 3), dtype=np.float32), 49)
    assert not (found == np.arange(50)[:, None]).any()
    assert all(len(set(row)) == 49 for row in found.tolist())


def test_no_tile_holds_n_by_n(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    original = tiles.kernels.offer

    def spy(products: np.ndarray, *given: object) -> None:
        shapes.append(products.shape)
        original(products, *given)

    monkeypatch.setattr(tiles.kernels, "offer", spy)
    graph(np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32), 5)
    assert sum(rows * columns for rows, columns in shapes) < 3000**2 * 0.7  # each pair once
    assert all(max(shape) <= tiles.TILE for shape in shapes)


def test_the_drawn_partner_is_a_neighbour_and_not_the_anchor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given features that carry their own row number, so that a batch shows what was drawn
    n = 40
    features = torch.zeros(n, 3)
    features[:, 0] = torch.arange(n)
    features[:, 1:] = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    table = torch.from_numpy(graph(features.numpy(), 4)).long()
    pairs: list[np.ndarray] = []
    original = distillation.forward

    def spy(heads: dict[str, torch.Tensor], x: torch.Tensor, *given: bool, **named: bool) -> Passed:
        pairs.append(x[:, 0].view(2, -1).numpy().astype(int).T)
        return original(heads, x, *given, **named)

    monkeypatch.setattr(distillation, "forward", spy)
    schedule = Schedule(n_heads=1, epochs=3, batch_size=8, hidden=4, bottleneck=4)
    trainer.train_heads(HeldRows(features, table), 5, ScanObjective(5.0), schedule, seed=0)
    seen = np.concatenate(pairs)
    assert len(seen) == 2 * 3 * n  # teacher and student passes of every epoch
    assert all(b in table[a].tolist() and a != b for a, b in seen)
