"""The page of a task: every entrant with its intervals between floor and ceiling."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from ...metrics import METRICS
from ...pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    ChartSeries,
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    LineChart,
    RowChart,
    page_id,
    percent_text,
)
from ..board.models import Entry
from ..ranking.model import BoardRow, Ranking
from .contents import SiteContents, scores_on
from .entrant_views import FAMILY_NAMES, Family
from .ranking_table import (
    method_cell,
    place_cell,
    row_cells,
    row_columns,
    row_kind,
    row_note,
    row_tags,
)
from .run_facts import RunFacts
from .site_page import OVERVIEW, SitePage, root_of
from .task_views import TaskView

_LOOKS: dict[Family, int] = {"k-means": 2, "head": 1, "clusterer": 0, "other": 3, "reference": 7}
#: The look of what nobody has scored again here, and the headings of the two parts of a figure.
_CLAIM = 5
CHECKED, CLAIMED = "Scored again here", "Self-reported: the submitter's word"
_BANDS = ("head", "middle", "tail")
#: Factors whose own names are those of the code.
_NAMES = {
    "n_classes": "classes",
    "n_train": "train images",
    "n_eval": "scored images",
    "images_per_class": "train images per class",
    "smallest_class": "smallest class",
    "largest_class": "largest class",
    "gini": "Gini of the class sizes",
    "effective_classes": "effective classes",
    "eval_images_per_class": "scored images per class",
    "eval_smallest_class": "smallest class, scored images",
    "eval_largest_class": "largest class, scored images",
    "eval_gini": "Gini, scored images",
}
#: Bars of a figure; the table has all.
MOST_BARS = 40


def task_page(contents: SiteContents, task: TaskView, ranking: Ranking) -> SitePage:
    """The page of one task under one protocol."""
    path = task_path(task, ranking.protocol)
    root = root_of(path)
    view = next(
        v for v in contents.benchmarks if (v.benchmark, v.dataset) == (task.benchmark, task.dataset)
    )
    table = _table(contents, task, ranking, root)
    name = f"{task.benchmark} / {task.dataset} / {task.name}"
    if ranking.protocol != "train->val":
        name += f", {ranking.protocol}"
    above = (f"{view.benchmark} on {view.dataset}", view.page(ranking.protocol))
    return SitePage(
        path=path,
        title=name,
        description=f"Scores of every method on the task {name}",
        template="task.html",
        section="benchmarks",
        context={
            "task": task,
            "facts": _facts(task),
            "scores": _score_chart(contents, task, ranking),
            "bands": _band_chart(contents, task, ranking),
            "times": _time_chart(contents, task, ranking),
            "table": table,
        },
        trail=(OVERVIEW, above),
        tables=(table,) if table.rows else (),
    )


def task_path(task: TaskView, protocol: str) -> str:
    """Path of a task's page for a protocol."""
    if protocol == "train->val":
        return task.page
    return f"tasks/{page_id(*task.where, protocol)}.html"


def _facts(task: TaskView) -> list[tuple[str, str]]:
    factors = {"n_classes": float(task.definition.n_classes), **task.factors}
    shown = [(_NAMES.get(k, k.replace("_", " ")), _number(v)) for k, v in factors.items()]
    recipe = {k: v for k, v in task.recipe.items() if k != "notes" and v is not None}
    if recipe:
        shown.append(("recipe", ", ".join(f"{key} = {value}" for key, value in recipe.items())))
    return [*shown, ("manifest hash", task.definition.manifest_hash)]


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return (text if text.strip("-0.") else f"{value:.0e}").replace("-", "−", value < 0)


