"""The tables of the small study, in Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from .coarser import coarser_gain
from .gaps import Gap
from .results import BASE, BASES, HEADS, RANDOM, SMOOTHED, Study, TaskResults

LABELS = {
    RANDOM: "k-means, random starts",
    BASE: "k-means",
    SMOOTHED: "smoothed k-means",
    "temi": "TEMI",
    "scanv2": "SCANv2",
}
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
    """A row per task of a data set: floor, methods, ceilings."""
    methods = [LABELS[m] for m in (*BASES, *HEADS)]
    names = ["task", "K", "random", *methods, *REFERENCES.values()]
    text = f"| {' | '.join(names)} |\n|---|" + "--:|" * (len(names) - 1) + "\n"
    for benchmark in FAMILIES:
        for task in study[dataset].get(benchmark, {}).values():
            text += _score_row(benchmark, task)
    return text


def _score_row(benchmark: str, task: TaskResults) -> str:
    first = next(iter(task.records.values()))[0]
    cells = [f"{benchmark} / {task.name}", f"{first.k:,}", percent(task.floor)]
    means = {m: statistics.fmean(task.scores(m)) for m in (*BASES, *HEADS) if task.scores(m)}
    for method in (*BASES, *HEADS):
        text = mean_and_std(task.scores(method))
        cells.append(f"**{text}**" if means.get(method) == max(means.values()) else text)
    cells += [mean_and_std(task.scores(name)) for name in REFERENCES]
    return f"| {' | '.join(cells)} |\n"


def leads(study: Study, dataset: str) -> str:
    """A row per task of a data set: each head less each way to run k-means."""
    pairs = [(head, base) for head in HEADS for base in BASES]
    names = "".join(f" {LABELS[head]} - {LABELS[base]} |" for head, base in pairs)
    text = f"| task |{names}\n|---|" + "--:|" * len(pairs) + "\n"
    gaps: dict[tuple[str, str], list[Gap]] = {pair: [] for pair in pairs}
    for benchmark in FAMILIES:
        for task in study[dataset].get(benchmark, {}).values():
            found = {(head, base): task.gap(head, base) for head, base in pairs}
            for pair, gap in found.items():
                gaps[pair] += [gap] if gap is not None else []
            cells = [interval(gap) for gap in found.values()]
            text += f"| {benchmark} / {task.name} | {' | '.join(cells)} |\n"
    cells = [_summary(gaps[pair]) for pair in pairs]
    return text + f"| mean; clearly ahead, behind | {' | '.join(cells)} |\n"


def _summary(gaps: list[Gap]) -> str:
    if not gaps:
        return "–"
    mean = 100 * statistics.fmean(gap.value for gap in gaps)
    ahead = sum(gap.clear and gap.value > 0 for gap in gaps)
    behind = sum(gap.clear and gap.value < 0 for gap in gaps)
    return f"{mean:+.1f}; {ahead}, {behind} of {len(gaps)}"


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
            for method in (BASE, SMOOTHED, *HEADS):
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
    """`+2.1 (0.4 to 3.8)` in points, bold where the corrected one leaves out 0; a dash for none."""
    if gap is None:
        return "–"
    value = f"{round(100 * gap.value, 1) + 0.0:+.1f}"
    if math.isnan(gap.half_width):  # one seed: no interval over seeds
        return value
    text = f"{value} ({percent(gap.low)} to {percent(gap.high)})"
    return f"**{text}**" if gap.clear else text
