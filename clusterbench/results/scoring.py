"""Scores of a run's clusters, and the floor of its task, in their recorded form."""

from __future__ import annotations

import numpy as np

from ..metrics import METRICS, Resampling, Scores, random_floor, score
from .record import BandRecord, IntervalRecord, IntervalsRecord, SplitScores

#: Random assignments averaged for the floor of a task; they are drawn from this seed.
FLOOR_REPEATS = 10
FLOOR_SEED = 0

#: Resamples for the intervals of evaluation scores: they know a standard error to 3.5%.
INTERVALS = Resampling(n_resamples=400, level=0.95, seed=0)


def split_scores(
    targets: np.ndarray,
    clusters: np.ndarray,
    n_classes: int,
    k: int,
    *,
    train_targets: np.ndarray | None = None,
    intervals: Resampling | None = None,
) -> SplitScores:
    """Scores of one split.

    targets, clusters: (n,) int32 in [0, n_classes) and [0, k). train_targets: those of the training
    rows, whose class frequencies decide the bands; by default `targets`. A single sample has no
    intervals.
    """
    known = targets if train_targets is None else train_targets
    return recorded(
        score(
            targets,
            clusters,
            n_classes=n_classes,
            n_clusters=k,
            class_frequencies=np.bincount(known, minlength=n_classes),
            intervals=intervals if len(targets) > 1 else None,
        )
    )


def recorded(scores: Scores) -> SplitScores:
    """Scores as a result holds them: counts, metrics by name, bands, intervals, clusters."""
    content = scores.to_dict()
    intervals = None
    if scores.intervals is not None:
        found = content["intervals"]
        by_metric = {name: IntervalRecord(**item) for name, item in found.pop("metrics").items()}
        intervals = IntervalsRecord(**found, metrics=by_metric)
    return SplitScores(
        n=scores.n,
        n_classes=scores.n_classes,
        n_clusters=scores.n_clusters,
        metrics={name: content[name] for name in METRICS},
        bands={band: BandRecord(**content["bands"][band]) for band in ("head", "middle", "tail")},
        intervals=intervals,
        clusters=content["clusters"],
    )


def floor(targets: np.ndarray, k: int) -> dict[str, float]:
    """Each metric's mean over uniformly random assignments to k clusters; always the same."""
    found = random_floor(targets, k, n_repeats=FLOOR_REPEATS, seed=FLOOR_SEED)
    return {name: float(getattr(found, name)) for name in METRICS}
