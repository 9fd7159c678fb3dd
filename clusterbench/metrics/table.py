"""The metrics there are: name, label, range and direction, for scoring, reports and boards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..kernels.contingency import Contingency
from .acc import acc, acc_many_to_one
from .information import ami, nmi
from .pairs import ari


@dataclass(frozen=True)
class Metric:
    """One score of a prediction against targets."""

    name: str  # the field of `Scores`
    label: str  # for headings and axes
    low: float  # end of the axis; AMI has no simple bound below and is rarely under 0
    high: float
    higher_is_better: bool
    chance: float | None  # expected of random predictions; None: depends on the task, see chance.py
    compute: Callable[[Contingency], float]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("acc", "ACC", 0.0, 1.0, True, None, acc),
        Metric("acc_many_to_one", "ACC many-to-one", 0.0, 1.0, True, None, acc_many_to_one),
        Metric("nmi", "NMI", 0.0, 1.0, True, None, nmi),
        Metric("ami", "AMI", -1.0, 1.0, True, 0.0, ami),
        Metric("ari", "ARI", -0.5, 1.0, True, 0.0, ari),
    )
}
