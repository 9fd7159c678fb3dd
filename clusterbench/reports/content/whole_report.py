"""The parts of a report in their order, at a level of detail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ...metrics.table import METRICS
from ...pages import DataTable
from ..analysis import MAIN_METRIC, Analysis, SectionAnalysis, TaskDetail
from ..collected import ReportRun
from ..sections import TaskColumn
from .detail_parts import detail_part
from .overview import overview_table
from .parts import Block, Bullets, FactList, FoldedPart, ImageRows, Passage, ReportPart
from .phrases import listed, many
from .run_tables import (
    diagnostics_table,
    environment_table,
    failure_table,
    run_table,
    seconds_table,
    settings_table,
    unchecked_table,
    warning_texts,
)
from .score_charts import (
    band_chart,
    curve_chart,
    later_charts,
    method_chart,
    time_chart,
    verdict,
)
from .score_tables import (
    band_table,
    later_table,
    main_table,
    ordered_contenders,
    other_scores,
    task_scores,
)

#: Rows of failures and of unchecked results, files that are listed as unreadable.
_FAULTS, _FILES = 100, 20

Gallery = Callable[[SectionAnalysis, TaskDetail], ImageRows | None]


@dataclass(frozen=True)
class DetailLevel:
    """How much of an analysis is shown; less where a page would grow too large.

    Attributes:
        details: tasks and methods looked at closely.
        runs: rows of the table of all runs of a section.
        band_tasks: tasks of a section whose head, middle and tail are drawn.
        tables: whether folded tables of every task and method, and diagnostics, are there.
        images: images of a cluster in a gallery, 0 for no gallery.
        charts: whether a section has charts beside that of all methods.
        sections, tasks, methods: at most so many, the first; None for all.
    """

    details: int
    runs: int
    band_tasks: int
    tables: bool
    images: int
    charts: bool = True
    sections: int | None = None
    tasks: int | None = None
    methods: int | None = None


#: From all that is worked out to what is always small enough.
LEVELS = (
    DetailLevel(6, 400, 2, True, 12),
    DetailLevel(6, 100, 1, True, 8),
    DetailLevel(4, 0, 1, True, 6),
    DetailLevel(2, 0, 1, False, 4),
    DetailLevel(0, 0, 0, False, 0),
    DetailLevel(0, 0, 0, False, 0, charts=False),
    DetailLevel(0, 0, 0, False, 0, charts=False, sections=40, tasks=20, methods=60),
    DetailLevel(0, 0, 0, False, 0, charts=False, sections=12, tasks=8, methods=30),
    DetailLevel(0, 0, 0, False, 0, charts=False, sections=3, tasks=4, methods=12),
)


def shortened(analysis: Analysis, level: DetailLevel) -> Analysis:
    """The sections, tasks and methods that a level shows; means and places stay those of all.

    References are few and stay.
    """
    kept = []
    for found in analysis.sections[: level.sections]:
        order = ordered_contenders(found)
        methods = [contender for contender in order if not contender.reference]
        references = [contender for contender in order if contender.reference]
        section = replace(
            found.section,
            tasks=found.section.tasks[: level.tasks],
            contenders=(*methods[: level.methods], *references[: level.methods]),
        )
        kept.append(replace(found, section=section))
    return replace(analysis, sections=tuple(kept))


def report_parts(analysis: Analysis, level: DetailLevel, gallery: Gallery) -> list[ReportPart]:
    """All parts of a report: sections side by side, then each."""
    parts = []
    analysis = shortened(analysis, level)
    if (table := overview_table(analysis)) is not None:
        parts.append(ReportPart("side-by-side", "Side by side", (table,)))
    left = level.details
    for found in analysis.sections:
        details = found.details[:left]
        left -= len(details)
        parts.append(section_part(found, level, details, gallery))
    parts += _faults(analysis)
    parts.append(_made_with(analysis, level))
    parts.append(_reading(analysis))
    return parts


def lead_blocks(analysis: Analysis, level: DetailLevel) -> list[Block]:
    """What stands above everything: what it is of, who is best, what is missing."""
    runs = analysis.collected.runs
    sections = [found.section for found in analysis.sections]
    methods = {c.method for section in sections for c in section.contenders if not c.reference}
    references = {c.method for section in sections for c in section.contenders if c.reference}
    tasks = sum(len(section.tasks) for section in sections)
    text = f"{many(len(runs), 'result')} of {many(len(methods), 'method')}"
    text += f" and {many(len(references), 'reference')}" if references else ""
    text += f" on {many(tasks, 'task')}, {_created(runs)}."
    blocks: list[Block] = [Passage(text, "lead")]
    shown = analysis.sections[: level.sections]
    verdicts = [verdict(found, named=len(sections) > 1) for found in shown]
    if len(verdicts) == 1:
        blocks.append(Passage(verdicts[0]))
    else:
        blocks.append(Bullets(tuple(verdicts)))
    if missing := list(_missing(analysis, level)):
        blocks.append(Bullets(tuple(missing)))
    return blocks


def _created(runs: tuple[ReportRun, ...]) -> str:
    days = sorted({run.record.created[:10] for run in runs})
    return f"made on {days[0]}" if len(days) == 1 else f"made from {days[0]} to {days[-1]}"


def _missing(analysis: Analysis, level: DetailLevel) -> Iterator[str]:
    collected = analysis.collected
    failed = sum(run.failed for run in collected.runs)
    unchecked = sum(bool(run.fault) for run in collected.runs)
    if failed:
        yield f"{many(failed, 'run')} failed; their cells are grey and their methods have no place."
    if unchecked:
        yield (
            f"{many(unchecked, 'result')} could not be scored again from predictions here, or "
            "differ from them: see below."
        )
    if collected.unreadable:
        unread = many(len(collected.unreadable), "file or folder", "files or folders")
        yield f"{unread} could not be read: see below."
    if collected.repeated:
        yield f"{many(collected.repeated, 'file')} repeated a run and were left out."
    shown = min(level.details, sum(len(found.details) for found in analysis.sections))
    possible = sum(len(found.details) + found.left_out for found in analysis.sections)
    if shown < possible:
        yield (
            f"Classes and clusters are shown of {shown:,} of {possible:,} methods on tasks, the "
            "best of each task first."
        )
    if level.methods is not None:
        yield (
            f"Of each benchmark at most {level.tasks} tasks and the best {level.methods} methods "
            f"are shown, of {many(len(analysis.sections), 'benchmark')} on data sets at most "
            f"{level.sections}; means and places are those of all."
        )
    if not level.tables:
        yield (
            "To keep the page below its size, the tables of single runs and diagnostics are left "
            "out; report fewer results, or write them with --figures."
        )


def section_part(
    found: SectionAnalysis,
    level: DetailLevel,
    details: tuple[TaskDetail, ...],
    gallery: Gallery,
) -> ReportPart:
    """All of one benchmark on one data set's features."""
    section = found.section
    blocks: list[Block] = [Passage(_run_on(found))]
    blocks.append(main_table(found))
    if (chart := method_chart(found)) is not None:
        blocks.append(chart)
    if level.charts:
        blocks += [curve_chart(found, curves) for curves in found.curves]
        drawn = [band_chart(found, label) for label in _unequal_tasks(found)[: level.band_tasks]]
        blocks += [chart for chart in drawn if chart is not None]
        for task in section.tasks:
            blocks += later_charts(found, task.label)
        if (time := time_chart(found)) is not None:
            blocks.append(time)
    blocks.append(other_scores(found))
    blocks += _folded(found, level)
    parts = tuple(
        detail_part(found, detail, gallery(found, detail) if level.images else None)
        for detail in details
    )
    return ReportPart(section.key("section"), section.title, tuple(blocks), parts)


