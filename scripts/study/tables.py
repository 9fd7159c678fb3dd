"""The tables of the small study, in Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from .coarser import coarser_gain
from .gaps import Gap
from .results import BASE, HEADS, Study, TaskResults

LABELS = {"kmeans": "k-means", "temi": "TEMI", "scan": "SCANv2"}
REFERENCES = {"knn": "kNN", "linear-probe": "linear probe", "nearest-mean": "nearest mean"}
FAMILIES = (
    "imbalanced",
    "granularity",
    "granularity-inner",
    "easy",
    "multilabel",
    "scale",
    "whole",
)

#: (question, data set, benchmark, task, task): the gap on the first less the gap on the second.
CONTRASTS = (
    ("easy classes against hard ones", "icons-wordnet", "easy", "easiest", "hardest"),
    ("", "emoji", "easy", "easiest", "hardest"),
    ("ratio 30 against balanced", "icons-wordnet", "imbalanced", "ratio-30", "ratio-1"),
    ("", "emoji", "imbalanced", "subgroups-ratio-30", "subgroups-ratio-1"),
    ("", "glyphs", "imbalanced", "radicals-ratio-30", "radicals-ratio-1"),
    ("the same, natural evaluation", "icons-wordnet", "imbalanced", "ratio-30-natural", "ratio-1"),
    ("", "emoji", "imbalanced", "subgroups-ratio-30-natural", "subgroups-ratio-1"),
    ("coarse labels against fine", "icons-wordnet", "granularity", "coarse-50", "fine"),
    ("", "emoji", "granularity", "groups", "fine"),
    ("", "glyphs", "granularity", "radicals", "fine"),
    ("coarse against random merges", "icons-wordnet", "granularity", "coarse-50", "random-50"),
    ("", "emoji", "granularity", "groups", "random-groups"),
    ("", "glyphs", "granularity", "radicals", "random-radicals"),
    ("many classes against few", "icons-wordnet", "scale", "classes-503", "classes-30"),
    ("", "emoji", "scale", "classes-1082", "classes-30"),
    ("", "glyphs", "scale", "classes-1000", "classes-100"),
)  # fmt: skip


def scores(study: Study, dataset: str) -> str:
    """A row per task of a data set: floor, methods, gaps to k-means, ceiling."""
    methods = [BASE, *HEADS]
    head = "".join(f" {LABELS[m]} |" for m in methods)
    gaps = "".join(f" {LABELS[m]} - k-means |" for m in HEADS)
    columns = 3 + len(methods) + len(HEADS) + len(REFERENCES)
    text = f"| task | K | random |{head}{gaps}"
    text += "".join(f" {label} |" for label in REFERENCES.values()) + "\n"
    text += "|---|" + "--:|" * (columns - 1) + "\n"
    for benchmark in FAMILIES:
        for task in study[dataset].get(benchmark, {}).values():
            text += _score_row(benchmark, task)
    return text


def _score_row(benchmark: str, task: TaskResults) -> str:
    first = next(iter(task.records.values()))[0]
    cells = [f"{benchmark} / {task.name}", f"{first.k:,}", percent(task.floor)]
    means = {m: statistics.fmean(task.scores(m)) for m in (BASE, *HEADS) if task.scores(m)}
    for method in (BASE, *HEADS):
        text = mean_and_std(task.scores(method))
        cells.append(f"**{text}**" if means.get(method) == max(means.values()) else text)
    cells += [interval(task.gap(method)) for method in HEADS]
    cells += [mean_and_std(task.scores(name)) for name in REFERENCES]
    return f"| {' | '.join(cells)} |\n"


def contrasts(study: Study) -> str:
    """How the gap to k-means moves from one task to another."""
    head = "".join(f" {LABELS[m]} - k-means: change |" for m in HEADS)
    text = f"| question | data set |{head}\n|---|---|" + "--:|" * len(HEADS) + "\n"
    for question, dataset, benchmark, first, second in CONTRASTS:
        tasks = study.get(dataset, {}).get(benchmark, {})
        if first not in tasks or second not in tasks:
            continue
        cells = [question, f"{dataset}: {first} - {second}"]
        for method in HEADS:
            a, b = tasks[first].gap(method), tasks[second].gap(method)
            cells.append(interval(None if a is None or b is None else a - b))
        text += f"| {' | '.join(cells)} |\n"
    return text


def chains(study: Study) -> str:
    """What the r-th clusters find of coarser classes, beyond chance, by rank."""
    text = "| task | method | rank 2 | rank 3 | rank 4 | rank 5 |\n|---|---|--:|--:|--:|--:|\n"
    for dataset, task, method, gains in chain_gains(study):
        cells = [interval(gain) for gain in gains[1:]]
        text += f"| {dataset} / {task} | {LABELS[method]} | {' | '.join(cells)} |\n"
    return text


def chain_gains(study: Study) -> Iterator[tuple[str, str, str, list[Gap | None]]]:
    """(data set, task, method, gain by rank) of every task with ranked clusters."""
    for dataset, benchmarks in study.items():
        for task in benchmarks.get("multilabel", {}).values():
            for method in (BASE, *HEADS):
                if task.hierarchy is not None and task.ranked.get(method):
                    gains = coarser_gain(task.targets, task.ranked[method], task.hierarchy)
                    yield dataset, task.name, method, gains


def percent(value: float) -> str:
    """A fraction in percent with one decimal, never -0.0."""
    return f"{round(100 * value, 1) + 0.0:.1f}"


def mean_and_std(values: list[float]) -> str:
    """`54.3 ± 0.4` in percent; a dash for none."""
    if not values:
        return "–"
    spread = f" ± {percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return percent(statistics.fmean(values)) + spread


def interval(gap: Gap | None) -> str:
    """`+2.1 (0.4 to 3.8)` in points, bold where the interval leaves out 0; a dash for none."""
    if gap is None:
        return "–"
    value = f"{round(100 * gap.value, 1) + 0.0:+.1f}"
    if math.isnan(gap.half_width):  # one seed: no interval over seeds
        return value
    text = f"{value} ({percent(gap.low)} to {percent(gap.high)})"
    return f"**{text}**" if gap.low > 0 or gap.high < 0 else text
