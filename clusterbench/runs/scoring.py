"""Scores of a run's clusters, and the floor of its task, in their recorded form."""

from __future__ import annotations

import numpy as np

from ..metrics import METRICS, Scores, random_floor, score
from .record import SplitScores

#: Random assignments averaged for the floor of a task; they are drawn from this seed.
FLOOR_REPEATS = 10
FLOOR_SEED = 0


def split_scores(targets: np.ndarray, clusters: np.ndarray, n_classes: int, k: int) -> SplitScores:
    """Scores of one split.

    targets, clusters: (n,) int32 in [0, n_classes) and [0, k).
    """
    return recorded(score(targets, clusters, n_classes=n_classes, n_clusters=k))


def recorded(scores: Scores) -> SplitScores:
    """Scores as a result holds them: the counts, the metrics by name, the cluster statistics."""
    content = scores.to_dict()
    return SplitScores(
        n=scores.n,
        n_classes=scores.n_classes,
        n_clusters=scores.n_clusters,
        metrics={name: content[name] for name in METRICS},
        clusters=content["clusters"],
    )


def floor(targets: np.ndarray, k: int) -> dict[str, float]:
    """Each metric's mean over uniformly random assignments to k clusters; always the same."""
    found = random_floor(targets, k, n_repeats=FLOOR_REPEATS, seed=FLOOR_SEED)
    return {name: float(getattr(found, name)) for name in METRICS}
