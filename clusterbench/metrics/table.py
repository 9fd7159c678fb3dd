"""The metrics there are: name, label, range and direction, for scoring, reports and boards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from .acc import acc, acc_many_to_one
from .chance_formulas import (
    completeness_by_chance,
    fowlkes_mallows_by_chance,
    homogeneity_by_chance,
    nmi_by_chance,
)
from .counts import Counts
from .information import Average, ami, check_average, completeness, homogeneity, nmi, v_measure
from .pairs import ari, fowlkes_mallows
from .per_class import balanced_acc
from .purity import purity

Formula = Callable[[Counts], float]


@dataclass(frozen=True)
class Metric:
    """One score of a prediction against targets."""

    name: str  # the field of `Scores`
    label: str  # for headings and axes
    low: float  # end of the axis; AMI has no simple bound below and is rarely under 0
    high: float
    higher_is_better: bool
    #: What predictions of the same cluster sizes that know nothing of the classes score on average:
    #: a constant, a formula, or None where only simulation tells (`chance.chance_levels`).
    chance: float | Formula | None
    compute: Formula


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("acc", "ACC", 0.0, 1.0, True, None, acc),
        Metric("acc_many_to_one", "ACC many-to-one", 0.0, 1.0, True, None, acc_many_to_one),
        Metric("balanced_acc", "balanced ACC", 0.0, 1.0, True, None, balanced_acc),
        Metric("nmi", "NMI", 0.0, 1.0, True, nmi_by_chance, nmi),
        Metric("ami", "AMI", -1.0, 1.0, True, 0.0, ami),
        Metric("ari", "ARI", -0.5, 1.0, True, 0.0, ari),
        Metric("purity", "purity", 0.0, 1.0, True, None, purity),
        Metric("homogeneity", "homogeneity", 0.0, 1.0, True, homogeneity_by_chance, homogeneity),
        Metric(
            "completeness", "completeness", 0.0, 1.0, True, completeness_by_chance, completeness
        ),
        Metric("v_measure", "V-measure", 0.0, 1.0, True, nmi_by_chance, v_measure),
        Metric(
            "fowlkes_mallows",
            "Fowlkes-Mallows",
            0.0,
            1.0,
            True,
            fowlkes_mallows_by_chance,
            fowlkes_mallows,
        ),
    )
}


def metrics_with(average: str) -> Mapping[str, Metric]:
    """`METRICS` with NMI and AMI normalised by another average of the entropies.

    Raises InputError for an unknown average.
    """
    chosen: Average = check_average(average)
    if chosen == "arithmetic":
        return METRICS
    nmi_chance = partial(nmi_by_chance, average=chosen)
    return {
        **METRICS,
        "nmi": replace(METRICS["nmi"], compute=partial(nmi, average=chosen), chance=nmi_chance),
        "ami": replace(METRICS["ami"], compute=partial(ami, average=chosen)),
    }
