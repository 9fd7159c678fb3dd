"""Fused layers on the CPU against their definitions in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clusterbench.heads import cpu_threads, engines
from clusterbench.heads.layers import cpu_layers
from clusterbench.heads.layers import torch_layers as layers

FLOAT = torch.float32


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, right: Tensor, tolerance: float = 2e-6) -> None:
    assert found.dtype == FLOAT
    torch.testing.assert_close(found.double(), right, rtol=tolerance, atol=tolerance)


sizes = st.tuples(st.integers(1, 3), st.integers(1, 150), st.integers(1, 70))


class TestGelu:
    def test_values_and_slopes_are_those_of_the_error_function(self) -> None:
        # Given numbers of all sizes, none so small that its square is no normal float32
        x = torch.cat([torch.linspace(-30, 30, 600_001), 10 ** torch.linspace(-15, 15, 3001)])
        zero = torch.zeros(1, 1, len(x))

        slopes, active = cpu_layers.activated(x.view(1, 1, -1).clone(), zero)
        _, alone = cpu_layers.activated(x.view(1, 1, -1).clone(), zero, keep=False)

        at = x.double()
        phi = 0.5 * torch.special.erfc(-at / math.sqrt(2))
        density = torch.exp(-0.5 * at**2) / math.sqrt(2 * math.pi)
        size = at.abs().clamp_min(1)
        assert ((active[0, 0] - at * phi).abs() / size).max() < 2e-7
        assert slopes is not None
        assert (slopes[0, 0] - (phi + at * density)).abs().max() < 2e-7
        assert torch.equal(alone, active)

    def test_what_is_no_number_stays_none(self) -> None:
        for value in (math.nan, -math.nan, math.inf, -math.inf):
            x = torch.zeros(1, 1, 20)
            x[0, 0, 3] = value
            slopes, active = cpu_layers.activated(x, torch.zeros(1, 1, 20))
            assert slopes is not None
            for found in (slopes, active):
                assert found[0, 0].isfinite().logical_not().nonzero().tolist() == [[3]]

    @given(sizes)
    @settings(max_examples=30, deadline=None)
    def test_forward_and_back(self, size: tuple[int, int, int]) -> None:
        product, bias, upper = (
            drawn(*size),
            drawn(size[0], 1, size[2], seed=1),
            drawn(*size, seed=2),
        )
        right_kept, right = layers.activated(product.double(), bias.double())
        assert right_kept is not None
        rights = layers.activated_back(upper.double(), right_kept, bias.double())

        kept, active = cpu_layers.activated(product.clone(), bias)
        assert kept is not None
        found = cpu_layers.activated_back(upper.clone(), kept, bias)

        close(active, right)
        close(found[0], rights[0])
        close(found[1], rights[1], 1e-5)


class TestUnit:
    @given(sizes, st.floats(1e-3, 1e3))
    @settings(max_examples=30, deadline=None)
    def test_forward_and_back(self, size: tuple[int, int, int], scale: float) -> None:
        product, bias, upper = (
            drawn(*size),
            drawn(size[0], 1, size[2], seed=1),
            drawn(*size, seed=2),
        )
        product[0, 0] = -bias[0]  # a row of zeros
        right = layers.unit(product.double(), bias.double(), torch.float64)
        rows, length = cpu_layers.unit(product.clone(), bias, FLOAT)
        close(rows, right[0])
        close(length, right[1])

        product[0, 0] += 1.0
        rows, length = layers.unit(product, bias, FLOAT)
        rights = layers.unit_back(
            upper.double(), rows.double(), length.double(), scale, torch.float64
        )
        found = cpu_layers.unit_back(upper.clone(), rows, length, scale, FLOAT)
        high = float(rights[0].abs().max()) + 1.0
        close(found[0] / high, rights[0] / high)
        close(found[1] / high, rights[1] / high, 1e-5)

    def test_no_number_stays_none_in_its_row(self) -> None:
        product = drawn(2, 3, 5)
        product[1, 2, 4] = math.nan
        rows, length = cpu_layers.unit(product, torch.zeros(2, 1, 5), FLOAT)
        assert rows[1, 2].isnan().all() and length[1, 2].isnan().all()
        assert rows.isnan().sum() == 5
        of_product, of_bias = cpu_layers.unit_back(drawn(2, 3, 5, seed=1), rows, length, 1.0, FLOAT)
        assert of_product[1, 2].isnan().all() and of_product.isnan().sum() == 5
        assert of_bias[1].isnan().all() and of_bias[0].isfinite().all()


class TestLastWeight:
    @given(
        st.tuples(st.integers(1, 3), st.integers(1, 40), st.sampled_from([1, 2, 17, 600, 1100])),
        st.floats(1e-3, 1e3),
    )
    @settings(max_examples=30, deadline=None)
    def test_forward_and_back(self, size: tuple[int, int, int], scale: float) -> None:
        direction, gain = drawn(*size), drawn(size[0], 1, size[2], seed=1)
        upper = drawn(*size, seed=2)
        right = layers.last_weight(direction.double(), gain.double(), torch.float64)
        close(cpu_layers.last_weight(direction, gain, FLOAT), right)

        rights = layers.last_weight_back(upper.double(), direction.double(), gain.double(), scale)
        found = cpu_layers.last_weight_back(upper.clone(), direction, gain, scale)
        # What is along a column is taken away: errors are of the size of what was there before.
        of_column = (upper * gain).norm(dim=1) / direction.norm(dim=1) + upper.norm(dim=1)
        high = scale * float(of_column.max())
        for mine, theirs in zip(found, rights, strict=True):
            close(mine / high, theirs / high)

    def test_a_column_of_zeros_stays_zeros_and_no_number_none(self) -> None:
        direction, gain = drawn(1, 4, 3), torch.ones(1, 1, 3)
        direction[0, :, 0], direction[0, 2, 1] = 0.0, math.nan
        found = cpu_layers.last_weight(direction, gain, FLOAT)
        assert (found[0, :, 0] == 0).all()
        assert found[0, :, 1].isnan().all() and found[0, :, 2].isfinite().all()
        back = cpu_layers.last_weight_back(drawn(1, 4, 3, seed=1), direction, gain, 1.0)
        assert all(part[0, :, 1].isnan().all() for part in back)
        assert all(part[0, :, 2].isfinite().all() for part in back)


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    product, bias, upper = drawn(3, 900, 300), drawn(3, 1, 300, seed=1), drawn(3, 900, 300, seed=2)
    direction, gain = drawn(3, 300, 1100, seed=3), drawn(3, 1, 1100, seed=4)
    answers = []
    for threads in (1, 2, 4):
        monkeypatch.setattr(cpu_threads, "torch_threads", lambda n=threads: n)
        kept, active = cpu_layers.activated(product.clone(), bias)
        assert kept is not None
        rows, length = cpu_layers.unit(product.clone(), bias, FLOAT)
        answers.append(
            [
                kept, active, cpu_layers.activated(product.clone(), bias, keep=False)[1],
                *cpu_layers.activated_back(upper.clone(), kept, bias),
                rows, length, *cpu_layers.unit_back(upper.clone(), rows, length, 1.0, FLOAT),
                cpu_layers.last_weight(direction, gain, FLOAT),
                *cpu_layers.last_weight_back(direction.clone(), direction, gain, 1.0),
            ]
        )  # fmt: skip
    for other in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answers[0], other, strict=True))


def test_inputs_that_do_not_lie_in_order_are_understood() -> None:
    product, bias = drawn(2, 5, 6).mT, drawn(2, 1, 5, seed=1)
    right = layers.activated(product.double(), bias.double())[1]
    close(cpu_layers.activated(product, bias)[1], right)


def test_they_are_chosen_for_float32_on_the_cpu_alone() -> None:
    cpu = torch.device("cpu")
    assert engines.layer_engine(cpu, torch.float32) is cpu_layers
    assert engines.layer_engine(cpu, torch.float64) is layers
    assert engines.layer_engine(cpu, torch.bfloat16) is layers
