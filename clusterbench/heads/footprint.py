"""The memory that a training takes at its peak, beyond the features as they were given."""

from __future__ import annotations

from itertools import pairwise

import torch

from .lanes import Lanes
from .losses.tiling import TILE_NUMBERS, Tiling
from .schedule import Schedule, widths

#: What a CPU's memory allocator keeps of what was freed, at most (see `lessons.distillation`).
_KEPT_FREE = 48 << 20


def training_bytes(
    schedule: Schedule,
    n: int,
    dim: int,
    n_clusters: int,
    n_heads: int,
    resident: str,
    given_dim: int,
    n_neighbors: int,
    device: str,
    precision: str,
    recorded: float | None = None,
) -> float:
    """Bytes on the device, of what is held all the time and of the largest step.

    Args:
        schedule: of the training.
        n: rows.
        dim: of what heads see.
        n_clusters: K.
        n_heads: of this process.
        resident: as `HeadInput.resident`.
        given_dim: dimensions of the rows as given.
        n_neighbors: that partners are drawn from.
        device: "cpu" or "cuda".
        precision: as of `train_heads`.
        recorded: bytes of logits of a lesson that does without tiles, and of what else it holds.
    """
    of_rows = widths(dim, schedule.hidden, schedule.depth, schedule.bottleneck)
    products = sum(before * after for before, after in pairwise(of_rows))
    body = n_heads * (products + sum(of_rows[1:]))
    bottleneck = of_rows[-1]
    last = n_heads * (bottleneck * n_clusters + n_clusters)
    half = precision == "bf16"
    # Heads that are taught at once; without a distillation all of them are.
    at_once = n_heads
    if recorded is None and device == "cpu":
        at_once = Lanes.of(n_heads, torch.device(device)).n
    # Student, teacher and two moments, and the gradient.
    weights = 4.0 * (4 + at_once / n_heads) * (body + last)
    # Copies of the student's and the teacher's weights of the body.
    halves = 2.0 * 2 * n_heads * products if half else 0.0
    features = {
        "float32": 4.0 * n * dim,
        "float16": 2.0 * n * given_dim,
        "streamed": 256e6,  # what is read ahead, and what is in use
    }[resident]
    # Neighbours and an epoch's order and partners.
    table = 4.0 * n * n_neighbors + 16.0 * n
    batch = min(schedule.batch_size, n)
    rows = 2.0 * batch
    # Of the layers below the last: what is kept of the first and its activations, and rows of the
    # bottleneck of student and teacher, of all; gradients and products of those that are taught.
    hidden = sum(of_rows[1:-1])
    kept = n_heads * 2 * (hidden + bottleneck)
    layers = (2.5 if half else 4.0) * rows * (kept + at_once * (hidden + 3 * bottleneck) + 2 * dim)
    numbers = TILE_NUMBERS.get(device, TILE_NUMBERS["cpu"])
    size = 1 if device == "cpu" else n_heads
    tiling = Tiling.of(size, batch, n_clusters, numbers)
    logits = 2.0 * at_once / size * tiling.numbers
    if Tiling.of(n_heads, batch, n_clusters, numbers).single and device == "cpu":
        logits += n_heads * tiling.numbers  # what is surveyed stays
    logits *= 2 if half else 4
    # The last layer's weights of both networks, and their gradient by parts.
    group = 4.0 * 5 * at_once / size * tiling.heads * bottleneck * n_clusters
    if recorded is not None:
        logits, group = recorded, 0.0
    sums = 4.0 * n_heads * n_clusters * 8
    if device == "cpu":
        sums += _KEPT_FREE
    return weights + halves + features + table + layers + logits + group + sums
