"""The metrics there are: name, label, range, direction, chance level and what they need.

`METRICS` need a class and a cluster per sample; every scoring gives them. A metric is a function of
`Counts`, a row of `METRICS` and a field of `MetricValues`; all else follows from these.
`FURTHER_METRICS` need more: several clusters per sample, a class tree, or several labels per
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from .acc import acc, acc_many_to_one
from .chance_formulas import (
    completeness_by_chance,
    fowlkes_mallows_by_chance,
    homogeneity_by_chance,
    nmi_by_chance,
)
from .counts import Counts
from .hierarchy import HierarchyScores
from .information import Average, ami, check_average, completeness, homogeneity, nmi, v_measure
from .label_sets import LabelSetScores
from .pairs import ari, fowlkes_mallows
from .per_class import balanced_acc
from .purity import purity
from .top_n import TopScores

Formula = Callable[[Counts], float]


@dataclass(frozen=True)
class Metric:
    """One score of a prediction against targets."""

    name: str  # the field of `MetricValues`
    label: str  # for headings and axes
    low: float  # end of the axis; AMI has no simple bound below and is rarely under 0
    high: float
    higher_is_better: bool
    #: What predictions of the same cluster sizes that know nothing of the classes score on average:
    #: a constant, a formula, or None where only simulation tells (`chance.chance_levels`).
    chance: float | Formula | None
    compute: Formula
    partition: bool = True  # the unassigned (-1) are one more group; False: they are wrong


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("acc", "ACC", 0.0, 1.0, True, None, acc, partition=False),
        Metric(
            "acc_many_to_one",
            "ACC many-to-one",
            0.0,
            1.0,
            True,
            None,
            acc_many_to_one,
            partition=False,
        ),
        Metric("balanced_acc", "balanced ACC", 0.0, 1.0, True, None, balanced_acc, partition=False),
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


@dataclass(frozen=True)
class MetricValues:
    """A value per metric: a field for each row of `METRICS`, in the same order."""

    acc: float
    acc_many_to_one: float
    balanced_acc: float
    nmi: float
    ami: float
    ari: float
    purity: float
    homogeneity: float
    completeness: float
    v_measure: float
    fowlkes_mallows: float


@dataclass(frozen=True)
class FurtherMetric:
    """A score that takes more than a class and a cluster per sample; the field of `source`."""

    name: str
    label: str
    low: float
    high: float | None  # None: the height of the class tree
    higher_is_better: bool
    needs: Literal["ranked clusters", "class tree", "label sets"]
    source: type[TopScores | HierarchyScores | LabelSetScores]
    by_rank: bool = False  # a tuple, entry r - 1 for the r-th (or the first r) clusters
    chance: str | None = None  # the field with its chance level


FURTHER_METRICS: dict[str, FurtherMetric] = {
    metric.name: metric
    for metric in (
        FurtherMetric(
            "top_n_acc",
            "top-n ACC",
            0.0,
            1.0,
            True,
            "ranked clusters",
            TopScores,
            by_rank=True,
            chance="top_n_chance",
        ),
        FurtherMetric("lca_acc", "LCA ACC", 0.0, 1.0, True, "class tree", HierarchyScores),
        FurtherMetric(
            "semantic_acc", "semantic ACC", 0.0, 1.0, True, "class tree", HierarchyScores
        ),
        FurtherMetric(
            "mistake_height", "mistake height", 0.0, None, False, "class tree", HierarchyScores
        ),
        FurtherMetric(
            "any_label_acc", "any-label ACC", 0.0, 1.0, True, "label sets", LabelSetScores
        ),
        FurtherMetric(
            "hits",
            "hits of the r-th cluster",
            0.0,
            1.0,
            True,
            "label sets",
            LabelSetScores,
            by_rank=True,
            chance="chance",
        ),
        FurtherMetric(
            "any_hit",
            "any-label top-n ACC",
            0.0,
            1.0,
            True,
            "label sets",
            LabelSetScores,
            by_rank=True,
        ),
        FurtherMetric(
            "coverage", "label coverage", 0.0, 1.0, True, "label sets", LabelSetScores, by_rank=True
        ),
    )
}


def metrics_with(average: str) -> Mapping[str, Metric]:
    """`METRICS` with NMI and AMI normalised by this average of the entropies.

    Raises:
        InputError: an unknown average.
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


def compute(counts: Counts, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The value of each metric, by name and in the order given."""
    return {name: metric.compute(counts) for name, metric in metrics.items()}
