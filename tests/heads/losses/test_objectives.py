"""The batched losses against a reference that walks over heads, pairs and clusters one by one."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.heads.losses import torch_tiles
from clusterbench.heads.losses.objectives import Objective, ScanObjective, TemiObjective
from clusterbench.heads.losses.tiling import Tile


def reference_pair_weight(teacher: torch.Tensor) -> list[torch.Tensor]:
    """w_i = (1/H) sum_h sum_c q_t^h(c|x_i) q_t^h(c|x'_i), from probabilities (H, 2B, K)."""
    heads, rows, clusters = teacher.shape
    batch = rows // 2
    weights = []
    for i in range(batch):
        total = torch.zeros((), dtype=teacher.dtype)
        for h in range(heads):
            for c in range(clusters):
                total = total + teacher[h, i, c] * teacher[h, batch + i, c]
        weights.append(total / heads)
    return weights


def reference_temi(
    student: torch.Tensor, teacher: torch.Tensor, marginal: torch.Tensor, beta: float
) -> torch.Tensor:
    """The formula, probability by probability: student and teacher are logits (H, 2B, K)."""
    heads, rows, clusters = student.shape
    batch = rows // 2
    q_t = [[torch.softmax(teacher[h, r], dim=0) for r in range(rows)] for h in range(heads)]
    weights = reference_pair_weight(torch.stack([torch.stack(rows_) for rows_ in q_t]))
    losses = []
    for h in range(heads):
        q_s = [torch.softmax(student[h, r], dim=0) for r in range(rows)]
        total = torch.zeros((), dtype=student.dtype)
        for i in range(batch):
            for a, b in ((i, batch + i), (batch + i, i)):
                inner = torch.zeros((), dtype=student.dtype)
                for c in range(clusters):
                    inner = inner + (q_s[a][c] * q_t[h][b][c]) ** beta / marginal[h, c]
                total = total + 0.5 * weights[i] * -torch.log(inner) / batch
        losses.append(total)
    return torch.stack(losses)


def reference_scan(student: torch.Tensor, teacher: torch.Tensor, alpha: float) -> torch.Tensor:
    heads, rows, clusters = student.shape
    batch = rows // 2
    losses = []
    for h in range(heads):
        q_s = [torch.softmax(student[h, r], dim=0) for r in range(rows)]
        q_t = [torch.softmax(teacher[h, r], dim=0) for r in range(rows)]
        total = torch.zeros((), dtype=student.dtype)
        for i in range(batch):
            for a, b in ((i, batch + i), (batch + i, i)):
                total = total - 0.5 * torch.log((q_s[a] * q_t[b]).sum()) / batch
        for view in (0, 1):
            for c in range(clusters):
                mean = sum(q_s[view * batch + i][c] for i in range(batch)) / batch
                total = total + alpha * 0.5 * mean * torch.log(mean)
        losses.append(total)
    return torch.stack(losses)


def random_case(
    seed: int, heads: int, batch: int, clusters: int, scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    student = scale * torch.randn(heads, 2 * batch, clusters, generator=generator)
    teacher = scale * torch.randn(heads, 2 * batch, clusters, generator=generator)
    marginal = torch.softmax(torch.randn(heads, clusters, generator=generator), dim=1)
    return student, teacher, marginal


def ours(
    objective: Objective, student: torch.Tensor, teacher: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (H,) of logits in one tile, and the gradient of each by its head's logits."""
    heads, pairs = student.shape[0], student.shape[1] // 2
    whole = Tile(slice(0, heads), slice(0, pairs))
    surveyed = torch_tiles.survey({"student": student, "teacher": teacher}[objective.surveys], 1.0)
    objective.couple(surveyed.agreement, heads, lambda one: one)
    losses = objective.settle(whole.heads, surveyed.sums, pairs)
    terms = objective.terms(whole)
    gradient = student.clone()
    of_pairs = torch_tiles.pair_gradient(
        gradient, teacher, 1.0, 1.0, torch_tiles.survey(teacher, 1.0).lse, terms.log_marginal,
        terms.beta, terms.weight, terms.slope,
    )  # fmt: skip
    return losses + of_pairs.mean(dim=1), gradient / pairs


def temi(marginal: torch.Tensor, beta: float) -> TemiObjective:
    """TEMI with marginals that stay as they are."""
    objective = TemiObjective(beta, 1.0, True)
    objective.begin(*marginal.shape, marginal)
    objective.marginal.copy_(marginal)
    return objective


def scan(student: torch.Tensor, alpha: float) -> ScanObjective:
    objective = ScanObjective(alpha)
    objective.begin(student.shape[0], student.shape[2], student)
    return objective


CASES = {
    "seed": st.integers(0, 2**20),
    "heads": st.integers(1, 3),
    "batch": st.integers(1, 4),
    "clusters": st.integers(1, 5),
    "scale": st.sampled_from([0.0, 0.1, 1.0, 5.0]),
}


def compare(
    found: tuple[torch.Tensor, torch.Tensor], expected: torch.Tensor, theirs: torch.Tensor
) -> None:
    """Losses of heads and their gradients against a reference that autograd goes through."""
    losses, gradient = found
    torch.testing.assert_close(losses.double(), expected, rtol=1e-5, atol=1e-5)
    expected.sum().backward()
    assert theirs.grad is not None
    torch.testing.assert_close(gradient.double(), theirs.grad, rtol=1e-5, atol=1e-5)


@settings(max_examples=40)
@given(**CASES, beta=st.sampled_from([0.55, 0.6, 1.0]))
def test_temi_equals_the_per_head_per_pair_reference_with_gradients(
    seed: int, heads: int, batch: int, clusters: int, scale: float, beta: float
) -> None:
    student, teacher, marginal = random_case(seed, heads, batch, clusters, scale)
    theirs = student.double().requires_grad_()
    expected = reference_temi(theirs, teacher.double(), marginal.double(), beta)
    compare(ours(temi(marginal, beta), student, teacher), expected, theirs)


@settings(max_examples=40)
@given(**CASES, alpha=st.sampled_from([0.0, 1.0, 5.0]))
def test_scan_equals_the_per_head_per_pair_reference_with_gradients(
    seed: int, heads: int, batch: int, clusters: int, scale: float, alpha: float
) -> None:
    student, teacher, _ = random_case(seed, heads, batch, clusters, scale)
    theirs = student.double().requires_grad_()
    expected = reference_scan(theirs, teacher.double(), alpha)
    compare(ours(scan(student, alpha), student, teacher), expected, theirs)


def test_gradients_in_double_precision_to_the_last_digits() -> None:
    student, teacher, marginal = (t.double() for t in random_case(3, 2, 3, 4, 1.0))
    theirs = student.clone().requires_grad_()
    expected = reference_temi(theirs, teacher, marginal, 0.6)
    losses, gradient = ours(temi(marginal, 0.6), student, teacher)
    torch.testing.assert_close(losses, expected, rtol=1e-12, atol=1e-12)
    expected.sum().backward()
    torch.testing.assert_close(gradient, theirs.grad, rtol=1e-11, atol=1e-12)


def test_extreme_logits_give_finite_losses_and_gradients() -> None:
    student = torch.full((1, 4, 3), -60.0)
    student[0, :, 0] = 60.0
    teacher = student.flip(2).clone()  # the views are sure of different clusters
    for objective in (temi(torch.full((1, 3), 1 / 3), 0.6), scan(student, 5.0)):
        losses, gradient = ours(objective, student, teacher)
        assert torch.isfinite(losses).all() and torch.isfinite(gradient).all()


def test_hand_worked_scan_case() -> None:
    # Two clusters, one pair, both views certain of cluster 0 in student and teacher:
    # consistency -log 1 = 0, mean assignment (1, 0), entropy 0.
    certain = torch.tensor([[[100.0, 0.0], [100.0, 0.0]]])
    assert ours(scan(certain, 5.0), certain, certain)[0].item() == pytest.approx(0.0)
    # Uniform everywhere: -log(1/2) + 5 * -log 2.
    uniform = torch.zeros(1, 2, 2)
    expected = math.log(2) - 5 * math.log(2)
    loss = ours(scan(uniform, 5.0), uniform, uniform)[0]
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_marginal_starts_uniform_and_moves_before_the_loss() -> None:
    student, teacher, _ = random_case(5, 2, 4, 3, 1.0)
    objective = TemiObjective(0.6, 0.9, True)
    objective.begin(2, 3, student)

    losses, _ = ours(objective, student, teacher)

    moved = 0.9 * torch.full((2, 3), 1 / 3) + 0.1 * torch.softmax(teacher, dim=2).mean(dim=1)
    torch.testing.assert_close(objective.marginal, moved)
    expected = reference_temi(student.double(), teacher.double(), moved.double(), 0.6)
    torch.testing.assert_close(losses.double(), expected, rtol=1e-5, atol=1e-5)


def test_without_weighting_every_pair_counts_alike() -> None:
    marginal = random_case(2, 2, 3, 4, 1.0)[2]
    plain = TemiObjective(0.6, 1.0, False)
    plain.begin(*marginal.shape, marginal)
    assert not plain.couples_heads
    plain.settle(slice(0, 2), torch.ones(2, 2, 4), 3)
    assert plain.terms(Tile(slice(0, 2), slice(0, 3))).weight is None