def _run_on(found: SectionAnalysis) -> str:
    section = found.section
    dims = sorted({run.record.features.dim for run in section.runs})
    protocol = {
        "train->val": "fitted on the training images, scored on the evaluation images",
        "transductive": "fitted and scored on the training images",
    }[section.protocol]
    seeds = {run.record.seed for run in section.runs}
    names = listed([task.label for task in section.tasks])
    return (
        f"{many(len(section.runs), 'run')} on features {section.encoder} "
        f"({listed([f'{dim:,}' for dim in dims])} dimensions), {protocol}; "
        f"{many(len(seeds), 'seed')}; {'task' if len(section.tasks) == 1 else 'tasks'} {names}."
    )


def _unequal_tasks(found: SectionAnalysis) -> list[str]:
    """Labels of the tasks whose classes are not equally frequent, the most unequal first."""
    ratios = {task.label: task.factors.get("imbalance_ratio", 1.0) for task in found.section.tasks}
    return sorted((label for label in ratios if ratios[label] > 1), key=lambda t: -ratios[t])


def _folded(found: SectionAnalysis, level: DetailLevel) -> list[Block]:
    blocks: list[Block] = []
    if level.tables:
        more = [table for table in (band_table(found), later_table(found)) if table is not None]
        blocks.append(FoldedPart("Every task and method", (task_scores(found), *more)))
        if level.runs:
            blocks.append(FoldedPart("Every run", (run_table(found, level.runs),)))
    told: list[Block] = [seconds_table(found)]
    if level.tables and (table := diagnostics_table(found)) is not None:
        told.append(table)
    if texts := warning_texts(found):
        told += [Passage("Warnings of the methods and the runs with each:"), Bullets(tuple(texts))]
    blocks.append(FoldedPart("Seconds, diagnostics and warnings", tuple(told)))
    blocks.append(FoldedPart("Settings and seeds", (settings_table(found),)))
    return blocks


