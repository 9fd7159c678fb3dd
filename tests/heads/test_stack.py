from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from clusterbench.heads.stack import last_weight, logits, new_heads, select_head, shapes


def test_the_stack_equals_torch_modules_head_by_head() -> None:
    # Given three heads with trained-looking biases and gains
    heads = new_heads(3, 10, 7, torch.Generator().manual_seed(0), hidden=16, bottleneck=8)
    generator = torch.Generator().manual_seed(1)
    for name in ("bias_1", "bias_2", "gain"):
        heads[name] = 1.0 + torch.randn(heads[name].shape, generator=generator)
    x = torch.randn(5, 10, generator=generator)

    stacked = logits(heads, x)

    # Then each head is Linear, GELU, Linear, L2-normalise, weight-normalised Linear
    for h in range(3):
        first, second = nn.Linear(10, 16), nn.Linear(16, 8)
        last = nn.utils.parametrizations.weight_norm(nn.Linear(8, 7, bias=False), dim=0)
        with torch.no_grad():
            first.weight.copy_(heads["weight_1"][h].T)
            first.bias.copy_(heads["bias_1"][h, 0])
            second.weight.copy_(heads["weight_2"][h].T)
            second.bias.copy_(heads["bias_2"][h, 0])
            last.parametrizations.weight.original1.copy_(heads["direction"][h].T)
            last.parametrizations.weight.original0.copy_(heads["gain"][h].T)
            z = second(nn.functional.gelu(first(x)))
            expected = last(z / z.norm(dim=1, keepdim=True))
        torch.testing.assert_close(stacked[h], expected, rtol=1e-5, atol=1e-5)


#: Heads of the published widths, with few dimensions and clusters: 131,072 draws in the smallest
#: tensor that is tested.
STARTED = new_heads(4, 64, 128, torch.Generator().manual_seed(0))


def test_shapes_biases_and_gains_of_the_start() -> None:
    assert {name: tuple(tensor.shape) for name, tensor in STARTED.items()} == {
        "weight_1": (4, 64, 512),
        "bias_1": (4, 1, 512),
        "weight_2": (4, 512, 256),
        "bias_2": (4, 1, 256),
        "direction": (4, 256, 128),
        "gain": (4, 1, 128),
    }
    assert not STARTED["bias_1"].any() and not STARTED["bias_2"].any()
    assert (STARTED["gain"] == 1).all()
    assert all(tensor.dtype == torch.float32 for tensor in STARTED.values())


@pytest.mark.parametrize(
    ("name", "law"),
    [
        # Cut at -2 and 2, a hundred deviations, which leaves of a normal law what floats can tell.
        ("weight_1", stats.truncnorm(-100.0, 100.0, scale=0.02)),
        ("weight_2", stats.truncnorm(-100.0, 100.0, scale=0.02)),
        ("direction", stats.uniform(-1 / 16, 1 / 8)),  # +-1/sqrt(256)
    ],
)
def test_weights_start_by_the_stated_law(name: str, law: Any) -> None:
    drawn = STARTED[name].double().numpy().ravel()
    low, high = law.support()
    assert low <= drawn.min() and drawn.max() <= high

    # Mean and variance within four standard errors, which follow from the law's own moments.
    variance = law.var()
    fourth = law.moment(4)  # of a law around 0
    assert abs(drawn.mean()) < 4 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() - variance) < 4 * np.sqrt((fourth - variance**2) / drawn.size)
    assert stats.kstest(drawn, law.cdf).pvalue > 0.001


def test_the_last_layer_starts_like_a_torch_linear_without_bias() -> None:
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    theirs = nn.Linear(256, 512, bias=False).weight.detach().numpy().ravel()
    torch.set_rng_state(torch_state)
    ours = STARTED["direction"].numpy().ravel()
    assert stats.ks_2samp(ours, theirs).pvalue > 0.001
    # Both fill their range to within a thousandth: the bound is 1/sqrt(256), not of other widths.
    assert np.abs(ours).max() == pytest.approx(1 / 16, rel=1e-3)
    assert np.abs(theirs).max() == pytest.approx(1 / 16, rel=1e-3)


def test_heads_and_layers_start_independently() -> None:
    for name in ("weight_1", "weight_2", "direction"):
        drawn = STARTED[name].flatten(1).double().numpy()
        correlation = np.corrcoef(drawn)[~np.eye(4, dtype=bool)]
        assert np.abs(correlation).max() < 4 / np.sqrt(drawn.shape[1])


def test_a_head_does_not_depend_on_how_many_follow() -> None:
    few = new_heads(1, 6, 4, torch.Generator().manual_seed(0), hidden=8, bottleneck=5)
    many = new_heads(4, 6, 4, torch.Generator().manual_seed(0), hidden=8, bottleneck=5)
    for name, tensor in few.items():
        assert torch.equal(tensor, select_head(many, 0)[name])


def test_a_layer_of_each_space_starts_as_a_weight_normalised_linear() -> None:
    spaces = (400, 25)
    heads, more = (
        new_heads(
            n, 425, 30, torch.Generator().manual_seed(0), depth=0, last="spaces", spaces=spaces
        )
        for n in (2, 3)
    )
    for s, width in enumerate(spaces, 1):
        direction, gain = heads[f"direction_{s}"], heads[f"gain_{s}"]
        assert direction.shape == (2, width, 30) and heads[f"bias_last_{s}"].shape == (2, 1, 30)
        torch.testing.assert_close(last_weight(direction, gain), direction)
        for drawn in (direction, heads[f"bias_last_{s}"]):
            uniform = stats.uniform(-(width**-0.5), 2 * width**-0.5)
            assert stats.kstest(drawn.flatten().numpy(), uniform.cdf).pvalue > 1e-3
    assert set(heads) == set(shapes(2, [425], 30, "spaces", spaces))
    for name, tensor in heads.items():
        assert torch.equal(tensor, more[name][:2]), name


def test_one_space_is_all_of_the_rows() -> None:
    one, named = (
        new_heads(2, 9, 4, torch.Generator().manual_seed(0), depth=0, last="spaces", spaces=spaces)
        for spaces in ((), (9,))
    )
    x = torch.randn(5, 9, generator=torch.Generator().manual_seed(1))
    assert torch.equal(logits(one, x), logits(named, x))
    for h in range(2):
        linear = nn.Linear(9, 4)
        with torch.no_grad():
            linear.weight.copy_(last_weight(one["direction_1"], one["gain_1"])[h].T)
            linear.bias.copy_(one["bias_last_1"][h, 0])
            torch.testing.assert_close(logits(one, x)[h], linear(x))
