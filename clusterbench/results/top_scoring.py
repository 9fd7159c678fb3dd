"""Scores of ranked clusters in their recorded form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..metrics import score_hierarchy, score_label_sets, score_top
from .record import ChainsRecord, HierarchyRecord, LabelSetsRecord, LevelRecord, TopRecord

if TYPE_CHECKING:
    from ..benchmarks.targets import Hierarchy, LabelSets
    from ..metrics import HierarchyScores, LabelSetScores


def top_scores(
    targets: np.ndarray,
    ranked: np.ndarray,
    k: int,
    *,
    hierarchy: Hierarchy | None = None,
    label_sets: LabelSets | None = None,
) -> TopRecord:
    """Top-n ACC, and what the ranks find on the class tree and among the label sets of a task.

    targets: (n,) int32; ranked: (n, n_ranks) int32 in [0, k), best first. hierarchy, label_sets: as
    in `Task`; the sets are those of the n samples.
    """
    top = score_top(targets, ranked, n_clusters=k)
    tree = chains = sets = None
    if hierarchy is not None:
        tree = _hierarchy(
            score_hierarchy(targets, ranked, hierarchy.parents, hierarchy.class_nodes, n_clusters=k)
        )
        labels, offsets = hierarchy.chains(targets)
        n_nodes = len(hierarchy.parents)
        chains = _label_sets(
            score_label_sets(labels, offsets, ranked, n_labels=n_nodes, n_clusters=k)
        )
    if label_sets is not None:
        sets = _label_sets(
            score_label_sets(
                label_sets.labels,
                label_sets.offsets,
                ranked,
                n_labels=len(label_sets.names),
                n_clusters=k,
            )
        )
    return TopRecord(
        n_ranks=top.n_ranks,
        top_n_acc=top.top_n_acc,
        top_n_chance=top.top_n_chance,
        hierarchy=tree,
        chains=chains,
        label_sets=sets,
    )


def _hierarchy(scores: HierarchyScores) -> HierarchyRecord:
    chains = scores.chains
    return HierarchyRecord(
        lca_acc=scores.lca_acc,
        semantic_acc=scores.semantic_acc,
        mistake_height=scores.mistake_height,
        mistakes_unrelated=scores.mistakes_unrelated,
        mistakes_unpaired=scores.mistakes_unpaired,
        levels=tuple(
            LevelRecord(depth=level.depth, n=level.n, acc=level.acc) for level in scores.levels
        ),
        chains=ChainsRecord(
            chain_share=chains.chain_share, cumulative=chains.cumulative, chance=chains.chance
        ),
    )


def _label_sets(scores: LabelSetScores) -> LabelSetsRecord:
    return LabelSetsRecord(
        n=scores.n,
        n_labels=scores.n_labels,
        labels_per_sample=scores.labels_per_sample,
        any_label_acc=scores.any_label_acc,
        hits=scores.hits,
        chance=scores.chance,
        any_hit=scores.any_hit,
        coverage=scores.coverage,
    )
