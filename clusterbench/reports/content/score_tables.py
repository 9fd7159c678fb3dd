"""The tables of scores: methods by tasks with intervals and shared places, and the raw figures."""

from __future__ import annotations

from collections.abc import Sequence

from ...metrics.table import METRICS
from ...pages import DataCell, DataColumn, DataRow, DataTable
from ..analysis import MAIN_METRIC, SHOWN_METRICS, SectionAnalysis
from ..places import ScoreEstimate, SharedPlace
from ..sections import Contender, ScoreCell, TaskColumn
from .phrases import moved_by, percent, place_text, with_reach

#: Seeds whose values are listed in the remark of a cell.
_LISTED_SEEDS = 8


def ordered_contenders(found: SectionAnalysis) -> list[Contender]:
    """Rows of all tables of a section: by overall mean, then who lacks a task, then references."""
    names = found.section.labels

    def key(contender: Contender) -> tuple[int, float, str]:
        whole = found.overall.get(contender)
        if contender.reference:
            return 2, -whole.mean if whole else 1.0, names[contender]
        if whole is None:
            return 1, 0.0, names[contender]
        return 0, -whole.mean, names[contender]

    return sorted(found.section.contenders, key=key)


def main_table(found: SectionAnalysis) -> DataTable:
    """Methods by tasks: AMI with its interval, bold where none is told apart from the best."""
    section = found.section
    several = len(section.tasks) > 1
    columns = [
        DataColumn(
            "place",
            "Place",
            "number",
            digits=0,
            best="low",
            help="By the mean. “=”: shared by methods that the paired test cannot tell apart.",
        ),
        DataColumn("method", "Method"),
    ]
    if several:
        columns.append(
            DataColumn("mean", "Mean", "percent", best="high", help="Mean AMI over the tasks.")
        )
    columns += [
        DataColumn(f"t{n}", task.label, "percent", best="high", help=_task_help(task))
        for n, task in enumerate(section.tasks)
    ]
    rows = []
    for contender in ordered_contenders(found):
        whole, place = found.overall.get(contender), found.overall_places.get(contender)
        cells = [
            DataCell(place.place, place_text(place)) if place else DataCell(),
            _name_cell(found, contender),
        ]
        if several:
            cells.append(_score_cell(whole, place) if whole else DataCell())
        cells += [_task_cell(found, task, contender) for task in section.tasks]
        kind = "reference" if contender.reference else "" if whole else "incomplete"
        rows.append(DataRow(tuple(cells), kind))  # type: ignore[arg-type]
    return DataTable(
        key=section.key("ami"),
        caption="AMI × 100 ± half of its 95% interval",
        columns=tuple(columns),
        rows=tuple(rows),
        row_header="method",
        sorted_by="place",
        descending=False,
        note=(
            "Bold: not told apart from the best of its column. “=” marks a shared place. The "
            f"interval is over {moved_by(section)}. Grey: without a figure on each task, so "
            "without a place."
        ),
    )


def _task_help(task: TaskColumn) -> str:
    floor = task.floor.get(MAIN_METRIC)
    level = "" if floor is None else f"; random assignment scores {percent(floor)}"
    return f"{task.n_classes:,} classes, {task.n_train:,} training images{level}."


def _name_cell(found: SectionAnalysis, contender: Contender) -> DataCell:
    section = found.section
    runs = [
        run
        for task in section.tasks
        for run in (task.cells[contender].runs if contender in task.cells else ())
    ]
    tags = ["reference"] if contender.reference else []
    if any(run.failed for run in runs):
        tags.append("failed runs")
    if any(run.fault and run.clusters is None for run in runs):
        tags.append("not checked")
    if any(run.fault and run.clusters is not None for run in runs):
        tags.append("JSON differs")
    return DataCell(section.labels[contender], tags=tuple(tags))


