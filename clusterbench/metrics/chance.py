"""The floor: what predictions that know nothing of the classes reach on the same targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..kernels.contingency import contingency
from .counts import Counts, count
from .table import METRICS, MetricValues, compute, metrics_with
from .validate import check_count, check_labels, check_same_length, check_targets


@dataclass(frozen=True)
class _Drawn:
    """How predictions were drawn: the first fields of `RandomFloor`."""

    n: int  # samples
    n_clusters: int
    n_repeats: int
    seed: int


@dataclass(frozen=True)
class RandomFloor(MetricValues, _Drawn):
    """Mean scores of uniformly random predictions."""

    def to_dict(self) -> dict[str, Any]:
        """Plain ints and floats for JSON."""
        return asdict(self)


def random_floor(
    targets: Any, n_clusters: int, *, n_repeats: int = 10, seed: int = 0
) -> RandomFloor:
    """Mean scores when each sample's cluster is drawn uniformly from `n_clusters`, by simulation.

    ACC and NMI are far above 0 by chance when clusters are small: this says how far. The same seed
    gives the same floor.

    Args:
        targets: (n,) labels, as for `score`; those that are -1 are left out.
        n_clusters: clusters to draw from.
        n_repeats: draws, each scored once.
        seed: of the draws.

    Raises:
        InputError: unusable targets, or counts or a seed that are not whole or too small.

    Examples:
        A single cluster stands for one of four equal classes, however it is drawn:

        >>> from clusterbench.metrics import random_floor
        >>> floor = random_floor([0, 1, 2, 3], 1)
        >>> floor.acc, floor.nmi, floor.n_repeats
        (0.25, 0.0, 10)
    """
    classes = check_targets(targets)
    n_clusters = check_count(n_clusters, "n_clusters")
    n_repeats = check_count(n_repeats, "n_repeats")
    seed = check_count(seed, "seed", least=0)
    rng = np.random.default_rng(seed)
    values = classes.values[classes.values >= 0] if classes.some_missing else classes.values
    sums = dict.fromkeys(METRICS, 0.0)
    for _ in range(n_repeats):
        predictions = rng.integers(n_clusters, size=len(values), dtype=np.int32)
        drawn = check_labels(predictions, "predictions")  # renumbered if far above their number
        table = contingency(values, drawn.values, classes.highest + 1, drawn.highest + 1)
        for name, value in compute(Counts(table), METRICS).items():
            sums[name] += value
    means = {name: total / n_repeats for name, total in sums.items()}
    return RandomFloor(
        n=len(values), n_clusters=n_clusters, n_repeats=n_repeats, seed=seed, **means
    )


def chance_levels(
    targets: Any,
    predictions: Any,
    *,
    average: str = "arithmetic",
    n_repeats: int = 10,
    seed: int = 0,
) -> dict[str, float]:
    """What predictions with the same cluster sizes score that know nothing of the classes.

    The mean over all ways to deal the predictions out to the samples: by formula for NMI, AMI, ARI,
    V-measure and its parts and Fowlkes-Mallows; by random shuffles for the accuracies and purity.

    Args:
        targets: (n,) labels, as for `score`.
        predictions: (n,) labels, as for `score`.
        average: of the entropies, in NMI and AMI, as for `score`.
        n_repeats: shuffles, each scored once.
        seed: of the shuffles.

    Returns:
        A value per metric, by name and in the order of `METRICS`.

    Raises:
        InputError: as `score`, and a number of repeats or a seed that is not whole or too small.

    Examples:
        The mutual information of such sizes is 2/3 log 2 on average, their mean entropy 5/4 log 2:

        >>> from clusterbench.metrics import chance_levels
        >>> levels = chance_levels([0, 0, 1, 1], [0, 0, 1, 2])
        >>> round(levels["nmi"], 4), levels["ami"]
        (0.5333, 0.0)
    """
    metrics = metrics_with(average)
    n_repeats = check_count(n_repeats, "n_repeats")
    seed = check_count(seed, "seed", least=0)
    classes, clusters = check_targets(targets), check_labels(predictions, "predictions")
    check_same_length(classes.values, clusters.values)
    counts = count(classes, clusters)
    levels: dict[str, float] = {}
    simulated = {}
    for name, metric in metrics.items():
        if metric.chance is None:
            simulated[name] = metric
        else:
            levels[name] = metric.chance(counts) if callable(metric.chance) else metric.chance
    kept = classes.values >= 0
    shuffled, values = clusters.values[kept], classes.values[kept]
    rng = np.random.default_rng(seed)
    sums = dict.fromkeys(simulated, 0.0)
    for _ in range(n_repeats):
        rng.shuffle(shuffled)
        table = contingency(values, shuffled, *_shape(counts))
        drawn = Counts(table, counts.with_unassigned)
        for name, value in compute(drawn, simulated).items():
            sums[name] += value
    levels |= {name: total / n_repeats for name, total in sums.items()}
    return {name: levels[name] for name in metrics}


def _shape(counts: Counts) -> tuple[int, int]:
    return len(counts.table.row_sums), len(counts.table.column_sums)
