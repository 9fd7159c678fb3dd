"""All that a report says of its results, as data: computed once, then shown in several forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..benchmarks.task import Task
from ..metrics.uncertainty.subsets import N_SUBSETS, subset_deviations
from ..progress import Progress, unseen
from ..results.record import SplitScores
from ..taxonomy.tree import Tree
from .class_facts import PerClass, per_class
from .class_words import class_words, tree_of
from .cluster_facts import ClusterSizes, cluster_sizes
from .collected import Collected, ReportRun
from .confused import ConfusedPair, confused_pairs
from .factor_curves import FactorCurves, factor_curves
from .fit_facts import FitFacts, fit_facts
from .later_clusters import LaterClusters, later_clusters
from .places import ScoreEstimate, SharedPlace, places
from .sections import Contender, ScoreCell, Section, TaskColumn, sections

#: The metric of places and curves, and those of a table.
MAIN_METRIC = "ami"
SHOWN_METRICS = ("ami", "acc", "nmi", "ari")

#: The fewest subsets that a standard error over images is made of, and how many rows are scored in
#: all subsets of all predictions of a report before it comes to that.
FEWEST_SUBSETS, _ROWS_SCORED = 40, 2_000_000_000

Where = tuple[str, Contender]


@dataclass(frozen=True)
class DetailAmounts:
    """How much is looked at closely: pairs of classes, clusters of each kind."""

    pairs: int = 12
    clusters: int = 5


@dataclass(frozen=True, eq=False)
class TaskDetail:
    """One contender on one task, looked at closely.

    Attributes:
        task: the table's column; contender: the row.
        run: the fit whose clusters are shown, the one of the median AMI.
        words: what the classes are called.
        classes: per-class figures, mean over seeds.
        pairs: the most confused classes, mean over seeds.
        sizes: clusters of `run`.
    """

    task: TaskColumn
    contender: Contender
    run: ReportRun
    words: tuple[str, ...]
    classes: PerClass
    pairs: tuple[ConfusedPair, ...]
    sizes: ClusterSizes


@dataclass(frozen=True, eq=False)
class SectionAnalysis:
    """One section's figures.

    Attributes:
        section: its runs.
        estimates: by label of the task and contender, for each metric shown.
        places: of the methods that are complete on a task, by the label of the task; none where
            there is one method.
        overall: mean AMI over all tasks of who has a figure on each; overall_places likewise.
        bands: mean ACC of head, middle and tail classes, by task and contender.
        curves: AMI against what the tasks vary.
        later: by task and contender, where clusters are ranked.
        facts: of the fits of each contender.
        details: the contenders looked at closely.
    """

    section: Section
    estimates: Mapping[str, Mapping[Where, ScoreEstimate]]
    places: Mapping[str, Mapping[Contender, SharedPlace]]
    overall: Mapping[Contender, ScoreEstimate]
    overall_places: Mapping[Contender, SharedPlace]
    bands: Mapping[Where, Mapping[str, float | None]]
    curves: tuple[FactorCurves, ...]
    later: Mapping[Where, LaterClusters]
    facts: Mapping[Contender, FitFacts]
    details: tuple[TaskDetail, ...]
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Analysis:
    """A whole report as data."""

    collected: Collected
    sections: tuple[SectionAnalysis, ...]
    n_subsets: int


@dataclass
class _Trees:
    """The class tree of each data set, looked for once."""

    known: dict[str, Tree | None] = field(default_factory=dict)

    def of(self, dataset: str) -> Tree | None:
        if dataset not in self.known:
            self.known[dataset] = tree_of(dataset)
        return self.known[dataset]


def analyse(
    collected: Collected,
    *,
    details: int = 6,
    amounts: DetailAmounts | None = None,
    progress: Progress = unseen,
) -> Analysis:
    """Work out a report.

    Args:
        collected: the results.
        details: at most so many pairs of a task and a contender are looked at closely: the best
            method of each task first, then the others in turn.
        amounts: how closely.
        progress: called as `progress(done, total)` after each task and contender.
    """
    found = sections(collected.runs)
    total = sum(len(run.clusters) for run in collected.runs if run.clusters is not None)
    subsets = n_subsets(total)
    n_cells = sum(len(task.cells) for section in found for task in section.tasks)
    trees, done = _Trees(), 0
    analysed = []
    for number, section in enumerate(found):
        share = details // len(found) + (number < details % len(found))

        def told(cells: int, before: int = done) -> None:
            progress(before + cells, n_cells)

        analysed.append(_section(section, subsets, share, amounts or DetailAmounts(), trees, told))
        done += sum(len(task.cells) for task in section.tasks)
    return Analysis(collected, tuple(analysed), subsets)


def n_subsets(n_rows: int) -> int:
    """How many subsets are scored where all predictions together have so many rows."""
    return max(FEWEST_SUBSETS, min(N_SUBSETS, _ROWS_SCORED // max(1, n_rows)))


def _section(
    section: Section,
    subsets: int,
    details: int,
    amounts: DetailAmounts,
    trees: _Trees,
    told: Callable[[int], None],
) -> SectionAnalysis:
    estimates: dict[str, dict[Where, ScoreEstimate]] = {name: {} for name in SHOWN_METRICS}
    bands: dict[Where, Mapping[str, float | None]] = {}
    later: dict[Where, LaterClusters] = {}
    done = 0
    for task in section.tasks:
        for contender, cell in task.cells.items():
            done += 1
            where = (task.label, contender)
            if cell.complete:
                for metric, estimate in cell_estimates(cell, subsets).items():
                    estimates[metric][where] = estimate
                if found := _bands(cell):
                    bands[where] = found
                if (ranked := later_clusters(cell.successes)) is not None:
                    later[where] = ranked
            told(done)
    main = estimates[MAIN_METRIC]
    overall = {
        contender: ScoreEstimate.of_tasks([main[task.label, contender] for task in section.tasks])
        for contender in section.contenders
        if all((task.label, contender) in main for task in section.tasks)
    }
    by_task = {task.label: _places(_of_task(main, task.label)) for task in section.tasks}
    chosen = chosen_details(section, main, details)
    return SectionAnalysis(
        section=section,
        estimates=estimates,
        places=by_task,
        overall=overall,
        overall_places=_places(overall),
        bands=bands,
        curves=tuple(factor_curves(section, main, MAIN_METRIC)),
        later=later,
        facts=fit_facts(section),
        details=tuple(_detail(t, c, amounts, trees.of(section.dataset)) for t, c in chosen),
        left_out=len(chosen_details(section, main, len(main))) - len(chosen),
    )


def cell_estimates(cell: ScoreCell, subsets: int) -> dict[str, ScoreEstimate]:
    """Estimates of a complete cell, by metric; those that a seed lacks are left out.

    The main metric has its deviations on `subsets` subsets, where the predictions are at hand; the
    others the mean of the standard errors that the results record, which that of the mean does not
    exceed.
    """
    runs = cell.successes
    deviations = None
    if all(run.task is not None for run in runs) and len(runs[0].rows) > 1:
        deviations = np.mean([run_deviations(run, subsets) for run in runs], axis=0)
    found = {}
    for metric in SHOWN_METRICS:
        values = cell.values(metric)
        if len(values) == len(runs):
            errors = [recorded_error(run.record.scores, metric) for run in runs]
            known = [error for error in errors if error is not None]
            error = float(np.mean(known)) if len(known) == len(runs) else None
            own = deviations if metric == MAIN_METRIC else None
            found[metric] = ScoreEstimate.of_seeds(values, own, error)
    return found


def run_deviations(run: ReportRun, subsets: int) -> np.ndarray:
    """(subsets,) float64: the main metric of a run on subsets of its images, less the whole."""
    assert run.task is not None
    return subset_deviations(
        run.targets,
        run.clusters,
        run.rows,
        run.task.index_hash,
        metric=MAIN_METRIC,
        n_subsets=subsets,
    )


def recorded_error(scores: SplitScores | None, metric: str) -> float | None:
    """The standard error over samples that a result records of a metric, None without one."""
    if scores is None or scores.intervals is None or metric not in scores.intervals.metrics:
        return None
    return scores.intervals.metrics[metric].standard_error


def _bands(cell: ScoreCell) -> dict[str, float | None]:
    """Mean over seeds of the bands that the results record; empty where one has none."""
    found = [run.record.scores.bands for run in cell.successes if run.record.scores is not None]
    if any(bands is None for bands in found):
        return {}
    means: dict[str, float | None] = {}
    for name in ("head", "middle", "tail"):
        values = [bands[name].acc for bands in found if bands is not None and name in bands]
        known = [value for value in values if value is not None]
        means[name] = float(np.mean(known)) if known else None
    return means


def _of_task(main: Mapping[Where, ScoreEstimate], label: str) -> dict[Contender, ScoreEstimate]:
    return {contender: found for (task, contender), found in main.items() if task == label}


def _places(estimates: Mapping[Contender, ScoreEstimate]) -> dict[Contender, SharedPlace]:
    """Places of methods; a reference, which was told the classes, has none, nor has one alone."""
    found = places({c: found for c, found in estimates.items() if not c.reference})
    return found if len(found) > 1 else {}


def chosen_details(
    section: Section, main: Mapping[Where, ScoreEstimate], n: int
) -> list[tuple[TaskColumn, Contender]]:
    """The n tasks and methods that are looked at closely: the best of each task, then the next.

    Only those whose predictions are at hand; ties by name.
    """
    ranked: list[list[tuple[TaskColumn, Contender]]] = []
    for task in section.tasks:
        found = _of_task(main, task.label)
        able = [
            contender
            for contender in found
            if not contender.reference
            and all(run.clusters is not None for run in task.cells[contender].runs)
        ]
        able.sort(key=lambda contender: (-found[contender].mean, section.labels[contender]))
        ranked.append([(task, contender) for contender in able])
    depth = max((len(row) for row in ranked), default=0)
    in_turn: Iterable[tuple[TaskColumn, Contender]] = (
        row[place] for place in range(depth) for row in ranked if place < len(row)
    )
    chosen = list(in_turn)[:n]
    order = {task.label: number for number, task in enumerate(section.tasks)}
    return sorted(chosen, key=lambda one: order[one[0].label])


def _detail(
    column: TaskColumn, contender: Contender, amounts: DetailAmounts, tree: Tree | None
) -> TaskDetail:
    runs = column.cells[contender].successes
    task = _task(column)
    tables = [run.counts() for run in runs]
    middle = median_run(runs)
    return TaskDetail(
        task=column,
        contender=contender,
        run=middle,
        words=class_words(task, tree),
        classes=per_class(tables, task.train_targets, task.n_classes),
        pairs=tuple(confused_pairs(tables, amounts.pairs)),
        sizes=cluster_sizes(
            tables[runs.index(middle)], middle.record.k, task.n_classes, amounts.clusters
        ),
    )


def median_run(runs: Sequence[ReportRun]) -> ReportRun:
    """The run of the median AMI: of an even number, the better of the middle two."""
    order = sorted(runs, key=lambda run: (run.scores[MAIN_METRIC], run.record.seed))
    return order[len(order) // 2]


def _task(column: TaskColumn) -> Task:
    assert column.task is not None
    return column.task
