"""The page of a benchmark on a data set: its ranking, scores along its factor, who beats whom."""

from __future__ import annotations

from ...pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartSeries,
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    LineChart,
    MatrixChart,
    page_id,
)
from ..ranking.model import BoardRow, Ranking
from .against_baseline import baseline_settings, baselines_on
from .contents import SiteContents, scores_on
from .entrant_views import EntrantView, Family
from .factor_series import FactorSeries, factor_series
from .ranking_table import (
    method_cell,
    ranking_table,
    row_cells,
    row_columns,
    row_kind,
    row_note,
    row_tags,
)
from .site_page import OVERVIEW, SitePage, root_of
from .task_views import BenchmarkView, TaskView

#: Looks of the lines of a figure by family, as many as there are lines: more cannot be told apart.
_LOOKS: dict[Family, tuple[int, ...]] = {
    "k-means": (2,),
    "clusterer": (0, 4),
    "head": (1, 3, 5),
    "other": (6,),
    "reference": (7,),
}
_FAMILIES: dict[Family, str] = {
    "k-means": "k-means",
    "clusterer": "the best other clusterers",
    "head": "the best trained heads",
    "other": "the best of those from elsewhere",
    "reference": "the best reference",
}
#: Figures of a page, and entrants of its matrix.
MOST_FIGURES, MOST_IN_MATRIX = 4, 20


def board_page(contents: SiteContents, view: BenchmarkView, ranking: Ranking) -> SitePage:
    """The page of one ranking."""
    path = view.page(ranking.protocol)
    root = root_of(path)
    name = f"{view.benchmark} on {view.dataset}"
    if ranking.protocol != "train->val":
        name += f", {ranking.protocol}"
    key = page_id("ranking", view.benchmark, view.dataset, ranking.protocol)
    ranked = ranking_table(contents, ranking, key, f"Ranking: {name}", root)
    same = [
        ranking_table(
            contents,
            own,
            page_id("ranking", view.benchmark, view.dataset, ranking.protocol, own.encoder),
            f"{name}, on features of {own.encoder}",
            root,
        )
        for own in contents.by_encoder
        if (own.benchmark, own.dataset, own.protocol)
        == (ranking.benchmark, ranking.dataset, ranking.protocol)
    ]
    same = same if len(same) > 1 else []
    by_task = _by_task(contents, view, ranking, root)
    facts = _tasks_table(contents, view, ranking, root)
    series = factor_series(view.tasks)[:MOST_FIGURES]
    figures = [
        chart
        for number, along in enumerate(series)
        if (chart := factor_chart(contents, view, ranking, along, number)) is not None
    ]
    return SitePage(
        path=path,
        title=name,
        description=view.question or f"Ranking of {name}",
        template="board.html",
        section="benchmarks",
        context={
            "view": view,
            "ranking": ranking,
            "dataset_page": contents.data_sets[view.dataset].page,
            "ranked": ranked,
            "complete": any(row.complete for row in ranking.rows),
            "same": same,
            "figures": figures,
            "by_task": by_task,
            "facts": facts,
            "matrix": win_matrix(contents, ranking),
        },
        trail=(OVERVIEW,),
        tables=tuple(table for table in (ranked, *same, by_task, facts) if table.rows),
    )


def _by_task(contents: SiteContents, view: BenchmarkView, ranking: Ranking, root: str) -> DataTable:
    """AMI of every entrant on every task."""
    columns = [
        DataColumn("method", "Method"),
        *row_columns(),
        DataColumn("encoder", "Features"),
    ]
    columns += [
        DataColumn(f"task_{place}", task.name, "percent", best="high")
        for place, task in enumerate(view.tasks)
    ]
    best = {
        task.name: max(
            (row.tasks[task.name]["ami"] for row in ranking.rows if _counts(row, task.name)),
            default=None,
        )
        for task in view.tasks
    }
    rows = []
    for row in ranking.rows:
        cells = [
            method_cell(contents.view(row), root, row_tags(row), row_note(row)),
            *row_cells(row),
            DataCell(contents.features(row)),
        ]
        for task in view.tasks:
            value = row.tasks.get(task.name, {}).get("ami")
            strong = value is not None and value == best[task.name] and _counts(row, task.name)
            cells.append(DataCell(value, strong=strong))
        rows.append(DataRow(tuple(cells), row_kind(row)))
    return DataTable(
        page_id("by-task", view.benchmark, view.dataset, ranking.protocol),
        "AMI by task, mean over seeds",
        tuple(columns),
        tuple(rows),
        row_header="method",
    )


