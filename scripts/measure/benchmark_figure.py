"""Draw docs/images/benchmarks.svg: per family what moves in its tasks, and what stands still.

    python scripts/measure/benchmark_figure.py [--output FILE]

All numbers are those of the tasks of icons-wordnet, built here.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clusterbench.benchmarks import Task, build
from clusterbench.datasets import registry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DATASET = "icons-wordnet"
_IMAGES = Path(__file__).parents[2] / "docs/images"
BLUE, ORANGE, GREEN, GREY = "#1f6fb4", "#e08020", "#3a9a5b", "#9a9a9a"


def main() -> None:
    """Build the tasks and draw the six panels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=_IMAGES / "benchmarks.svg")
    output = parser.parse_args().output

    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "benchmarks",
            "font.size": 9,
            "axes.titlesize": 8.5,
        }
    )
    from matplotlib import pyplot

    dataset = registry.load(DATASET)
    tasks = {
        family: {task.name: task for task in build(family, dataset)}
        for family in ("imbalanced", "granularity", "easy", "multilabel", "scale")
    }
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6.8), layout="constrained")
    _ratios(axes[0, 0], tasks["imbalanced"])
    _windows(
        axes[0, 1],
        tasks["imbalanced"],
        np.bincount(dataset.index.labels[dataset.index.rows("train")]),
    )
    _granularity(axes[0, 2], tasks["granularity"])
    _easy(axes[1, 0], tasks["easy"])
    _chains(axes[1, 1], tasks["multilabel"]["chains"])
    _scale(axes[1, 2], tasks["scale"])
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(output, metadata={"Date": None})
    print(output)


def _titled(axis: Axes, family: str, moves: str, still: str) -> None:
    axis.set_title(f"{family}\nmoves: {moves}\nstands still: {still}", loc="left")


def _ratios(axis: Axes, tasks: Mapping[str, Task]) -> None:
    looks = {"ratio-1": GREY, "ratio-10": BLUE, "ratio-30": "#0b3a66", "zipf-10": ORANGE}
    for name, colour in looks.items():
        sizes = np.sort(np.bincount(tasks[name].train_targets))[::-1]
        axis.step(np.arange(1, len(sizes) + 1), sizes, color=colour, where="mid", label=name)
    axis.set(yscale="log", xlabel="class, by size", ylabel="training images")
    axis.legend(frameon=False)
    n = len(tasks["ratio-1"].train_rows)
    _titled(
        axis,
        "imbalanced, ratio and zipf",
        "the shape of the class sizes",
        f"{len(sizes)} classes, {n:,} train images, eval set",
    )


def _windows(axis: Axes, tasks: Mapping[str, Task], counts: np.ndarray) -> None:
    counts = counts[counts >= 20]
    bins = range(20, int(counts.max()) + 5, 4)
    axis.hist(counts, bins, color="#d0d0d0", label="classes of 20 and more")
    for name, colour in (("window-50", BLUE), ("window-20", ORANGE)):
        task = tasks[name]
        axis.hist(np.bincount(task.train_targets), bins, color=colour, alpha=0.8, label=name)
    axis.set(xlabel="training images of a class", ylabel="classes")
    axis.legend(frameon=False)
    _titled(
        axis,
        "imbalanced, window",
        "natural class sizes around the median",
        f"{task.n_classes} classes, eval images per class",
    )


def _granularity(axis: Axes, tasks: Mapping[str, Task]) -> None:
    looks = {"fine": GREY, "coarse-150": BLUE, "coarse-50": "#0b3a66"}
    for name, colour in looks.items():
        sizes = np.sort(np.bincount(tasks[name].train_targets))[::-1]
        rank = np.arange(1, len(sizes) + 1)
        axis.plot(rank, sizes, color=colour, label=f"{name}: K = {len(sizes)}")
        control = tasks.get(name.replace("coarse", "random"))
        if name != "fine" and control is not None:
            sizes = np.sort(np.bincount(control.train_targets))[::-1]
            axis.plot(rank[::6], sizes[::6], "x", ms=4, color=ORANGE)
    axis.plot([], [], "x", color=ORANGE, label="random merges, same sizes")
    axis.set(xscale="log", yscale="log", xlabel="label, by size", ylabel="training images")
    axis.legend(frameon=False)
    n = len(tasks["fine"].train_rows)
    _titled(axis, "granularity", "the labels, and K with them", f"all images, {n:,} of them train")


def _easy(axis: Axes, tasks: Mapping[str, Task]) -> None:
    looks = {"easiest": GREEN, "random": GREY, "hardest": ORANGE}
    measures = [m for m in ("knn_accuracy", "probe_accuracy") if m in tasks["random"].factors]
    for place, name in enumerate(looks):
        for offset, measure in enumerate(measures):
            value = 100 * tasks[name].factors[measure]
            hatch = None if measure == "knn_accuracy" else "//"
            axis.bar(place + 0.4 * offset, value, 0.36, color=looks[name], hatch=hatch, alpha=0.9)
            axis.text(place + 0.4 * offset, value + 1, f"{value:.0f}", ha="center")
    axis.set(xticks=np.arange(3) + 0.2 * (len(measures) - 1), xticklabels=list(looks))
    axis.set(ylabel="% recognised (kNN; hatched: probe)", ylim=(0, 105))
    task = tasks["random"]
    per_class = task.factors["images_per_class"]
    _titled(
        axis,
        "easy",
        "how well a class is recognised",
        f"{task.n_classes} classes, {per_class:.0f} train images of each",
    )


def _chains(axis: Axes, task: Task) -> None:
    hierarchy = task.hierarchy
    assert hierarchy is not None  # the builder of `multilabel` gives one
    labels, _ = hierarchy.chains(task.eval_targets)
    by_depth = np.bincount(hierarchy.depth[labels])
    nodes = [len(np.unique(labels[hierarchy.depth[labels] == d])) for d in range(len(by_depth))]
    axis.bar(range(len(by_depth)), by_depth, color=BLUE)
    for depth, (height, n_nodes) in enumerate(zip(by_depth, nodes, strict=True)):
        axis.text(depth, height, f"{n_nodes}", ha="center", va="bottom", fontsize=7)
    axis.set(xlabel="depth in the class tree (above: nodes)", ylabel="evaluation images labelled")
    _titled(
        axis,
        "multilabel, chains",
        "which of 5 ranked clusters is scored",
        f"images, K = {task.n_classes}, the fit",
    )


def _scale(axis: Axes, tasks: Mapping[str, Task]) -> None:
    by_name = {name: (t.n_classes, t.factors["images_per_class"]) for name, t in tasks.items()}
    series = [n for n in by_name if n.startswith("classes")]
    for small, large in pairwise(series):
        axis.annotate(
            "", by_name[large], by_name[small], arrowprops={"arrowstyle": "->", "color": GREY}
        )
    for name, (k, n) in by_name.items():
        colour = BLUE if name in series else ORANGE
        axis.plot(k, n, "o", color=colour)
        up = 6 + 12 * (list(by_name).index(name) % 2)
        axis.annotate(name, (k, n), xytext=(0, up), textcoords="offset points", ha="center")
    axis.set(xscale="log", xlim=(20, 1100), ylim=(0, 18))
    axis.set(xlabel="classes", ylabel="training images per class")
    _titled(
        axis,
        "scale",
        "the number of classes or of images of each",
        "the other one; tasks are nested",
    )


if __name__ == "__main__":
    main()
