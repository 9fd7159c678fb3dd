"""The figure of the small study: gaps to k-means as one factor moves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .results import BASE, HEADS, RANDOM, SMOOTHED, Study, TaskResults
from .tables import LABELS, chain_gains

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    RANDOM: "#b8b8b8",
    BASE: "#606060",
    SMOOTHED: "#8a4fbf",
    "temi": "#1f6fb4",
    "scanv2": "#e08020",
}


def draw(study: Study, output: Path) -> None:
    """Draw what there is of the six panels; dots are means over seeds, bars 95% intervals."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "study", "font.size": 9, "axes.titlesize": 9}
    )
    from matplotlib import pyplot

    icons, emoji = study["icons-wordnet"], study["emoji"]
    figure, axes = pyplot.subplots(2, 3, figsize=(12, 6.8), layout="constrained")
    _gaps(
        axes[0, 0],
        icons.get("easy", {}),
        {"icons\neasiest": "easiest", "random": "random", "hardest": "hardest"},
        "Do heads gain most on easy classes?",
        more=(emoji.get("easy", {}), {"emoji\neasiest": "easiest", "hardest ": "hardest"}),
    )
    _gaps(
        axes[0, 1],
        icons.get("imbalanced", {}),
        {"1": "ratio-1", "10": "ratio-10", "30": "ratio-30", "Zipf 10": "zipf-10",
         "10\nnatural": "ratio-10-natural", "30\nnatural": "ratio-30-natural"},
        "Does imbalance narrow the gap? (icons, ratio)",
    )  # fmt: skip
    _gaps(
        axes[0, 2],
        icons.get("granularity", {}),
        {"fine": "fine", "150": "coarse-150", "50": "coarse-50", "random\n150": "random-150",
         "random\n50": "random-50"},
        "Coarser labels, and the same sizes at random (icons)",
    )  # fmt: skip
    _curves(axes[1, 0], icons.get("scale", {}), "icons: AMI over classes, 14 images each")
    _curves(
        axes[1, 1],
        study.get("glyphs", {}).get("scale", {}),
        "glyphs: AMI over classes, 2 images each",
    )
    _chains(axes[1, 2], study)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(output, metadata={"Date": None})


def _gaps(
    axis: Axes,
    tasks: dict[str, TaskResults],
    shown: dict[str, str],
    title: str,
    more: tuple[dict[str, TaskResults], dict[str, str]] | None = None,
) -> None:
    points = [(label, tasks.get(name)) for label, name in shown.items()]
    if more is not None:
        points += [(label, more[0].get(name)) for label, name in more[1].items()]
    axis.axhline(0, color=COLOURS[BASE], lw=1)
    for offset, method in zip((-0.2, 0.0, 0.2), (SMOOTHED, *HEADS), strict=True):
        for place, (_, task) in enumerate(points):
            gap = task.gap(method) if task is not None else None
            if gap is not None:
                reach = 0 if math.isnan(gap.half_width) else 100 * gap.half_width
                axis.errorbar(
                    place + offset, 100 * gap.value, reach, fmt="o", ms=4, color=COLOURS[method]
                )
        axis.plot([], [], "o", color=COLOURS[method], label=f"{LABELS[method]} - k-means")
    axis.set_xticks(range(len(points)), [label for label, _ in points])
    axis.set_ylabel("AMI, points")
    axis.set_title(title, loc="left")
    axis.margins(y=0.22)
    axis.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)


def _curves(axis: Axes, tasks: dict[str, TaskResults], title: str) -> None:
    series = [task for name, task in tasks.items() if name.startswith("classes")]
    sizes = {next(iter(task.records.values()))[0].k for task in series}
    for method in (RANDOM, BASE, SMOOTHED, *HEADS, "linear-probe"):
        points = [(t.records[method][0].k, t.scores(method)) for t in series if t.scores(method)]
        if points:
            k, values = zip(*sorted(points), strict=True)
            means = [100 * statistics.fmean(v) for v in values]
            is_probe = method == "linear-probe"
            label = LABELS.get(method, "linear probe (reference)")
            axis.errorbar(
                k, means, [100 * _std(v) for v in values], marker="o", ms=4, label=label,
                ls=":" if is_probe else "-", color="#3a9a5b" if is_probe else COLOURS[method],
            )  # fmt: skip
    axis.set(xscale="log", xlabel="classes", ylabel="AMI, %")
    axis.set_xticks(sorted(sizes), [f"{k:,}" for k in sorted(sizes)])
    axis.minorticks_off()
    axis.set_title(title, loc="left")
    if series:
        axis.legend(frameon=False, fontsize=8)


def _chains(axis: Axes, study: Study) -> None:
    axis.axhline(0, color="#b0b0b0", lw=1)
    looks = {"icons-wordnet": "-", "emoji": "--", "glyphs": ":"}
    for dataset, task, method, gains in chain_gains(study):
        if task != "chains":
            continue
        known = [(rank, g) for rank, g in enumerate(gains, start=1) if g is not None and rank > 1]
        axis.errorbar(
            [rank for rank, _ in known],
            [100 * g.value for _, g in known],
            [0 if math.isnan(g.half_width) else 100 * g.half_width for _, g in known],
            marker="o", ms=4, ls=looks.get(dataset, "-"), color=COLOURS[method],
            label=f"{LABELS[method]}, {dataset}",
        )  # fmt: skip
    axis.set_xticks(range(2, 6))
    axis.set(xlabel="rank of the cluster", ylabel="share of the chain beyond chance, points")
    axis.set_title("Do later clusters find coarser classes?", loc="left")
    axis.legend(
        frameon=False, fontsize=6.5, loc="upper center", ncols=2, bbox_to_anchor=(0.5, 0.72)
    )


def _std(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