def _counts(row: BoardRow, task: str) -> bool:
    return task in row.tasks and not row.reference and row.status == "verified"


_FACTS = (
    ("n_classes", "Classes", 0),
    ("n_train", "Train images", 0),
    ("n_eval", "Scored images", 0),
    ("imbalance_ratio", "Imbalance ratio", 1),
    ("gini", "Gini", 2),
    ("images_per_class", "Images per class", 1),
    ("probe_accuracy", "Probe accuracy", 2),
)


def _tasks_table(
    contents: SiteContents, view: BenchmarkView, ranking: Ranking, root: str
) -> DataTable:
    """The tasks and what each isolates, with floor, best method and ceiling."""
    used = [fact for fact in _FACTS if any(fact[0] in task.factors for task in view.tasks)]
    if not used:
        used = [_FACTS[0]]
    referenced = any(row.reference for row in ranking.rows)
    columns = [DataColumn("task", "Task")]
    columns += [DataColumn(key, label, "number", digits) for key, label, digits in used]
    columns += [
        DataColumn("floor", "Chance", "percent", help="AMI of a random assignment"),
        DataColumn("kmeans", "k-means", "percent"),
        DataColumn("best", "Best method", "percent"),
        *([DataColumn("ceiling", "Best reference", "percent")] if referenced else []),
    ]
    order = baseline_settings(contents)
    rows = []
    for task in view.tasks:
        ranked = contents.tasks.get((*task.where, str(ranking.protocol)))
        scored = [] if ranked is None else [(r, scores_on(r, ranked)) for r in ranked.rows]
        found = [(r, s["ami"]) for r, s in scored if "ami" in s and r.status == "verified"]
        own = [s for r, s in found if not r.reference]
        bases = {} if ranked is None else baselines_on(contents, ranked, order)
        base = [s for r, s in found if any(r is own for own in bases.values())]
        ceiling = [s for r, s in found if r.reference]
        factors = {"n_classes": float(task.definition.n_classes), **task.factors}
        rows.append(
            DataRow(
                (
                    DataCell(task.name, href=f"{root}{task.page}"),
                    *(_fact(factors.get(key), digits) for key, _, digits in used),
                    DataCell(_floor(task, ranking)),
                    DataCell(max(base, default=None)),
                    DataCell(max(own, default=None), strong=bool(own)),
                    *([DataCell(max(ceiling, default=None))] if referenced else []),
                )
            )
        )
    return DataTable(
        page_id("tasks", view.benchmark, view.dataset, ranking.protocol),
        "The tasks, and AMI between chance and the best reference",
        tuple(columns),
        tuple(rows),
        row_header="task",
    )


def _fact(value: float | None, digits: int) -> DataCell:
    return DataCell(int(value) if value is not None and digits == 0 else value)


def _floor(task: TaskView, ranking: Ranking) -> float | None:
    found = next((t.floor for t in ranking.tasks if t.task == task.name), {})
    return found.get("ami")


