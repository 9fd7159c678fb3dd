"""The score of an entry on subsets of its images, by which it is compared with others later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...metrics.uncertainty.subsets import subset_deviations
from ...results.protocol import scored_rows
from ..board.deviations import encoded
from ..board.models import AGGREGATED

if TYPE_CHECKING:
    from ...results.evidence import Evidence


def resampled_score(evidence: Evidence) -> str:
    """`Entry.resampled` of a result.

    The subsets are of the images of its data set, so they are the same for every entry and task of
    one, and independent of those of other data sets.
    """
    task = evidence.task
    deviations = subset_deviations(
        evidence.targets,
        evidence.predictions,
        scored_rows(task, evidence.record.protocol),
        task.index_hash,
        metric=AGGREGATED[0],
    )
    return encoded(deviations)
