"""Print how every method fares beside k-means and smoothed k-means, from a folder of results.

    python scripts/methods_table.py RESULTS [--also fast,paper] [--write]

Every result is scored again from its predictions' task; runs that failed are left out, and where a
method has none on a task it has no mean. A difference is of mean AMI over seeds, in
points; its interval combines other seeds (Welch's t) and other images (all predictions resampled
together). --also adds a table of results that lie in RESULTS-fast and RESULTS-paper. Over several
tasks, which may share images, the half width is the mean of theirs, as if
their errors went together. --write puts the tables into docs/methods.md.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import documents
from study.gaps import Gap
from study.results import BASE, SMOOTHED, Study, TaskResults, read
from study.tables import REFERENCES, mean_and_std, percent

from clusterbench.errors import ClusterbenchError

TABLES = ("means", "differences", "tasks", "presets")
_BASES = {BASE: "k-means", SMOOTHED: "smoothed k-means"}


def tasks_of(study: Study) -> dict[str, list[TaskResults]]:
    """Tasks by data set."""
    return {
        dataset: [task for tasks in benchmarks.values() for task in tasks.values()]
        for dataset, benchmarks in study.items()
    }


def methods_of(study: Study) -> list[str]:
    """Methods that were run, the baselines first, references left out."""
    found = {m for tasks in tasks_of(study).values() for task in tasks for m in task.records}
    return [*_BASES, *sorted(found - {*_BASES, *REFERENCES})]


def means(study: Study) -> str:
    """A row per method: mean AMI over the tasks of each data set, and seconds of a fit."""
    every = tasks_of(study)
    names = [f"{dataset} ({len(tasks)})" for dataset, tasks in every.items()]
    text = f"| method | {' | '.join(names)} | s a fit |\n|---|" + "--:|" * (len(names) + 1) + "\n"
    floors = [percent(statistics.fmean(task.floor for task in tasks)) for tasks in every.values()]
    text += f"| random | {' | '.join(floors)} | |\n"
    methods = methods_of(study)
    best = {
        dataset: max((_mean(tasks, m) or 0.0) for m in methods) for dataset, tasks in every.items()
    }
    for method in (*methods, *REFERENCES):
        cells = []
        for dataset, tasks in every.items():
            value = _mean(tasks, method)
            cell = "–" if value is None else percent(value)
            cells.append(f"**{cell}**" if value == best[dataset] else cell)
        text += f"| {method} | {' | '.join(cells)} | {_seconds(every, method)} |\n"
    return text


def _mean(tasks: list[TaskResults], method: str) -> float | None:
    """Over the tasks; None where one of them lacks the method."""
    scores = [task.scores(method) for task in tasks]
    return statistics.fmean(map(statistics.fmean, scores)) if all(scores) else None


def _seconds(every: dict[str, list[TaskResults]], method: str) -> str:
    found = [
        record.timings.fit
        for tasks in every.values()
        for task in tasks
        for record in task.records.get(method, ())
        if record.timings.fit is not None
    ]
    return f"{statistics.fmean(found):.1f}" if found else "–"


def differences(study: Study) -> str:
    """A row per method: how far it is above the baselines, and on how many tasks clearly."""
    every = [task for tasks in tasks_of(study).values() for task in tasks]
    methods = [m for m in methods_of(study) if m not in _BASES]
    for task in every:
        task.comparisons = len(every) * len(methods) * len(_BASES)
    head = " | ".join(f"less {label} | clearly ahead, behind" for label in _BASES.values())
    text = f"| method | {head} |\n|---|" + "--:|" * 2 * len(_BASES) + "\n"
    for method in methods:
        cells = []
        for base in _BASES:
            gaps = [gap for task in every if (gap := task.gap(method, base)) is not None]
            cells += [_mean_gap(gaps), _counts(gaps)]
        text += f"| {method} | {' | '.join(cells)} |\n"
    return text


def _mean_gap(gaps: list[Gap]) -> str:
    if not gaps:
        return "–"
    value = 100 * statistics.fmean(gap.value for gap in gaps)
    half = 100 * statistics.fmean(gap.half_width for gap in gaps)
    return f"{value:+.1f} ({value - half:.1f} to {value + half:.1f})"


def _counts(gaps: list[Gap]) -> str:
    ahead = sum(gap.clear and gap.value > 0 for gap in gaps)
    behind = sum(gap.clear and gap.value < 0 for gap in gaps)
    return f"{ahead}, {behind} of {len(gaps)}"


def by_task(study: Study) -> str:
    """A row per task, a column per method: mean and standard deviation over seeds."""
    methods = [*methods_of(study), *REFERENCES]
    text = f"| task | K | {' | '.join(methods)} |\n|---|--:|" + "--:|" * len(methods) + "\n"
    for dataset, tasks in tasks_of(study).items():
        for task in tasks:
            first = next(iter(task.records.values()))[0]
            cells = [mean_and_std(task.scores(method)) for method in methods]
            text += f"| {dataset} / {task.name} | {first.k:,} | {' | '.join(cells)} |\n"
    return text


def by_preset(study: Study, also: dict[str, Study]) -> str:
    """A row per method with heads, a column per task and preset: mean AMI and its deviation."""
    every = {"laptop": study, **also}
    names = [
        (dataset, benchmark, task)
        for dataset, benchmarks in next(iter(also.values())).items()
        for benchmark, tasks in benchmarks.items()
        for task in tasks
    ]
    columns = [(name, preset) for name in names for preset in every]
    heads = [f"{dataset}, `{preset}`" for (dataset, _, _), preset in columns]
    text = f"| method | {' | '.join(heads)} |\n|---|" + "--:|" * len(columns) + "\n"
    with_heads = {m for other in also.values() for t in _all(other) for m in t.records}
    for method in sorted(with_heads):
        cells = []
        for (dataset, benchmark, task), preset in columns:
            found = every[preset].get(dataset, {}).get(benchmark, {}).get(task)
            scores = [] if found is None else found.scores(method)
            cells.append(f"{mean_and_std(scores)} ({len(scores)})" if scores else "–")
        text += f"| {method} | {' | '.join(cells)} |\n"
    return text


def _all(study: Study) -> list[TaskResults]:
    return [task for tasks in tasks_of(study).values() for task in tasks]


def main() -> None:
    """Read, tabulate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true", help="replace the tables of the document")
    parser.add_argument("--also", default="", help="presets, with commas between")
    parser.add_argument("--only", nargs="*", choices=TABLES, help="some of the tables")
    arguments = parser.parse_args()
    try:
        blocks = tables(arguments.results, arguments.also)
    except ClusterbenchError as error:
        parser.error(str(error))
    blocks = {name: blocks[name] for name in arguments.only or blocks if name in blocks}
    if arguments.write:
        documents.write_blocks(documents.DOCS / "methods.md", blocks)
    else:
        print("\n".join(blocks.values()))


def tables(results: Path, also: str) -> dict[str, str]:
    """Every table by its name; that of presets where some are named, with commas between."""
    study = read(results, failed=True)
    blocks = {"means": means(study), "differences": differences(study), "tasks": by_task(study)}
    if also:
        others = {
            preset: read(Path(f"{results}-{preset}"), failed=True) for preset in also.split(",")
        }
        blocks["presets"] = by_preset(study, others)
    return blocks


if __name__ == "__main__":
    main()