def _task_cell(found: SectionAnalysis, task: TaskColumn, contender: Contender) -> DataCell:
    cell = task.cells.get(contender)
    if cell is None:
        return DataCell(note="no result")
    if cell.failures:
        told = "; ".join(_failure(cell, n) for n in range(min(3, len(cell.failures))))
        return DataCell(None, f"{len(cell.failures)} of {len(cell.runs)} failed", note=told)
    estimate = found.estimates[MAIN_METRIC].get((task.label, contender))
    if estimate is None:
        return DataCell(note="its result has no AMI")
    tags: tuple[str, ...] = ()
    if not contender.reference and estimate.n_seeds < found.section.n_seeds:
        tags = (f"{estimate.n_seeds} seed{'' if estimate.n_seeds == 1 else 's'}",)
    place = found.places[task.label].get(contender)
    return _score_cell(estimate, place, cell.values(MAIN_METRIC), tags)


def _failure(cell: ScoreCell, number: int) -> str:
    run = cell.failures[number]
    error = run.record.error
    return f"seed {run.record.seed}: {error.type if error else 'no error recorded'}"


def _score_cell(
    estimate: ScoreEstimate,
    place: SharedPlace | None,
    values: Sequence[float] = (),
    tags: tuple[str, ...] = (),
) -> DataCell:
    notes = []
    if (around := estimate.interval(-1.0, 1.0)) is not None:
        notes.append(f"95% interval {percent(around[0])} to {percent(around[1])}")
    if place is not None:
        notes.append(f"place {place_text(place)}")
    if len(values) > 1:
        each = ", ".join(percent(value) for value in values[:_LISTED_SEEDS])
        notes.append(f"seeds {each}{' …' if len(values) > _LISTED_SEEDS else ''}")
    return DataCell(
        estimate.mean,
        with_reach(estimate),
        tags=tags,
        strong=place is not None and place.place == 1,
        note="; ".join(notes),
    )


def other_scores(found: SectionAnalysis) -> DataTable:
    """The other metrics and the clusters' sizes, means over the tasks, of who has all tasks."""
    section = found.section
    others = [name for name in SHOWN_METRICS if name != MAIN_METRIC]
    columns = [DataColumn("method", "Method")]
    columns += [DataColumn(n, METRICS[n].label, "percent", best="high") for n in others]
    columns += [
        DataColumn("used", "Clusters used (%)", "percent", help="Share of the K clusters in use."),
        DataColumn("largest", "Largest (%)", "percent", help="Share of the images in it."),
        DataColumn("gini", "Gini", "number", digits=2, help="Of cluster sizes; 0: all equal."),
    ]
    rows = []
    for contender in ordered_contenders(found):
        cells = [DataCell(section.labels[contender])]
        for name in others:
            each = [found.estimates[name].get((t.label, contender)) for t in section.tasks]
            known = [estimate for estimate in each if estimate is not None]
            whole = ScoreEstimate.of_tasks(known) if len(known) == len(each) else None
            cells.append(DataCell(whole.mean, with_reach(whole)) if whole else DataCell())
        cells += _sizes_cells(found, contender)
        kind = "reference" if contender.reference else ""
        rows.append(DataRow(tuple(cells), kind if contender in found.overall else "incomplete"))  # type: ignore[arg-type]
    return DataTable(
        key=section.key("others"),
        caption="Other scores and cluster sizes" + (", means over the tasks" * _several(found)),
        columns=tuple(columns),
        rows=tuple(rows),
        row_header="method",
        note="Scores × 100 ± half of their 95% interval.",
    )


def _several(found: SectionAnalysis) -> bool:
    return len(found.section.tasks) > 1


def _sizes_cells(found: SectionAnalysis, contender: Contender) -> list[DataCell]:
    """Clusters in use, share of the largest and Gini: means over all runs of a whole row."""
    if contender not in found.overall:
        return [DataCell()] * 3
    values: list[tuple[float, float, float]] = []
    for task in found.section.tasks:
        for run in task.cells[contender].successes:
            scores = run.record.scores
            assert scores is not None
            sizes = scores.clusters
            if not {"n_nonempty", "largest", "gini"} <= set(sizes):
                return [DataCell()] * 3
            values.append(
                (
                    sizes["n_nonempty"] / run.record.k,
                    sizes["largest"] / max(1, scores.n),
                    float(sizes["gini"]),
                )
            )
    means = [sum(column) / len(values) for column in zip(*values, strict=True)]
    return [DataCell(mean) for mean in means]