def factor_chart(
    contents: SiteContents,
    view: BenchmarkView,
    ranking: Ranking,
    along: FactorSeries,
    number: int,
) -> LineChart | None:
    """AMI along a factor; the best entrants, k-means, and the best reference."""
    names = [task.name for _, task in along.tasks]
    scored = [row for row in ranking.rows if sum(name in row.tasks for name in names) > 1]
    chosen = _chosen(contents, scored, names)
    if not chosen:
        return None
    series = []
    for row, _, look in chosen:
        points = []
        for x, task in along.tasks:
            if task.name in row.tasks:
                low, high = _interval(contents, task, ranking, row)
                points.append(ChartPoint(x, row.tasks[task.name]["ami"], low, high))
        label = contents.row_label(row, ranking)
        name = f"{label} (reference)" if row.reference else label
        series.append(ChartSeries(name, tuple(points), look=look))
    shown = [name for name in names if any(name in row.tasks for row, _, _ in chosen)]
    others = [
        words
        for family, words in _FAMILIES.items()
        if any(entrant.family == family for _, entrant, _ in chosen)
    ]
    floors = [f for _, task in along.tasks if (f := _floor(task, ranking)) is not None]
    guides = (ChartGuide(sum(floors) / len(floors), "chance"),) if floors else ()
    what = f"AMI by {along.name}" + (f" ({along.fixed})" if along.fixed else "")
    return LineChart(
        key=page_id("factor", view.benchmark, view.dataset, ranking.protocol, str(number)),
        title=what[0].upper() + what[1:],
        summary=(
            f"Tasks of this factor: {', '.join(shown)}. Shown are "
            f"{', '.join(others)}, on these tasks; vertical lines are 95 % intervals."
        ),
        x=ChartAxis(along.name, along.kind, percent=along.percent),
        y=ChartAxis("AMI (%)", percent=True),
        series=tuple(series),
        guides=guides,
    )


def _chosen(
    contents: SiteContents, rows: list[BoardRow], names: list[str]
) -> list[tuple[BoardRow, EntrantView, int]]:
    """The best of each family by their mean on the tasks, with their looks."""

    def mean(row: BoardRow) -> float:
        found = [row.tasks[name]["ami"] for name in names if name in row.tasks]
        return sum(found) / len(found)

    def order(row: BoardRow) -> tuple[int, float, str]:
        return (-sum(name in row.tasks for name in names), -mean(row), row.entrant)

    chosen: list[tuple[BoardRow, EntrantView, int]] = []
    left = {family: list(looks) for family, looks in _LOOKS.items()}
    for row in sorted((r for r in rows if r.status == "verified"), key=order):
        view = contents.view(row)
        if left[view.family]:
            chosen.append((row, view, left[view.family].pop(0)))
    return sorted(chosen, key=lambda item: list(_LOOKS).index(item[1].family))


def _interval(
    contents: SiteContents, task: TaskView, ranking: Ranking, row: BoardRow
) -> tuple[float | None, float | None]:
    ranked = contents.tasks.get((*task.where, str(ranking.protocol)))
    if ranked is None:
        return None, None
    wanted = (contents.view(row).ident, row.features)
    for other in ranked.rows:
        if (contents.view(other).ident, other.features) == wanted and other.interval is not None:
            return other.interval.low, other.interval.high
    return None, None


def win_matrix(contents: SiteContents, ranking: Ranking) -> MatrixChart | None:
    """Share of the tasks in which the row's entrant beats the column's."""
    if ranking.pairs is None or ranking.n_tasks < 2:
        return None
    kept = ranking.pairs.entrants[:MOST_IN_MATRIX]
    labels = {row.entrant: contents.row_label(row, ranking) for row in ranking.rows}
    names = tuple(labels[entrant] for entrant in kept)
    wins = ranking.pairs.wins
    return MatrixChart(
        key=page_id("wins", ranking.benchmark, ranking.dataset, ranking.protocol),
        title="Who beats whom",
        summary=(
            "Share of the tasks, in percent, in which the method of the row has a higher mean AMI "
            "than that of the column; equal ones count half."
        ),
        rows=names,
        columns=names,
        values=tuple(
            tuple(None if i == j else float(wins[i, j]) for j in range(len(kept)))
            for i in range(len(kept))
        ),
        row_label="method",
    )
