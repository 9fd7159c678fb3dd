"""Heads that start from a partition: the last layer points at the means of its clusters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from .body import forward
from .schedule import Schedule
from .stack import HeadStack, new_heads

#: Rows that pass through all heads at a time.
_ROWS = 1024


@torch.no_grad()
def started_from(
    blocks: Iterable[tuple[int, Tensor]],
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
        blocks: number of the first row and (m, dim) float32 rows, as heads see them.
        dim: of these.
        labels: (n,) clusters in [0, n_clusters).
        n_clusters: K.
        schedule: sizes of the heads.
        seed: as of `train_heads`.

    Returns:
        As `new_heads`.
    """
    generator = torch.Generator().manual_seed(seed)
    heads = new_heads(
        schedule.n_heads, dim, n_clusters, generator, schedule.hidden, schedule.bottleneck
    )
    cluster = torch.from_numpy(np.asarray(labels, dtype=np.int64))
    sums = torch.zeros(schedule.n_heads, n_clusters, schedule.bottleneck, dtype=torch.float64)
    for start, block in blocks:
        at = start
        for rows in block.cpu().split(_ROWS):
            z = forward(heads, rows, half=False, keep=False).rows.double()
            sums.index_add_(1, cluster[at : at + len(rows)], z)
            at += len(rows)
    sizes = torch.bincount(cluster, minlength=n_clusters)
    filled = sizes > 0
    means = sums / sizes.clamp_min(1)[None, :, None]
    common = means[:, filled].mean(dim=1, keepdim=True)
    towards = (means - common).mT  # (heads, bottleneck, n_clusters), as directions are
    length: Tensor = heads["direction"].norm(dim=1, keepdim=True)
    away = towards.norm(dim=1, keepdim=True)
    usable = filled[None, None, :] & (away > 0)
    pointed = (towards / away.clamp_min(1e-300)).to(length.dtype) * length
    heads["direction"] = torch.where(usable, pointed, heads["direction"])
    return heads
