"""TEMI's projection head, many independent ones held in one stack of tensors.

Head h (facts of the TEMI code and paper, arXiv:2303.17896): Linear(dim, 512) -> GELU ->
Linear(512, 256) -> L2-normalise -> weight-normalised Linear(256, K) without bias. A stack of H
heads is a dictionary of tensors whose first axis is the head, so one batched matrix product
serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

HeadStack = dict[str, Tensor]

#: Rows whose logits are held at a time, at most, and logits of one head.
_PREDICT_ROWS, _PREDICT_LOGITS = 8192, 1 << 24

#: The tensors that weight decay applies to: all but biases. The gain is among them, since TEMI's
#: code leaves out what has one dimension, and a weight-normalised layer keeps its gain in two.
DECAYED = ("weight_1", "weight_2", "direction", "gain")
#: What products of the layers below the last one are made of in half precision, and the tensors
#: that they are made with as they are; the last layer's weight is made of two.
HALF = torch.bfloat16
HALVED = ("weight_1", "weight_2")


def new_heads(
    n_heads: int,
    dim: int,
    n_clusters: int,
    generator: torch.Generator,
    hidden: int = 512,
    bottleneck: int = 256,
    init_std: float = 0.02,
) -> HeadStack:
    """Freshly initialised heads on the CPU, as TEMI's code starts them.

    The first two layers have truncated normal weights and zero biases. The last one has the
    default weights of a torch Linear, uniform within 1 / sqrt(bottleneck), and gain 1: TEMI's code
    draws the truncated normals before it adds that layer. The scale of its directions does not
    change a logit, but AdamW turns a longer vector more slowly.

    The draws come from `generator` on the CPU, head by head, so that head h is the same whatever
    the number of heads after it and whatever the device.

    Args:
        n_heads: H.
        dim: of the input.
        n_clusters: K.
        generator: on the CPU; its state moves on.
        hidden: width of the first two layers.
        bottleneck: width of the last but one.
        init_std: standard deviation of the first two layers' weights before they are cut at -2
            and 2.

    Returns:
        weight_1 (H, dim, hidden), bias_1 (H, 1, hidden), weight_2 (H, hidden, bottleneck),
        bias_2 (H, 1, bottleneck), direction (H, bottleneck, K), gain (H, 1, K); float32.
    """

    def truncated(*shape: int) -> Tensor:
        weight = torch.empty(*shape)
        torch.nn.init.trunc_normal_(weight, std=init_std, a=-2.0, b=2.0, generator=generator)
        return weight

    bound = bottleneck**-0.5

    def uniform(*shape: int) -> Tensor:
        return torch.empty(*shape).uniform_(-bound, bound, generator=generator)

    layers = [
        (truncated(dim, hidden), truncated(hidden, bottleneck), uniform(bottleneck, n_clusters))
        for _ in range(n_heads)
    ]
    return {
        "weight_1": torch.stack([layer[0] for layer in layers]),
        "bias_1": torch.zeros(n_heads, 1, hidden),
        "weight_2": torch.stack([layer[1] for layer in layers]),
        "bias_2": torch.zeros(n_heads, 1, bottleneck),
        "direction": torch.stack([layer[2] for layer in layers]),
        "gain": torch.ones(n_heads, 1, n_clusters),
    }


def logits(heads: HeadStack, x: Tensor) -> Tensor:
    """Logits of every head before the temperature: cosines times the gain.

    Args:
        heads: a stack of H heads.
        x: (rows, dim), the same rows for every head.

    Returns:
        (H, rows, n_clusters), in [-gain, gain].
    """
    n_heads, dim, hidden = heads["weight_1"].shape
    # The first layer sees the same input in every head: one wide product instead of H.
    wide = heads["weight_1"].permute(1, 0, 2).reshape(dim, n_heads * hidden)
    h = (x @ wide).view(len(x), n_heads, hidden).transpose(0, 1) + heads["bias_1"]
    h = functional.gelu(h)
    h = torch.baddbmm(heads["bias_2"], h, heads["weight_2"])
    h = functional.normalize(h, dim=2)
    return torch.bmm(h, last_weight(heads["direction"], heads["gain"]))


def last_weight(direction: Tensor, gain: Tensor) -> Tensor:
    """The weight of the last layer, (H, bottleneck, n_clusters): unit columns times the gain."""
    return functional.normalize(direction, dim=1) * gain


def select_head(heads: HeadStack, which: int) -> HeadStack:
    """The stack that holds only head `which`."""
    return {name: tensor[which : which + 1].clone() for name, tensor in heads.items()}


def assign(head: HeadStack, x: Tensor) -> Tensor:
    """The cluster of each row of x by a stack of one head: (rows,) int64 on the head's device."""
    return _in_blocks(head, x, lambda block: block.argmax(dim=1))


def top(head: HeadStack, x: Tensor, n: int) -> Tensor:
    """The n most likely clusters of each row, best first: (rows, n) int64."""
    return _in_blocks(head, x, lambda block: block.topk(n, dim=1).indices)


def probabilities(head: HeadStack, x: Tensor, temperature: float) -> Tensor:
    """Softmax of the logits over the temperature: (rows, n_clusters) float32."""
    return _in_blocks(head, x, lambda block: torch.softmax(block / temperature, dim=1))


@torch.no_grad()
def _in_blocks(head: HeadStack, x: Tensor, reduce: Callable[[Tensor], Tensor]) -> Tensor:
    device, n_clusters = head["gain"].device, head["gain"].shape[2]
    rows = min(_PREDICT_ROWS, max(1, _PREDICT_LOGITS // n_clusters))
    return torch.cat([reduce(logits(head, block.to(device))[0]) for block in x.split(rows)])
