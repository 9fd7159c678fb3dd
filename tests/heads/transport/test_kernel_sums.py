"""Sums by exponentials that are held, against logsumexp, wherever the scales go."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.heads.transport import kernel_sums
from clusterbench.heads.transport.kernel_sums import KernelSums, kernel_bytes
from clusterbench.heads.transport.sinkhorn_scaling import sinkhorn, uniform


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    problems=st.sampled_from([(), (1,), (3,)]),
    n=st.integers(1, 9),
    k=st.integers(1, 7),
    spread=st.sampled_from([0.1, 10.0, 1e3, 1e6]),
    steps=st.sampled_from([0.1, 10.0, 1e3]),
)
def test_sums_under_scales_that_wander(
    seed: int, problems: tuple[int, ...], n: int, k: int, spread: float, steps: float
) -> None:
    draw = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*problems, *shape, generator=draw, dtype=torch.float64)

    scores = spread * drawn(n, k)
    rows, columns = torch.zeros(*problems, n).double(), torch.zeros(*problems, k).double()
    sums = KernelSums(scores, torch.float64)
    for step in range(6):
        rows, columns = rows + steps * drawn(n), columns + steps * drawn(k)
        if step == 3 and k > 1:
            columns[..., 0] = -torch.inf  # a cluster that gets nothing
        asked = [
            (sums.of_columns(rows, columns), (scores + rows[..., None]).logsumexp(dim=-2)),
            (sums.of_rows(rows, columns), (scores + columns[..., None, :]).logsumexp(dim=-1)),
        ]
        for found, wanted in asked if step % 2 else asked[::-1]:
            torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-9)


def test_held_or_in_blocks_the_scales_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = 20 * torch.randn(2, 50, 8, generator=torch.Generator().manual_seed(1))
    masses = uniform(50, scores), uniform(8, scores)
    held = sinkhorn(scores, *masses, 200, tolerance=1e-6)
    monkeypatch.setattr(kernel_sums, "_MOST", {})
    assert not kernel_bytes(scores.numel(), "cpu")
    blocks = sinkhorn(scores, *masses, 200, tolerance=1e-6)
    for name in ("rows", "columns"):
        torch.testing.assert_close(getattr(held, name), getattr(blocks, name), rtol=0, atol=1e-9)


def test_few_scores_are_held() -> None:
    assert kernel_bytes(1 << 24, "cpu") == 24.0 * (1 << 24)
    assert kernel_bytes((1 << 24) + 1, "cpu") == kernel_bytes(1, "elsewhere") == 0.0
    assert math.isfinite(kernel_bytes(1 << 28, "cuda"))
