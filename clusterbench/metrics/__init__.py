"""Scores of a clustering against known classes.

    from clusterbench.metrics import score
    score(targets, predictions).acc

One file per family: acc, purity, information, pairs, per_class, clusters; top_n, hierarchy and
label_sets for predictions and targets that hold more than one label. `table` lists the metrics and
`scores` computes all of them from one contingency table (`counts`). `chance` gives what predictions
reach that know nothing, `intervals`, `seeds` and `paired` how far scores and differences hold.
"""

from .chance import RandomFloor, chance_levels, random_floor
from .clusters import ClusterStatistics
from .hierarchy import HierarchyScores, score_hierarchy
from .label_sets import LabelSetScores, score_label_sets
from .per_class import ClassScores, FrequencyBands, score_classes
from .scores import Scores, score
from .table import FURTHER_METRICS, METRICS, FurtherMetric, Metric
from .top_n import TopScores, score_top
from .uncertainty.intervals import Interval, Resampling, SampleIntervals
from .uncertainty.paired import Comparison, compare
from .uncertainty.seeds import SeedScores, score_seeds

#: Former names of `TopScores` and `score_top`, kept for code that has them.
RankedScores = TopScores
score_ranked = score_top

__all__ = [
    "FURTHER_METRICS",
    "METRICS",
    "ClassScores",
    "ClusterStatistics",
    "Comparison",
    "FrequencyBands",
    "FurtherMetric",
    "HierarchyScores",
    "Interval",
    "LabelSetScores",
    "Metric",
    "RandomFloor",
    "RankedScores",
    "Resampling",
    "SampleIntervals",
    "Scores",
    "SeedScores",
    "TopScores",
    "chance_levels",
    "compare",
    "random_floor",
    "score",
    "score_classes",
    "score_hierarchy",
    "score_label_sets",
    "score_ranked",
    "score_seeds",
    "score_top",
]
