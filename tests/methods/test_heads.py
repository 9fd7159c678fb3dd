from __future__ import annotations

import torch
from torch import nn

from clusterbench.methods.heads import logits, new_heads, select_head


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


def test_initialisation_is_truncated_normal_with_zero_biases_and_unit_gains() -> None:
    heads = new_heads(2, 64, 50, torch.Generator().manual_seed(0))
    assert heads["weight_1"].shape == (2, 64, 512)
    assert heads["direction"].shape == (2, 256, 50)
    assert abs(heads["weight_1"].std().item() - 0.02) < 1e-3
    assert not heads["bias_1"].any() and not heads["bias_2"].any()
    assert (heads["gain"] == 1).all()
    assert not torch.equal(heads["weight_1"][0], heads["weight_1"][1])


def test_a_head_does_not_depend_on_how_many_follow() -> None:
    few = new_heads(1, 6, 4, torch.Generator().manual_seed(0), hidden=8, bottleneck=5)
    many = new_heads(4, 6, 4, torch.Generator().manual_seed(0), hidden=8, bottleneck=5)
    for name, tensor in few.items():
        assert torch.equal(tensor, select_head(many, 0)[name])
