"""The score of an entry on subsets of its images, by which it is compared with others later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...metrics.uncertainty.subsets import subset_deviations
from ...results.protocol import scored_rows, scored_targets
from ..board.deviations import encoded
from ..board.models import AGGREGATED

if TYPE_CHECKING:
    import numpy as np

    from ...benchmarks import Task
    from ...results.record import Protocol


def resampled_score(task: Task, protocol: Protocol, predictions: np.ndarray) -> str:
    """`Entry.resampled` of (n,) int32 clusters of the rows that a protocol scores.

    The subsets are of the images of its data set, so they are the same for every entry and task of
    one, and independent of those of other data sets.
    """
    deviations = subset_deviations(
        scored_targets(task, protocol),
        predictions,
        scored_rows(task, protocol),
        task.index_hash,
        metric=AGGREGATED[0],
    )
    return encoded(deviations)
