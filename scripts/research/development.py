"""The development tasks: what candidates are tried on, by family of benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import clusterbench
from clusterbench.benchmarks import build
from clusterbench.datasets import registry

from .plugged import plugged

#: Data set, benchmark, names of tasks.
Tasks = tuple[tuple[str, str, tuple[str, ...]], ...]
#: Those of data sets that were not built are left out.
TASKS: Tasks = (
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

#: Tasks that were looked at last (research log, 36); glyphs / fine and larger ones take too long.
FRESH: Tasks = (
    ("glyphs", "imbalanced", ("radicals-ratio-10", "radicals-ratio-100")),
    ("glyphs", "granularity", ("radicals",)),
    ("glyphs", "scale", ("classes-100", "classes-300")),
    ("icons-wordnet", "granularity-inner", ("leaves", "assigned")),
)

#: The same tasks of features as the encoder gives them, neither whitened nor cut to 128 components,
#: where `research.as_given` has declared them.
AS_GIVEN: Tasks = tuple(
    (f"{dataset}-as-given", benchmark, names)
    for dataset, benchmark, names in TASKS
    if dataset in ("icons-wordnet", "emoji")
)

#: What a candidate is compared with; the first is the one that every difference is counted from.
BASES = ("kmeans", "smoothed-kmeans", "spectral", "temi", "scanv2")


def unseen() -> Tasks:
    """The other tasks of icons-wordnet and emoji, which were not looked at at first."""
    seen = {(dataset, family): names for dataset, family, names in TASKS}
    found = []
    for dataset in ("icons-wordnet", "emoji"):
        for family in ("imbalanced", "granularity", "easy", "scale"):
            names = [task.name for task in build(family, registry.load(dataset))]
            looked_at = seen.get((dataset, family), ())
            found.append((dataset, family, tuple(n for n in names if n not in looked_at)))
    return tuple(found)


def run_all(
    candidates: list[str],
    folder: Path,
    seeds: int,
    families: tuple[str, ...],
    bases: tuple[str, ...] = BASES,
    tasks: Tasks = TASKS,
    params: Mapping[str, Mapping[str, Any]] = {},
) -> None:
    """Run candidates and bases on tasks; what is there already is kept.

    Args:
        candidates: names of methods, of the package or of `candidates/`.
        folder: where results are kept, as `clusterbench run` keeps them.
        seeds: of each, from 0.
        families: benchmarks; none for all.
        bases: methods that are run beside them.
        tasks: data set, benchmark and names of tasks.
        params: settings by method in place of those of the preset laptop.
    """
    known = set(registry.names())
    with plugged():
        for dataset, benchmark, names in tasks:
            if dataset not in known or (families and benchmark not in families):
                continue
            methods = [*bases, *(name for name in candidates if name not in bases)]
            report = clusterbench.run(
                benchmark,
                dataset,
                methods=methods,
                tasks=list(names),
                seeds=seeds,
                preset="laptop",
                params={name: params[name] for name in methods if name in params},
                results=folder,
                references=True,
            )
            print(
                f"{dataset} / {benchmark}: {report.n_computed} computed, {report.n_reused} kept, "
                f"{len(report.failures)} failed",
                flush=True,
            )