def _faults(analysis: Analysis) -> list[ReportPart]:
    """Failed runs, results as their JSON has them, files that are no results."""
    runs, parts = analysis.collected.runs, []
    for key, title, members, table in (
        ("failed", "Failed runs", [run for run in runs if run.failed], failure_table),
        (
            "unchecked-results",
            "Not borne out by predictions",
            [run for run in runs if run.fault],
            unchecked_table,
        ),
    ):
        if members:
            blocks: list[Block] = [table(members[:_FAULTS])]
            if len(members) > _FAULTS:
                blocks.append(Passage(f"{len(members) - _FAULTS:,} more are not shown.", "note"))
            parts.append(ReportPart(key, title, tuple(blocks)))
    if unreadable := analysis.collected.unreadable:
        texts = [f"{path}: {fault}" for path, fault in unreadable[:_FILES]]
        if len(unreadable) > _FILES:
            texts.append(f"{len(unreadable) - _FILES:,} more")
        parts.append(ReportPart("unreadable", "Not read", (Bullets(tuple(texts)),)))
    return parts


def _made_with(analysis: Analysis, level: DetailLevel) -> ReportPart:
    tasks = [
        (f"{found.section.title}: {task.label}", _task_text(task))
        for found in analysis.sections
        for task in found.section.tasks
    ]
    shown = tasks[: max(10, 4 * level.details)]
    blocks: list[Block] = [FactList(tuple(shown))]
    if len(tasks) > len(shown):
        blocks.append(Passage(f"{len(tasks) - len(shown):,} more tasks are not listed.", "note"))
    return ReportPart("made-with", "Tasks and environment", (*blocks, environment_table(analysis)))


def _task_text(task: TaskColumn) -> str:
    text = f"{task.n_classes:,} classes, {task.n_train:,} training and {task.n_eval:,} "
    text += "evaluation images"
    ratio = task.factors.get("imbalance_ratio")
    if ratio is not None:
        text += f", imbalance ratio {ratio:,.3g}"
    return f"{text}; manifest {task.manifest_hash[:12]}"


def _reading(analysis: Analysis) -> ReportPart:
    seeds = any(found.section.n_seeds > 1 for found in analysis.sections)
    facts = (
        (
            METRICS[MAIN_METRIC].label,
            "Adjusted mutual information of clusters and classes: 0 for clusters that know nothing "
            "of the classes, 1 for the classes themselves. Scores are computed from the "
            "predictions of each run.",
        ),
        (
            "Interval",
            f"95%, over other images{' and other seeds together' if seeds else ''}: that over "
            f"images from {analysis.n_subsets} subsets with nine images of ten each.",
        ),
        (
            "Places",
            "All pairs of methods are tested as on a leaderboard: by their difference on the same "
            "subsets of images and with the same seeds, with p values adjusted for the number of "
            "pairs (Holm, 5%). Who is not told apart from a group shares its place, marked “=”.",
        ),
        (
            "References",
            "They were told the classes of the training images: a ceiling, without a place.",
        ),
        (
            "Failed or missing",
            "A method with a failed or missing run has no mean there and no place; nothing is "
            "counted as 0.",
        ),
    )
    return ReportPart("reading", "How to read this", (FactList(facts),))


def all_tables(analysis: Analysis) -> list[DataTable]:
    """The tables that are written beside the figures: scores, runs and settings, in full."""
    tables = [table for table in (overview_table(analysis),) if table is not None]
    for found in analysis.sections:
        tables += [main_table(found), other_scores(found), task_scores(found), run_table(found)]
        tables += [t for t in (band_table(found), later_table(found)) if t is not None]
        tables += [seconds_table(found), settings_table(found)]
    return tables