def _score_chart(contents: SiteContents, task: TaskView, ranking: Ranking) -> RowChart | None:
    scored = [(row, scores_on(row, ranking)) for row in ranking.rows]
    rows = []
    ordered = sorted(
        (pair for pair in scored if "ami" in pair[1]), key=lambda pair: -pair[1]["ami"]
    )
    own = [pair for pair in ordered if not pair[0].reference]
    checked = [pair for pair in own if pair[0].status == "verified"][:MOST_BARS]
    claimed = [pair for pair in own if pair[0].status != "verified"]
    claimed = claimed[: MOST_BARS - len(checked)]
    families: list[Family] = [
        family
        for family in _LOOKS
        if family != "reference" and any(contents.view(row).family == family for row, _ in checked)
    ]
    for row, scores in [*checked, *claimed]:
        view = contents.view(row)
        claim = row.status != "verified"
        low = high = None
        if row.interval is not None:
            low, high = row.interval.low, row.interval.high
        point = ChartPoint("", scores["ami"], low, high)
        values = [None if claim or view.family != family else point for family in families]
        rows.append(
            ChartRow(
                contents.row_label(row, ranking),
                (*values, *([point if claim else None] if claimed else [])),
                group=CLAIMED if claim else CHECKED if claimed else "",
                href=f"{root_of(task.page)}{view.page}",
                note=percent_text(scores["ami"]),
            )
        )
    if not rows:
        return None
    guides = []
    floor = ranking.tasks[0].floor.get("ami")
    if floor is not None:
        guides.append(ChartGuide(floor, "chance"))
    for row, scores in ordered:
        if row.reference:
            guides.append(ChartGuide(scores["ami"], contents.row_label(row, ranking)))
    return RowChart(
        key=page_id("scores", *task.where, ranking.protocol),
        title="AMI between chance and the references",
        summary=(
            "Mean over seeds, with 95 % intervals over images and seeds. Dotted lines: a random "
            "assignment, and references, which are fitted with labels."
        ),
        axis=ChartAxis("AMI (%)", percent=True),
        series=(
            *(FAMILY_NAMES[family] for family in families),
            *(["self-reported, not checked"] if claimed else []),
        ),
        rows=tuple(rows),
        guides=tuple(guides),
        looks=(*(_LOOKS[family] for family in families), *([_CLAIM] if claimed else [])),
        row_label="method",
        legend=True,
    )


def _of(contents: SiteContents, row: BoardRow) -> list[RunFacts]:
    return [contents.facts[e.key] for e in row.entries if e.key in contents.facts]


def _band_chart(contents: SiteContents, task: TaskView, ranking: Ranking) -> RowChart | None:
    """Mean per-class ACC of frequent, middling and rare classes, where there are several bands."""
    rows = []
    used: set[str] = set()
    for row in ranking.rows:
        facts = _of(contents, row)
        means = {
            band: statistics.fmean(values)
            for band in _BANDS
            if (values := [f.bands[band] for f in facts if band in f.bands])
        }
        used |= set(means)
        if means and not row.reference:
            rows.append((contents.row_label(row, ranking), means))
    bands = [band for band in _BANDS if band in used]
    if len(bands) < 2:
        return None
    return RowChart(
        key=page_id("bands", *task.where, ranking.protocol),
        title="Accuracy on frequent, middling and rare classes",
        summary="Mean per-class ACC of the classes of each frequency band, mean over seeds.",
        axis=ChartAxis("mean per-class ACC (%)", percent=True),
        series=tuple(f"{band} classes" for band in bands),
        rows=tuple(
            ChartRow(label, tuple(ChartPoint("", m[b]) if b in m else None for b in bands))
            for label, m in rows[:MOST_BARS]
        ),
        looks=(2, 0, 1)[: len(bands)] if len(bands) == 3 else (2, 1),
        row_label="method",
    )


def _time_chart(contents: SiteContents, task: TaskView, ranking: Ranking) -> LineChart | None:
    points: dict[Family, list[ChartPoint]] = {}
    machines: set[str] = set()
    for row in ranking.rows:
        scores = scores_on(row, ranking)
        facts = [f for f in _of(contents, row) if f.fit_seconds]
        if facts and "ami" in scores and not row.reference:
            view = contents.view(row)
            seconds = statistics.median(f.fit_seconds or 0.0 for f in facts)
            point = ChartPoint(seconds, scores["ami"], label=contents.row_label(row, ranking))
            points.setdefault(view.family, []).append(point)
            machines |= {
                f"{f.environment.device_name}, {f.environment.threads} threads" for f in facts
            }
    if sum(map(len, points.values())) < 2:
        return None
    one = next(iter(machines)) if len(machines) == 1 else f"{len(machines)} different machines"
    return LineChart(
        key=page_id("times", *task.where, ranking.protocol),
        title="AMI against the time of a fit",
        summary=f"Median wall-clock seconds of a fit, on {one}; up and to the left is better.",
        x=ChartAxis("seconds", "log"),
        y=ChartAxis("AMI (%)", percent=True),
        series=tuple(
            ChartSeries(FAMILY_NAMES[family], tuple(points[family]), joined=False, look=look)
            for family, look in _LOOKS.items()
            if family in points
        ),
        labelled=True,
        legend=True,
    )


