"""The floor: what predictions drawn at random reach on the same targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..kernels.contingency import contingency
from .table import METRICS
from .validate import check_count, check_labels


@dataclass(frozen=True)
class RandomFloor:
    """Mean scores of uniformly random predictions."""

    n: int  # samples
    n_clusters: int
    n_repeats: int
    seed: int
    acc: float
    acc_many_to_one: float
    nmi: float
    ami: float
    ari: float

    def to_dict(self) -> dict[str, Any]:
        """Plain ints and floats for JSON."""
        return asdict(self)


def random_floor(
    targets: Any, n_clusters: int, *, n_repeats: int = 10, seed: int = 0
) -> RandomFloor:
    """Mean scores when each sample's cluster is drawn uniformly from `n_clusters`, by simulation.

    ACC and NMI are far above 0 by chance when clusters are small: this says how far. targets: (n,)
    whole numbers >= 0. The same seed gives the same floor. Costs `n_repeats` scorings.

    Raises InputError for unusable targets, or counts or a seed that are not whole or too small.
    """
    classes = check_labels(targets, "targets")
    n_clusters = check_count(n_clusters, "n_clusters")
    n_repeats = check_count(n_repeats, "n_repeats")
    seed = check_count(seed, "seed", least=0)
    rng = np.random.default_rng(seed)
    n_rows = int(classes.max()) + 1
    sums = dict.fromkeys(METRICS, 0.0)
    for _ in range(n_repeats):
        predictions = rng.integers(n_clusters, size=len(classes), dtype=np.int32)
        table = contingency(classes, predictions, n_rows, n_clusters)
        for name, metric in METRICS.items():
            sums[name] += metric.compute(table)
    means = {name: total / n_repeats for name, total in sums.items()}
    return RandomFloor(
        n=len(classes), n_clusters=n_clusters, n_repeats=n_repeats, seed=seed, **means
    )
