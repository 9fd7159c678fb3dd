"""Scores of a clustering against known classes.

    from clusterbench.metrics import score
    score(targets, predictions).acc

One file per family: acc, information, pairs, clusters; `table` lists them, `scores` computes all
from one contingency table, `chance` gives what random predictions reach.
"""

from .chance import RandomFloor, random_floor
from .clusters import ClusterStatistics
from .scores import Scores, score
from .table import METRICS, Metric

__all__ = [
    "METRICS",
    "ClusterStatistics",
    "Metric",
    "RandomFloor",
    "Scores",
    "random_floor",
    "score",
]
