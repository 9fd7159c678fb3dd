"""What the second and later clusters of each sample find, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .collected import ReportRun


@dataclass(frozen=True)
class LaterClusters:
    """Scores by rank, mean over seeds; entry r - 1 is for the r-th (or the first r) clusters.

    Attributes:
        n_seeds: runs with ranked clusters.
        top_n_acc: share of samples whose class is paired with one of their first n clusters;
            top_n_chance where the rankings are dealt out at random.
        chain_share: how much of the chain from a sample's class to its root the r-th clusters
            find, and chain_chance; empty without a class tree.
        hits: share of samples whose r-th cluster stands for one of their labels, and hits_chance;
            the labels that the task names, or else the nodes of the chain; empty without either.
        labels: what `hits` are of: "label set" or "class chain".
    """

    n_seeds: int
    top_n_acc: tuple[float, ...]
    top_n_chance: tuple[float, ...]
    chain_share: tuple[float, ...] = ()
    chain_chance: tuple[float, ...] = ()
    hits: tuple[float, ...] = ()
    hits_chance: tuple[float, ...] = ()
    labels: str = ""


def later_clusters(runs: Sequence[ReportRun]) -> LaterClusters | None:
    """The figures of some runs of one contender on one task; None where none ranks clusters."""
    found = [run.record.ranked for run in runs if run.record.ranked is not None]
    if not found or len({top.n_ranks for top in found}) > 1:
        return None
    trees = [top.hierarchy.chains for top in found if top.hierarchy is not None]
    sets = [top.label_sets for top in found if top.label_sets is not None]
    chains = [top.chains for top in found if top.chains is not None]
    labelled = sets or chains
    return LaterClusters(
        n_seeds=len(found),
        top_n_acc=_means([top.top_n_acc for top in found]),
        top_n_chance=_means([top.top_n_chance for top in found]),
        chain_share=_means([one.chain_share for one in trees]),
        chain_chance=_means([one.chance for one in trees]),
        hits=_means([one.hits for one in labelled]),
        hits_chance=_means([one.chance for one in labelled]),
        labels="label set" if sets else "class chain" if chains else "",
    )


def _means(values: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(np.mean(values, axis=0).tolist()) if values else ()
