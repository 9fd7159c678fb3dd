"""Heads that start from a partition: the last layer points at the means of its clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from .body import forward
from .schedule import Schedule
from .stack import HeadStack, new_heads, select_head

#: Rows that pass through a head at a time.
_ROWS = 4096


@torch.no_grad()
def started_from(
    blocks: Callable[[], Iterable[tuple[int, Tensor]]],
    dim: int,
    labels: np.ndarray,
    n_clusters: int,
    schedule: Schedule,
    seed: int,
) -> HeadStack:
    """Heads whose lower layers start by the seed, and whose directions are means of clusters.

    A direction is the mean of a cluster's unit rows in the bottleneck of its head, less the mean
    of all clusters, which all rows have in common, at the length that it would have had. An empty
    cluster keeps the direction that it would have had.

    Args:
        blocks: reads the rows: number of the first and (m, dim) float32, as heads see them.
        dim: of these.
        labels: (n,) clusters in [0, n_clusters).
        n_clusters: K.
        schedule: sizes of the heads, whose last layer is a cosine.
        seed: as of `train_heads`.

    Returns:
        As `new_heads`.
    """
    generator = torch.Generator().manual_seed(seed)
    heads = new_heads(
        schedule.n_heads, dim, n_clusters, generator, schedule.hidden, schedule.bottleneck,
        depth=schedule.depth,
    )  # fmt: skip
    cluster = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    sizes = torch.bincount(cluster, minlength=n_clusters)
    filled = sizes > 0
    for h in range(schedule.n_heads):  # one by one, as sums of all take a multiple of the heads
        head = select_head(heads, h)
        sums = torch.zeros(n_clusters, heads["direction"].shape[1], dtype=torch.float64)
        for start, block in blocks():
            at = start
            for rows in block.cpu().split(_ROWS):
                z = forward(head, rows, half=False, keep=False).rows[0].double()
                sums.index_add_(0, cluster[at : at + len(rows)], z)
                at += len(rows)
        sums /= sizes.clamp_min(1)[:, None]
        sums -= sums[filled].mean(dim=0)
        away = sums.norm(dim=1)
        usable = filled & (away > 0)
        length = heads["direction"][h].norm(dim=0)
        sums /= away.clamp_min(1e-300)[:, None]
        heads["direction"][h][:, usable] = (sums.T.to(length.dtype) * length)[:, usable]
    return heads