def _table(contents: SiteContents, task: TaskView, ranking: Ranking, root: str) -> DataTable:
    names = [
        name for name in METRICS if any(name in e.metrics for r in ranking.rows for e in r.entries)
    ]
    names.sort(key=lambda name: name != "ami")
    several = len({row.features for row in ranking.rows}) > 1
    columns = [
        DataColumn("place", "Place", "number", 0, best="low"),
        DataColumn("method", "Method"),
        *row_columns(),
        *([DataColumn("encoder", "Features")] if several else []),
        *(
            column
            for name in names
            for column in (
                DataColumn(name, METRICS[name].label, "percent", best="high"),
                DataColumn(f"{name}_deviation", "deviation", "percent", where="files"),
            )
        ),
        DataColumn("seeds", "Seeds", "number", 0, best="high"),
    ]
    rows = []
    for row in ranking.rows:
        view = contents.view(row)
        cells = [
            place_cell(row),
            method_cell(view, root, row_tags(row), row_note(row)),
            *row_cells(row),
            *([DataCell(contents.features(row))] if several else []),
            *(
                cell
                for name in names
                for cell in _spread([e.metrics[name] for e in row.entries if name in e.metrics])
            ),
            DataCell(len(row.seeds)),
        ]
        rows.append(DataRow(tuple(cells), row_kind(row)))
    return DataTable(
        page_id("scores-of", *task.where, ranking.protocol),
        f"All scores on {task.name}, mean and standard deviation over seeds",
        tuple(columns),
        tuple(rows),
        row_header="method",
        sorted_by="place",
        descending=False,
        note="Scores in percent. “=” marks a shared place. References have none.",
    )


def _spread(found: Sequence[float]) -> tuple[DataCell, DataCell]:
    """Mean and standard deviation: shown in one cell."""
    if len(found) < 2:
        return DataCell(found[0] if found else None), DataCell(None)
    mean, deviation = statistics.fmean(found), statistics.stdev(found)
    shown = f"{percent_text(mean)} ± {percent_text(deviation)}"
    return DataCell(mean, shown), DataCell(deviation)


def raw_table(
    contents: SiteContents, entries: Sequence[Entry], key: str, caption: str
) -> DataTable:
    """Every run with its scores, as they are on the board."""
    names = [name for name in METRICS if any(name in entry.metrics for entry in entries)]
    columns = (
        DataColumn("benchmark", "Benchmark"),
        DataColumn("dataset", "Data set"),
        DataColumn("task", "Task"),
        DataColumn("encoder", "Features"),
        DataColumn("protocol", "Protocol"),
        DataColumn("seed", "Seed", "number", 0),
        DataColumn("k", "K", "number", 0),
        *(DataColumn(name, METRICS[name].label, "percent", 2, best="high") for name in names),
        DataColumn("status", "Status"),
        DataColumn("created", "Run"),
        DataColumn("key", "Key"),
    )
    ordered = sorted(
        entries, key=lambda e: (e.benchmark, e.dataset, e.task, e.encoder, e.protocol, e.seed)
    )
    rows = tuple(
        DataRow(
            (
                DataCell(e.benchmark),
                DataCell(e.dataset),
                DataCell(e.task),
                DataCell(contents.features(e)),
                DataCell(e.protocol),
                DataCell(e.seed, str(e.seed)),
                DataCell(e.k),
                *(DataCell(e.metrics.get(name)) for name in names),
                DataCell(e.status),
                DataCell(e.created, e.created[:10]),
                DataCell(e.key, e.key[:12]),
            )
        )
        for e in ordered
    )
    return DataTable(key, caption, columns, rows, row_header="task")
