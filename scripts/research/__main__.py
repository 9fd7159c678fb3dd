"""Try methods on the development tasks, beside the baselines of the package.

    cd scripts && python -m research CANDIDATE... [--folder DIR] [--seeds 5] [--family NAME]

A candidate is a method of the package, or one of `candidates/`. Results are kept as those of
`clusterbench run`, so the same command goes on where it was interrupted, and a later one runs what
is new only. Printed is, for each task and as a mean of each family, AMI of val rows in per cent;
then how far each candidate is above each baseline and above the best of them, in points, with 95%
intervals over seeds and images together (the half width of a mean over tasks, which share images,
is the mean of theirs); then seconds of a fit beside those of k-means.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

from study.results import TaskResults, read
from study.tables import percent

from .development import BASES, TASKS, run_all
from .plugged import plugged

CEILING = "linear-probe"
Tasks = dict[str, list[tuple[str, TaskResults]]]


def by_family(folder: Path) -> Tasks:
    """Benchmark -> (data set, task) of the development tasks that have results."""
    study = read(folder, failed=True)
    found: Tasks = defaultdict(list)
    for dataset, benchmark, names in TASKS:
        there = study.get(dataset, {}).get(benchmark, {})
        found[benchmark] += [(dataset, there[name]) for name in names if name in there]
    return {family: tasks for family, tasks in found.items() if tasks}


def mean(task: TaskResults, method: str) -> float | None:
    """AMI over the seeds; None for a method that was not run."""
    scores = task.scores(method)
    return statistics.fmean(scores) if scores else None


def scores(families: Tasks, methods: list[str]) -> str:
    """A row for each task and each family."""
    text = f"| task | random | {' | '.join(methods)} |\n|---|" + "--:|" * (len(methods) + 1) + "\n"
    for family, tasks in families.items():
        rows = [(f"{dataset} / {task.name}", [task]) for dataset, task in tasks]
        for name, group in (*rows, (f"**{family}**", [task for _, task in tasks])):
            cells = [percent(statistics.fmean(task.floor for task in group))]
            for method in methods:
                found = [score for task in group if (score := mean(task, method)) is not None]
                whole = len(found) == len(group)
                cells.append(percent(statistics.fmean(found)) if whole else "–")
            text += f"| {name} | {' | '.join(cells)} |\n"
    return text


def differences(families: Tasks, candidates: list[str]) -> str:
    """A row for each candidate and family: how far it is above each baseline and their best."""
    less = " | ".join(f"less {base}" for base in BASES)
    text = f"| candidate | family | {less} | less the best | worst |\n"
    text += "|---|---|" + "--:|" * (len(BASES) + 2) + "\n"
    for candidate in candidates:
        for family, tasks in families.items():
            cells = []
            for base in BASES:
                gaps = [gap for _, task in tasks if (gap := task.gap(candidate, base)) is not None]
                if len(gaps) < len(tasks):
                    cells.append("–")
                    continue
                value = 100 * statistics.fmean(gap.value for gap in gaps)
                half = 100 * statistics.fmean(gap.half_width for gap in gaps)
                cells.append(f"{value:+.1f} ± {half:.1f}")
            over_best, over_kmeans = [], []
            for _, task in tasks:
                own, first = mean(task, candidate), mean(task, BASES[0])
                best = [score for base in BASES if (score := mean(task, base)) is not None]
                if own is not None and first is not None:
                    over_best.append(100 * (own - max(best)))
                    over_kmeans.append(100 * (own - first))
            if over_best:
                cells += [f"{statistics.fmean(over_best):+.1f}", f"{min(over_kmeans):+.1f}"]
            text += f"| {candidate} | {family} | {' | '.join(cells)} |\n"
    return text


def times(families: Tasks, methods: list[str]) -> str:
    """Seconds of a fit of each method, and as a multiple of those of k-means."""
    seconds = {
        method: statistics.fmean(
            record.timings.fit or 0.0
            for tasks in families.values()
            for _, task in tasks
            for record in task.records.get(method, ())
        )
        for method in methods
        if any(task.records.get(method) for tasks in families.values() for _, task in tasks)
    }
    first = seconds.get(BASES[0], 0.0)
    return "\n".join(
        f"{method}: {value:.2f} s" + (f", {value / first:.1f} times k-means" if first else "")
        for method, value in seconds.items()
    )


def main() -> None:
    """Run, then compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("candidates", nargs="+", metavar="CANDIDATE")
    parser.add_argument("--folder", type=Path, default=Path("research-results"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--family", action="append", default=[], metavar="NAME")
    arguments = parser.parse_args()
    run_all(arguments.candidates, arguments.folder, arguments.seeds, tuple(arguments.family))
    with plugged():
        families = by_family(arguments.folder)
    own = [name for name in arguments.candidates if name not in BASES]
    print(scores(families, [*BASES, *own, CEILING]))
    print(differences(families, own))
    print("`worst` is the least lead over k-means on a task of the family.\n")
    print(times(families, [*BASES, *own]))


if __name__ == "__main__":
    main()
