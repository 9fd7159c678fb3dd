"""Scores, comparisons and figures over seeds as plain text, 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..metrics import FURTHER_METRICS, METRICS, Comparison, Scores, SeedScores
from ..metrics.hierarchy import HierarchyScores
from ..metrics.label_sets import LabelSetScores
from ..metrics.per_class import Band
from ..metrics.top_n import TopScores
from ..metrics.uncertainty.intervals import Interval
from ..printable import shown

if TYPE_CHECKING:
    from ..labels.reading import LabelFile

_RANKS = 10  # later ones are in the JSON


def matching_notes(true: LabelFile, found: Sequence[LabelFile]) -> list[str]:
    """By what the rows of each file were matched, where a file has something to match by."""
    from ..labels.alignment import is_keyed

    notes = []
    for labels in found:
        files = f"{shown(labels.path)} and {shown(true.path)}"
        if labels.matched is not None:
            notes.append(f"rows of {files} matched by {shown(labels.matched)}")
        elif is_keyed(true) != is_keyed(labels):
            keyed = true if is_keyed(true) else labels
            notes.append(
                f"rows of {files} matched by position: only {shown(keyed.path)} says which sample "
                "a row is"
            )
        elif is_keyed(true) and labels.path != true.path:
            notes.append(
                f"rows of {files} matched by position: their columns have no values in common"
            )
        if true.headless and labels.headless:
            notes.append(
                f"the first line of {files} is a 0, and counts as a sample; if it is a column's "
                "name, write another one, such as label"
            )
    return notes


def scores_text(scores: Scores, chance: Mapping[str, float] | None = None) -> list[str]:
    """One prediction: a line per metric with its interval and chance level, bands, clusters."""
    header = ["", "score"]
    if scores.intervals:
        header.append(_percent_of(scores.intervals.level))
    if chance:
        header.append("chance")
    rows = [header]
    for name, metric in METRICS.items():
        row = [metric.label, _figure(getattr(scores, name))]
        if scores.intervals:
            row.append(_range(scores.intervals.metrics[name]))
        if chance:
            row.append(_figure(chance[name]))
        rows.append(row)
    lines = [
        f"{_n(scores.n, 'sample')}, {_n(scores.n_classes, 'class', 'classes')}, "
        f"{_n(scores.n_clusters, 'cluster')}",
        *_missing(scores.n_unassigned, scores.n_unlabelled),
        *_columns(rows[len(header) == 2 :]),
    ]
    if scores.average != "arithmetic":
        lines.append(f"NMI and AMI with the {scores.average} average of the entropies.")
    bands = (scores.bands.head, scores.bands.middle, scores.bands.tail)
    lines.append(
        f"ACC of head / middle / tail: {' / '.join(_band(band) for band in bands)} "
        f"({' / '.join(f'{band.n_classes:,}' for band in bands)} classes)"
    )
    clusters = scores.clusters
    lines.append(
        f"Clusters: {clusters.n_nonempty:,} used, {clusters.n_empty:,} empty, sizes "
        f"{clusters.smallest:,} to {clusters.largest:,}, as many as "
        f"{clusters.effective:,.1f} equal ones"
    )
    return lines


def top_text(scores: TopScores) -> list[str]:
    """Top-n ACC."""
    rows = [["", "score", "chance"]]
    for rank in _ranks(scores.n_ranks):
        chance = scores.top_n_chance[rank - 1]
        rows.append([f"top-{rank} ACC", _figure(scores.top_n_acc[rank - 1]), _figure(chance)])
    return _columns(rows)


def hierarchy_text(scores: HierarchyScores) -> list[str]:
    """Credit on the tree, level by level, and rank by rank where there are several."""
    rows = [
        [FURTHER_METRICS[name].label, _figure(getattr(scores, name))]
        for name in ("lca_acc", "semantic_acc")
    ]
    lines = _columns(rows)
    if scores.mistake_height is not None:
        height = f"{scores.mistake_height:.2f}"
        lines.append(f"Wrong predictions meet their class at height {height} (leaves: 0)")
    levels = [["depth", "samples", "ACC"]]
    levels += [[str(level.depth), f"{level.n:,}", _figure(level.acc)] for level in scores.levels]
    lines += ["", *_columns(levels)]
    if scores.n_ranks > 1:
        chains = scores.chains
        ranks = [["rank", "chain found", "by chance", "together"]]
        for rank in _ranks(scores.n_ranks):
            found = (chains.chain_share, chains.chance, chains.cumulative)
            ranks.append([str(rank), *(_figure(values[rank - 1]) for values in found)])
        lines += ["", *_columns(ranks)]
    return lines


def label_sets_text(scores: LabelSetScores) -> list[str]:
    """Several labels a sample: hits and coverage rank by rank."""
    rows = [["rank", "hits", "by chance", "any so far", "labels found"]]
    for rank in _ranks(scores.n_ranks):
        found = (scores.hits, scores.chance, scores.any_hit, scores.coverage)
        rows.append([str(rank), *(_figure(values[rank - 1]) for values in found)])
    return [
        f"{_n(scores.n, 'sample')} with {scores.labels_per_sample:.2f} labels on average, "
        f"{_n(scores.n_labels, 'label')}, {_n(scores.n_clusters, 'cluster')}",
        *_missing(scores.n_unassigned, scores.n_unlabelled, "no label"),
        f"any-label ACC  {_figure(scores.any_label_acc)}",
        "",
        *_columns(rows),
    ]


def seeds_text(scores: SeedScores) -> list[str]:
    """Several predictions: mean and standard deviation, and both intervals apart."""
    level = _percent_of(scores.level)
    header = ["", "mean", "std", f"{level} over seeds"]
    sampled = any(figure.samples for figure in scores.metrics.values())
    if sampled:
        header.append(f"{level} over samples")
    rows = [header]
    for name, figure in scores.metrics.items():
        row = [METRICS[name].label, _figure(figure.mean), _figure(figure.std)]
        row.append(_range(figure.seeds))
        if figure.samples:
            row.append(_range(figure.samples))
        rows.append(row)
    return [
        f"{_n(scores.n, 'sample')}, {_n(scores.n_seeds, 'prediction')}",
        *_missing(0, scores.n_unlabelled),
        *_columns(rows),
    ]


def comparison_text(comparison: Comparison) -> list[str]:
    """A, B, their difference with its interval, and the exact tests of the accuracies."""
    rows = [["", "A", "B", "B - A", _percent_of(comparison.level)]]
    for name, found in comparison.metrics.items():
        interval = f"{_signed(found.low)} to {_signed(found.high)}"
        gap = _signed(found.difference)
        rows.append([METRICS[name].label, _figure(found.a), _figure(found.b), gap, interval])
    lines = [
        f"{_n(comparison.n, 'sample')}",
        *_missing(0, comparison.n_unlabelled),
        *_columns(rows),
        "",
    ]
    for name, test in comparison.tests.items():
        lines.append(
            f"{METRICS[name].label}: right in A alone {test.only_a:,}, in B alone "
            f"{test.only_b:,}; exact McNemar p = {_p_value(test.p_value)}"
        )
    return lines


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines; the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def _missing(n_unassigned: int, n_unlabelled: int, why: str = "no class (-1)") -> list[str]:
    lines = []
    if n_unassigned:
        lines.append(
            f"{_n(n_unassigned, 'sample')} not assigned (-1): wrong for ACC, one group otherwise"
        )
    if n_unlabelled:
        lines.append(f"{_n(n_unlabelled, 'sample')} left out: {why}")
    return lines


def _ranks(n_ranks: int) -> range:
    return range(1, min(n_ranks, _RANKS) + 1)


def _band(band: Band) -> str:
    return _figure(band.acc) if band.acc is not None else "-"


def _n(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _figure(value: float) -> str:
    return f"{round(value, 4) + 0.0:.4f}"  # adding 0 turns -0.0 into 0.0


def _signed(value: float) -> str:
    return f"{round(value, 4) + 0.0:+.4f}"


def _range(interval: Interval) -> str:
    return f"{_figure(interval.low)} to {_figure(interval.high)}"


def _percent_of(level: float) -> str:
    return f"{100 * level:.6g}% interval"


def _p_value(p: float) -> str:
    return f"{p:.4f}" if p >= 0.0001 else f"{p:.1e}"
