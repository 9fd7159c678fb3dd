"""The development tasks: what candidates are tried on, by family of benchmarks."""

from __future__ import annotations

from pathlib import Path

import clusterbench
from clusterbench.datasets import registry

from .plugged import plugged

#: (data set, benchmark, tasks). Those of data sets that were not built are left out.
TASKS = (
    ("icons-wordnet", "imbalanced", ("ratio-1", "ratio-30", "zipf-10")),
    ("icons-wordnet", "granularity", ("fine", "coarse-50")),
    ("icons-wordnet", "easy", ("easiest", "hardest")),
    ("icons-wordnet", "scale", ("classes-100",)),
    ("emoji", "imbalanced", ("subgroups-ratio-1", "subgroups-ratio-30")),
    ("emoji", "granularity", ("fine", "groups")),
    ("emoji", "easy", ("easiest", "hardest")),
    ("glyphs", "imbalanced", ("radicals-ratio-1", "radicals-ratio-30")),
    ("glyphs", "scale", ("classes-1000",)),
    ("fashion-mnist", "whole", ("whole",)),
    ("digits", "whole", ("whole",)),
)

#: What a candidate is compared with; the first is the one that every difference is counted from.
BASES = ("kmeans", "smoothed-kmeans", "spectral", "temi", "scanv2")


def run_all(candidates: list[str], folder: Path, seeds: int, families: tuple[str, ...]) -> None:
    """Run candidates and bases on the development tasks; what is there already is kept.

    Args:
        candidates: names of methods, of the package or of `candidates/`.
        folder: where results are kept, as `clusterbench run` keeps them.
        seeds: of each, from 0.
        families: benchmarks; none for all.
    """
    known = set(registry.names())
    with plugged():
        for dataset, benchmark, tasks in TASKS:
            if dataset not in known or (families and benchmark not in families):
                continue
            report = clusterbench.run(
                benchmark,
                dataset,
                methods=[*BASES, *(name for name in candidates if name not in BASES)],
                tasks=list(tasks),
                seeds=seeds,
                preset="laptop",
                results=folder,
                references=True,
            )
            print(
                f"{dataset} / {benchmark}: {report.n_computed} computed, {report.n_reused} kept, "
                f"{len(report.failures)} failed",
                flush=True,
            )
