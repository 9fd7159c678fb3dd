"""The fused tiles in float32 against the plain ones in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clusterbench.heads import cpu_threads
from clusterbench.heads.losses import cpu_tiles, torch_tiles

#: Heads, pairs, clusters: one of each; rows shorter and longer than vectors; several blocks.
SHAPES = [(1, 1, 1), (2, 3, 2), (3, 1, 3), (2, 70, 17), (1, 130, 64), (2, 5, 1000), (1, 1, 4111)]


def logits(heads: int, pairs: int, n_clusters: int, seed: int, spread: float) -> Tensor:
    torch.manual_seed(seed)
    return spread * torch.randn(heads, 2 * pairs, n_clusters)


def of_rounding(*scaled: Tensor) -> float:
    """How far logarithms may be off: float32 rounds them where they are largest."""
    return 1e-6 + 4 * 2.0**-24 * max(float(x.abs().max()) for x in scaled)


def check_survey(tile: Tensor, scale: float) -> None:
    found, right = cpu_tiles.survey(tile, scale), torch_tiles.survey(tile.double(), scale)
    off = of_rounding(tile * scale)
    assert found.lse.dtype == found.sums.dtype == found.agreement.dtype == torch.float32
    assert found.best.dtype == torch.int32
    np.testing.assert_array_equal(found.best, tile.numpy().argmax(axis=2))
    np.testing.assert_allclose(found.lse, right.lse, rtol=0, atol=off)
    # What is 87 below the highest is 0.
    np.testing.assert_allclose(found.sums, right.sums, rtol=2 * off, atol=1e-36)
    np.testing.assert_allclose(found.agreement, right.agreement, rtol=4 * off, atol=1e-36)


def check_gradient(
    student: Tensor,
    teacher: Tensor,
    scales: tuple[float, float],
    log_marginal: Tensor | None,
    beta: float,
    weight: Tensor | None,
    slope: Tensor | None,
) -> None:
    lse = cpu_tiles.survey(teacher, scales[1]).lse
    more = (log_marginal, weight, slope)
    found, kept = student.clone(), teacher.clone()
    losses = cpu_tiles.pair_gradient(found, kept, *scales, lse, log_marginal, beta, weight, slope)
    right = student.double()
    in_doubles = [None if x is None else x.double() for x in more]
    right_losses = torch_tiles.pair_gradient(
        right,
        teacher.double(),
        *scales,
        torch_tiles.survey(teacher.double(), scales[1]).lse,
        in_doubles[0],
        beta,
        *in_doubles[1:],
    )
    assert torch.equal(kept, teacher)
    assert found.dtype == losses.dtype == torch.float32
    off = of_rounding(student * scales[0], teacher * scales[1], right_losses)
    heaviest = 1.0 if weight is None else float(weight.max())
    steepest = 0.0 if slope is None else float(slope.abs().max())
    np.testing.assert_allclose(losses, right_losses, rtol=0, atol=2 * heaviest * off)
    room = scales[0] * (heaviest + 2 * steepest) * off
    np.testing.assert_allclose(found, right, rtol=0, atol=room)


def check_all(student: Tensor, teacher: Tensor, scales: tuple[float, float]) -> None:
    heads, rows, n_clusters = student.shape
    log_marginal = torch.log_softmax(torch.randn(heads, n_clusters), dim=1)
    weight, slope = torch.rand(rows // 2), torch.randn(heads, 2, n_clusters)
    for tile, scale in zip((student, teacher), scales, strict=True):
        check_survey(tile, scale)
    check_gradient(student, teacher, scales, None, 1.0, None, None)
    check_gradient(student, teacher, scales, log_marginal, 0.6, weight, None)
    check_gradient(student, teacher, scales, None, 1.0, None, slope)
    check_gradient(student, teacher, scales, log_marginal, 0.8, weight, slope)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_as_the_plain_definitions_have_it(shape: tuple[int, int, int], spread: float) -> None:
    check_all(logits(*shape, 0, spread), logits(*shape, 1, spread), (10.0, 25.0))


@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(0, 2**16),
    st.sampled_from([1.0, 10.0, 25.0]),
    st.sampled_from([0.0, 1e-3, 1.0, 8.0]),
)
@settings(deadline=None, max_examples=50)
def test_for_all_shapes_scales_and_spreads(
    heads: int, pairs: int, n_clusters: int, seed: int, scale: float, spread: float
) -> None:
    student = logits(heads, pairs, n_clusters, seed, spread)
    teacher = logits(heads, pairs, n_clusters, seed + 1, spread)
    check_all(student, teacher, (scale, 1.0))


@pytest.mark.parametrize("n_clusters", [2, 10, 300])
def test_logits_far_apart_and_equal_ones(n_clusters: int) -> None:
    """Scaled differences of 200: student and teacher are sure, of the same or of another."""
    torch.manual_seed(0)
    student = 20.0 * torch.eye(n_clusters)[torch.randint(n_clusters, (2, 8))]
    teacher = 20.0 * torch.eye(n_clusters)[torch.randint(n_clusters, (2, 8))]
    check_all(student, teacher, (10.0, 10.0))
    check_all(torch.full_like(student, 7.0), torch.full_like(student, -3.0), (10.0, 10.0))


def test_the_gradient_is_that_of_the_losses() -> None:
    """Where slope is None: by automatic differentiation of the formula itself."""
    student, teacher = logits(2, 6, 11, 0, 1.0), logits(2, 6, 11, 1, 1.0)
    log_marginal = torch.log_softmax(torch.randn(2, 11), dim=1)
    weight = torch.rand(6)
    leaf = student.double().requires_grad_()
    q_s = (5.0 * leaf).softmax(dim=2)
    q_t = (4.0 * teacher.double()).softmax(dim=2).roll(6, dims=1)
    ratio = (q_s * q_t) ** 0.7 / log_marginal.double().exp()[:, None]
    each = -ratio.sum(dim=2).log()
    right = weight.double() * (each[:, :6] + each[:, 6:]) / 2
    right.sum().backward()
    lse = cpu_tiles.survey(teacher, 4.0).lse
    losses = cpu_tiles.pair_gradient(
        student, teacher, 5.0, 4.0, lse, log_marginal, 0.7, weight, None
    )
    np.testing.assert_allclose(losses, right.detach(), rtol=0, atol=1e-5)
    assert leaf.grad is not None
    np.testing.assert_allclose(student, leaf.grad, rtol=0, atol=1e-5)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    student, teacher = logits(3, 200, 1000, 0, 1.0), logits(3, 200, 1000, 1, 1.0)
    slope = torch.randn(3, 2, 1000)
    answers = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(cpu_threads, "torch_threads", lambda n=threads: n)
        seen = cpu_tiles.survey(teacher, 10.0)
        gradient = student.clone()
        losses = cpu_tiles.pair_gradient(
            gradient, teacher, 10.0, 10.0, seen.lse, None, 1.0, None, slope
        )
        answers.append([seen.lse, seen.best, seen.sums, seen.agreement, gradient, losses])
    for other in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answers[0], other, strict=True))


@pytest.mark.parametrize("value", [float("nan"), -float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("n_clusters", [1, 2, 17, 300])
def test_a_logit_that_is_no_number_makes_its_pair_s_loss_nan(n_clusters: int, value: float) -> None:
    for row in (1, 4):
        for which in ("student", "teacher"):
            tiles = {"student": logits(2, 3, n_clusters, 0, 1.0)}
            tiles["teacher"] = logits(2, 3, n_clusters, 1, 1.0)
            tiles[which][1, row, n_clusters // 2] = value
            lse = cpu_tiles.survey(tiles["teacher"], 10.0).lse
            best = cpu_tiles.survey(tiles[which], 10.0).best
            assert bool(((best >= 0) & (best < n_clusters)).all())
            losses = cpu_tiles.pair_gradient(
                tiles["student"], tiles["teacher"], 10.0, 10.0, lse, None, 1.0, None, None
            )
            wrong = torch.zeros(2, 3, dtype=torch.bool)
            wrong[1, 1] = True
            assert torch.equal(losses.isnan(), wrong)


def test_tensors_that_are_not_contiguous_are_taken_and_written_to() -> None:
    wide, teacher = logits(2, 4, 30, 0, 1.0), logits(2, 4, 15, 1, 1.0)
    strided = wide[:, :, ::2]
    dense = strided.contiguous()
    lse = cpu_tiles.survey(teacher, 3.0).lse
    for student in (strided, dense):
        cpu_tiles.pair_gradient(student, teacher, 3.0, 3.0, lse, None, 1.0, None, None)
    assert torch.equal(strided, dense)
    assert not strided.is_contiguous()


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"float32, not torch\.float64"):
        cpu_tiles.survey(torch.zeros(1, 2, 3, dtype=torch.float64), 1.0)
