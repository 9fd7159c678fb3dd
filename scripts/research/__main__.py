"""Try methods on the development tasks, beside the baselines of the package.

    cd scripts && python -m research CANDIDATE... [--folder DIR] [--seeds 5] [--family NAME]
    cd scripts && python -m research CANDIDATE... --unseen --bases kmeans stable-kmeans
    cd scripts && python -m research leiden scan --settings research/equal-time.toml --folder DIR

A candidate is a method of the package, or one of `candidates/`. Results are kept as those of
`clusterbench run`, so the same command goes on where it was interrupted, and a later one runs what
is new only. --unseen takes the other tasks of icons-wordnet and emoji, --fresh some that were
looked at last, --as-given the tasks of their features before they were whitened; --settings
replaces those of the preset laptop. Printed is, for each task and as a mean of each family, AMI of
val rows in per cent; then how far each candidate is above each baseline and above the best of them,
in points, with 95% intervals over seeds and images together (the half width of a mean over tasks,
which share images, is the mean of theirs), and on how many tasks it is ahead and behind; then
seconds of a fit beside those of the first baseline.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

from study.results import TaskResults, read
from study.tables import percent

from clusterbench.catalog import read_toml

from .development import AS_GIVEN, BASES, FRESH, TASKS, run_all, unseen
from .development import Tasks as Named
from .plugged import plugged

CEILING = "linear-probe"
Tasks = dict[str, list[tuple[str, TaskResults]]]


def by_family(folder: Path, named: Named = TASKS) -> Tasks:
    """Benchmark -> (data set, task) of those that have results."""
    study = read(folder, failed=True)
    found: Tasks = defaultdict(list)
    for dataset, benchmark, names in named:
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


def differences(families: Tasks, candidates: list[str], bases: tuple[str, ...] = BASES) -> str:
    """A row for each candidate and family: how far it is above each baseline and their best."""
    less = " | ".join(f"less {base}" for base in bases)
    text = f"| candidate | family | {less} | less the best | worst |\n"
    text += "|---|---|" + "--:|" * (len(bases) + 2) + "\n"
    whole = {**families, "all": [task for tasks in families.values() for task in tasks]}
    for candidate in candidates:
        for family, tasks in whole.items():
            cells = []
            for base in bases:
                gaps = [gap for _, task in tasks if (gap := task.gap(candidate, base)) is not None]
                if len(gaps) < len(tasks):
                    cells.append("–")
                    continue
                value = 100 * statistics.fmean(gap.value for gap in gaps)
                half = 100 * statistics.fmean(gap.half_width for gap in gaps)
                ahead = sum(gap.value > 0 for gap in gaps)
                behind = sum(gap.value < 0 for gap in gaps)
                cells.append(f"{value:+.2f} ± {half:.2f}; {ahead}, {behind}")
            over_best, over_kmeans = [], []
            for _, task in tasks:
                own, first = mean(task, candidate), mean(task, bases[0])
                best = [score for base in bases if (score := mean(task, base)) is not None]
                if own is not None and first is not None:
                    over_best.append(100 * (own - max(best)))
                    over_kmeans.append(100 * (own - first))
            if over_best:
                cells += [f"{statistics.fmean(over_best):+.1f}", f"{min(over_kmeans):+.1f}"]
            text += f"| {candidate} | {family} | {' | '.join(cells)} |\n"
    return text


def times(families: Tasks, methods: list[str]) -> str:
    """Seconds of a fit of each method, and as a multiple of those of the first."""
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
    base = methods[0]
    first = seconds.get(base, 0.0)
    return "\n".join(
        f"{method}: {value:.2f} s" + (f", {value / first:.1f} times {base}" if first else "")
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
    further = parser.add_mutually_exclusive_group()
    further.add_argument(
        "--unseen", action="store_true", help="tasks not looked at in the first place"
    )
    further.add_argument("--fresh", action="store_true", help="tasks that were looked at last")
    further.add_argument(
        "--as-given", action="store_true", help="features that are not whitened (research.as_given)"
    )
    parser.add_argument("--bases", nargs="+", default=BASES, metavar="METHOD", help="beside them")
    parser.add_argument("--settings", type=Path, metavar="TOML", help="by method, of the others")
    arguments = parser.parse_args()
    params = read_toml(arguments.settings) if arguments.settings else {}
    bases = tuple(arguments.bases)
    tasks = unseen() if arguments.unseen else FRESH if arguments.fresh else TASKS
    tasks = AS_GIVEN if arguments.as_given else tasks
    run_all(
        arguments.candidates, arguments.folder, arguments.seeds, tuple(arguments.family),
        bases, tasks, params,
    )  # fmt: skip
    with plugged():
        families = by_family(arguments.folder, tasks)
    own = [name for name in arguments.candidates if name not in bases]
    print(scores(families, [*bases, *own, CEILING]))
    print(differences(families, own, bases))
    print("`worst` is the least lead over the first base on a task of the family.\n")
    print(times(families, [*bases, *own]))


if __name__ == "__main__":
    main()
