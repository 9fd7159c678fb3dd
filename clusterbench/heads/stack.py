"""Clustering heads, many independent ones held in one stack of tensors.

A head has `depth` linear layers with a GELU between two of them, and a last layer of one of three
kinds: "cosine" brings rows to unit length and is weight-normalised without bias, "linear" is a
plain Linear after one more GELU if there are layers, and "spaces" has a weight-normalised Linear
for each of several blocks of columns and takes the mean of their softmaxes for its probabilities.
With two layers and a cosine it is TEMI's (facts of its code and paper, arXiv:2303.17896):
Linear(dim, 512) -> GELU -> Linear(512, 256) -> L2-normalise -> weight-normalised Linear(256, K).
With no layers it is the last layer alone.

A stack of H heads is a dictionary of tensors whose first axis is the head, so one batched matrix
product serves all of them. Its names say what it is: weight_1, bias_1, ... of the layers, then
direction and gain of a cosine, or weight_last and bias_last, or of each space direction_1, gain_1
and bias_last_1, direction_2 ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from .schedule import widths

HeadStack = dict[str, Tensor]

#: Rows whose logits are held at a time, at most, and logits of one head.
_PREDICT_ROWS, _PREDICT_LOGITS = 8192, 1 << 24

#: What products of the layers below the last one are made of in half precision; the last layer's
#: weight is made of two tensors.
HALF = torch.bfloat16
LAST_LAYERS = ("cosine", "linear", "spaces")


def depth_of(names: Iterable[str]) -> int:
    """Layers below the last of a stack whose tensors have these names."""
    return sum(is_halved(name) for name in names)


def is_halved(name: str) -> bool:
    """Whether products in half precision are made with this tensor as it is."""
    return name.startswith("weight_") and name != "weight_last"


def is_decayed(name: str) -> bool:
    """Whether weight decay applies: to all but biases.

    The gain is among them, since TEMI's code leaves out what has one dimension, and a
    weight-normalised layer keeps its gain in two.
    """
    return not name.startswith("bias_")


def shapes(
    n_heads: int, of_rows: list[int], n_clusters: int, last: str, spaces: tuple[int, ...] = ()
) -> dict[str, tuple[int, ...]]:
    """Of a stack's tensors, by name and in order.

    Args:
        n_heads: H.
        of_rows: widths, as `schedule.widths` gives them.
        n_clusters: K.
        last: "cosine", "linear" or "spaces".
        spaces: widths of the blocks of columns; () for one of all.
    """
    found: dict[str, tuple[int, ...]] = {}
    for i, (before, after) in enumerate(pairwise(of_rows), 1):
        found[f"weight_{i}"] = (n_heads, before, after)
        found[f"bias_{i}"] = (n_heads, 1, after)
    if last == "spaces":
        for s, width in enumerate(spaces or of_rows[-1:], 1):
            found[f"direction_{s}"] = (n_heads, width, n_clusters)
            found[f"gain_{s}"] = found[f"bias_last_{s}"] = (n_heads, 1, n_clusters)
        return found
    of_last = ("direction", "gain") if last == "cosine" else ("weight_last", "bias_last")
    found[of_last[0]] = (n_heads, of_rows[-1], n_clusters)
    found[of_last[1]] = (n_heads, 1, n_clusters)
    return found


def new_heads(
    n_heads: int,
    dim: int,
    n_clusters: int,
    generator: torch.Generator,
    hidden: int = 512,
    bottleneck: int = 256,
    init_std: float = 0.02,
    depth: int = 2,
    last: str = "cosine",
    spaces: tuple[int, ...] = (),
) -> HeadStack:
    """Freshly initialised heads on the CPU, as TEMI's code starts them.

    The layers have truncated normal weights and zero biases. The last one has the default weights
    of a torch Linear, uniform within 1 / sqrt(bottleneck), and gain 1 or such a bias: TEMI's code
    draws the truncated normals before it adds that layer. The scale of a cosine's directions does
    not change a logit, but AdamW turns a longer vector more slowly. A space's layer starts as a
    torch Linear of its width under weight normalisation: gains are the lengths of the directions.

    The draws come from `generator` on the CPU, head by head, so that head h is the same whatever
    the number of heads after it and whatever the device.

    Args:
        n_heads: H.
        dim: of the input.
        n_clusters: K.
        generator: on the CPU; its state moves on.
        hidden: width of the layers but the last of them.
        bottleneck: width of that one.
        init_std: standard deviation of the layers' weights before they are cut at -2 and 2.
        depth: layers below the last; 0 for none.
        last: "cosine", "linear" or "spaces".
        spaces: as `shapes` takes them.

    Returns:
        weight_1 (H, dim, hidden), bias_1 (H, 1, hidden), weight_2 (H, hidden, bottleneck),
        bias_2 (H, 1, bottleneck), direction (H, bottleneck, K), gain (H, 1, K), of two layers and
        a cosine; float32.
    """
    of_one = shapes(1, widths(dim, hidden, depth, bottleneck), n_clusters, last, spaces)
    bound = (bottleneck if depth else dim) ** -0.5

    def drawn(name: str) -> Tensor:
        tensor = torch.empty(of_one[name][1:])
        if name in ("direction", "weight_last", "bias_last"):
            return tensor.uniform_(-bound, bound, generator=generator)
        if name.startswith("bias_"):
            return tensor.zero_()
        if name == "gain":
            return tensor.fill_(1.0)
        torch.nn.init.trunc_normal_(tensor, std=init_std, a=-2.0, b=2.0, generator=generator)
        return tensor

    def drawn_head() -> HeadStack:
        if last != "spaces":
            return {name: drawn(name) for name in of_one}
        found = {name: drawn(name) for name in of_one if name.startswith(("weight_", "bias_"))}
        for s in range(1, n_spaces(of_one) + 1):
            width = of_one[f"direction_{s}"][1]
            found[f"direction_{s}"], found[f"bias_last_{s}"] = linear_start(
                width, n_clusters, generator
            )
            found[f"gain_{s}"] = found[f"direction_{s}"].norm(dim=0, keepdim=True)
        return found

    heads = [drawn_head() for _ in range(n_heads)]
    return {name: torch.stack([head[name] for head in heads]) for name in of_one}


def linear_start(dim: int, n_clusters: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weight (dim, n_clusters) and bias (1, n_clusters) as torch starts those of a Linear.

    Both are uniform within 1 / sqrt(dim), drawn on the CPU in this order.
    """
    bound = dim**-0.5
    weight = torch.empty(dim, n_clusters).uniform_(-bound, bound, generator=generator)
    return weight, torch.empty(1, n_clusters).uniform_(-bound, bound, generator=generator)


