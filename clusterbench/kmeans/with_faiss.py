"""faiss's iterations in place of ours, from the same starts, for those who want to compare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .fit import Fitted, Listener, Settings, fit
from .shard import RowShard
from .starting.starts import Start

if TYPE_CHECKING:
    import torch


def fit_with_faiss(
    shard: RowShard,
    features: np.ndarray,
    settings: Settings,
    device: torch.device,
    progress: Listener,
) -> Fitted:
    """Each start of ours, then faiss, then exact labels; the lowest objective is kept.

    faiss adds in float32, moves all iterations, and splits a large cluster where one is empty.

    Args:
        shard: of the rows.
        features: (n, dim) float32, the same rows.
        settings: `tol` and `start_dim` are not looked at.
        device: of faiss; the labels at the end are computed where the shard is.
        progress: told after each start.
    """
    import faiss

    gpu = device.type == "cuda"
    if gpu and not hasattr(faiss, "StandardGpuResources"):
        raise InputError("engine 'faiss': this faiss has no GPU support; use --device cpu")
    n_init = settings.n_init if settings.start.draws else 1
    best: Fitted | None = None
    for number in range(n_init):
        at_once = replace(
            settings, n_init=1, max_iter=0, start_dim=None, seed=settings.seed + number
        )
        first = fit(shard, at_once).centroids
        engine = faiss.Kmeans(
            features.shape[1],
            settings.n_clusters,
            niter=settings.max_iter,
            spherical=settings.spherical,
            gpu=[device.index or 0] if gpu else False,
            min_points_per_centroid=1,
            max_points_per_centroid=len(features),
        )
        engine.train(features, init_centroids=first)
        last = np.ascontiguousarray(engine.centroids, dtype=np.float32)
        found = fit(shard, replace(at_once, start=Start("given", last)))
        progress((number + 1) * settings.max_iter, n_init * settings.max_iter)
        found = replace(found, elsewhere=settings.max_iter)
        if best is None or found.inertia < best.inertia:
            best = found
    assert best is not None
    return best