def task_scores(found: SectionAnalysis) -> DataTable:
    """Every task and method with every metric: the figures behind the means."""
    section = found.section
    columns = [DataColumn("task", "Task"), DataColumn("method", "Method")]
    columns += [DataColumn("place", "Place", "number", digits=0, best="low")]
    columns += [DataColumn(n, METRICS[n].label, "percent", best="high") for n in SHOWN_METRICS]
    columns += [DataColumn("seeds", "Seeds", "number", digits=0)]
    rows = []
    for task in section.tasks:
        for contender in ordered_contenders(found):
            cell = task.cells.get(contender)
            if cell is None:
                continue
            place = found.places[task.label].get(contender)
            cells = [DataCell(task.label), DataCell(section.labels[contender])]
            cells.append(DataCell(place.place, place_text(place)) if place else DataCell())
            for name in SHOWN_METRICS:
                estimate = found.estimates[name].get((task.label, contender))
                cells.append(
                    DataCell(estimate.mean, with_reach(estimate)) if estimate else DataCell()
                )
            cells.append(DataCell(len(cell.successes)))
            kind = "reference" if contender.reference else "incomplete" if cell.failures else ""
            rows.append(DataRow(tuple(cells), kind))  # type: ignore[arg-type]
    return DataTable(
        key=section.key("tasks"),
        caption="Every task and method",
        columns=tuple(columns),
        rows=tuple(rows),
        row_header="method",
        note="Scores × 100 ± half of their 95% interval.",
    )


def band_table(found: SectionAnalysis) -> DataTable | None:
    """ACC of head, middle and tail classes by task and method; None where no task has such."""
    rows = []
    for task in found.section.tasks:
        for contender in ordered_contenders(found):
            bands = found.bands.get((task.label, contender), {})
            if any(bands.get(name) is not None for name in ("head", "tail")):
                cells = [DataCell(task.label), DataCell(found.section.labels[contender])]
                cells += [DataCell(bands.get(name)) for name in ("head", "middle", "tail")]
                rows.append(DataRow(tuple(cells), "reference" if contender.reference else ""))
    if not rows:
        return None
    return DataTable(
        key=found.section.key("thirds"),
        caption="Mean ACC of frequent, middling and rare classes",
        columns=(
            DataColumn("task", "Task"),
            DataColumn("method", "Method"),
            DataColumn("head", "Head", "percent", best="high"),
            DataColumn("middle", "Middle", "percent", best="high"),
            DataColumn("tail", "Tail", "percent", best="high"),
        ),
        rows=tuple(rows),
        row_header="method",
        note="Thirds of the classes by their training images; each class counts once.",
    )


def later_table(found: SectionAnalysis) -> DataTable | None:
    """What the first n, and the r-th, clusters find, by task and method; None without ranks."""
    most = max((len(one.top_n_acc) for one in found.later.values()), default=0)
    if not most:
        return None
    rows = []
    for task in found.section.tasks:
        for contender in ordered_contenders(found):
            one = found.later.get((task.label, contender))
            if one is None:
                continue
            for what, values, chance in (
                ("top-n ACC", one.top_n_acc, one.top_n_chance),
                ("class chain", one.chain_share, one.chain_chance),
                (f"hits of the {one.labels}", one.hits, one.hits_chance),
            ):
                for said, by_rank in ((what, values), (f"{what}, at random", chance)):
                    if by_rank:
                        cells = [DataCell(task.label), DataCell(found.section.labels[contender])]
                        cells.append(DataCell(said))
                        cells += [DataCell(value) for value in by_rank]
                        cells += [DataCell()] * (most - len(by_rank))
                        rows.append(DataRow(tuple(cells)))
    return DataTable(
        key=found.section.key("later"),
        caption="First and later clusters of an image",
        columns=(
            DataColumn("task", "Task"),
            DataColumn("method", "Method"),
            DataColumn("what", "Share"),
            *(DataColumn(f"rank{n}", str(n), "percent", best="high") for n in range(1, most + 1)),
        ),
        rows=tuple(rows),
        row_header="method",
        note="Top-n ACC is of the first n clusters, the others of the n-th.",
    )