def embedded(heads: HeadStack, x: Tensor) -> Tensor:
    """What the last layer of every head sees, before a cosine's unit length.

    Args:
        heads: a stack of H heads.
        x: (rows, dim), the same rows for every head.

    Returns:
        (H, rows, width).
    """
    depth = depth_of(heads)
    if not depth:
        return x.expand(_n_heads(heads), *x.shape)
    n_heads, dim, hidden = heads["weight_1"].shape
    # The first layer sees the same input in every head: one wide product instead of H.
    wide = heads["weight_1"].permute(1, 0, 2).reshape(dim, n_heads * hidden)
    h = (x @ wide).view(len(x), n_heads, hidden).transpose(0, 1) + heads["bias_1"]
    for i in range(2, depth + 1):
        h = torch.baddbmm(heads[f"bias_{i}"], functional.gelu(h), heads[f"weight_{i}"])
    return h


def logits(heads: HeadStack, x: Tensor) -> Tensor:
    """Logits of every head before the temperature: of a cosine, cosines times the gain.

    Args:
        heads: a stack of H heads.
        x: (rows, dim), the same rows for every head.

    Returns:
        (H, rows, n_clusters); of a cosine in [-gain, gain]. Of several spaces the logarithms of the
        mean of their softmaxes, so that their softmax is that mean.
    """
    if "direction_1" in heads:
        return _mean_of_spaces(space_logits(heads, x))
    h = embedded(heads, x)
    if "direction" not in heads:
        h = functional.gelu(h) if depth_of(heads) else h
        return torch.baddbmm(heads["bias_last"], h, heads["weight_last"])
    return torch.bmm(functional.normalize(h, dim=2), last_weight(heads["direction"], heads["gain"]))


def space_logits(heads: HeadStack, x: Tensor) -> list[Tensor]:
    """Logits of each space of a last layer of spaces, (H, rows, n_clusters) each."""
    h, found, begin = embedded(heads, x), [], 0
    for s in range(1, n_spaces(heads) + 1):
        direction = heads[f"direction_{s}"]
        end = begin + direction.shape[1]
        weight = last_weight(direction, heads[f"gain_{s}"])
        found.append(torch.baddbmm(heads[f"bias_last_{s}"], h[:, :, begin:end], weight))
        begin = end
    return found


def _mean_of_spaces(of_spaces: list[Tensor]) -> Tensor:
    """One space's logits as they are; of several the log of the mean of their softmaxes."""
    if len(of_spaces) == 1:
        return of_spaces[0]
    logs = torch.stack([torch.log_softmax(of_space, dim=2) for of_space in of_spaces])
    return torch.logsumexp(logs, dim=0) - math.log(len(of_spaces))


def n_spaces(names: Iterable[str]) -> int:
    """Spaces of a stack whose tensors have these names; 0 with another last layer."""
    return sum(name.startswith("direction_") for name in names)


def _n_heads(heads: HeadStack) -> int:
    return len(next(iter(heads.values())))


def n_clusters_of(heads: HeadStack) -> int:
    """K of a stack."""
    of_last = next(n for n in ("direction", "direction_1", "weight_last") if n in heads)
    return heads[of_last].shape[2]


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
    device, n_clusters = next(iter(head.values())).device, n_clusters_of(head)
    rows = min(_PREDICT_ROWS, max(1, _PREDICT_LOGITS // n_clusters))
    return torch.cat([reduce(logits(head, block.to(device))[0]) for block in x.split(rows)])
