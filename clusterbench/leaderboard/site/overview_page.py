"""The first page: do trained heads beat k-means, and where? One picture and one table."""

from __future__ import annotations

from collections import defaultdict

from ...pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    RowChart,
    page_id,
    signed,
)
from ...pages.data_table import RowKind
from ...results.protocol import PROTOCOLS
from ..ranking.model import BoardRow, Ranking
from .against_baseline import (
    Versus,
    VersusAll,
    against_baseline,
    baseline_settings,
    summarised,
)
from .contents import SiteContents
from .entrant_views import FAMILY_NAMES, EntrantView, Family
from .ranking_table import (
    interval_cells,
    interval_columns,
    method_cell,
    place_cell,
    row_cells,
    row_columns,
    row_kind,
    row_note,
    row_tags,
)
from .site_page import SitePage

#: Rows of the picture; on a board of more tasks a row is a benchmark on a data set.
MOST_ROWS = 48

#: Families of the picture: the names of their series, and their looks.
_SERIES: dict[Family, tuple[str, int]] = {
    "head": ("trained heads", 1),
    "clusterer": ("other clusterers", 0),
    "other": ("submitted from elsewhere", 3),
}


def overview_page(contents: SiteContents) -> SitePage:
    """The page `index.html`."""
    versus = [item for item in against_baseline(contents) if item.where[3] == PROTOCOLS[0]]
    summary = summarised(versus)
    ranking = _overall(contents)
    bases = (
        0 if ranking is None else ranking.n_tasks,
        len({item.where for item in versus}),
        len({where[:3] for where, ranked in contents.tasks.items() if ranked.rows}),
    )
    table = _table(contents, ranking, summary, bases)
    cards = []
    for view in contents.benchmarks:
        for ranked in contents.rankings:
            if (ranked.benchmark, ranked.dataset) == (view.benchmark, view.dataset):
                leaders = [contents.view(row).label for row in ranked.rows if row.place == 1]
                n_methods = sum(not row.reference for row in ranked.rows)
                cards.append((view, ranked, leaders, n_methods))
    return SitePage(
        path="index.html",
        title=(
            "Do trained heads beat k-means, and where?"
            if any(view.family == "head" for view in contents.entrants.values())
            else "How do clustering methods compare with k-means?"
        ),
        description="Clustering methods and k-means on the same frozen features, task by task.",
        template="overview.html",
        section="overview",
        context={
            "answer": _answer(contents, summary),
            "picture": _picture(contents, versus),
            "table": table,
            "cards": cards,
            "data_sets": list(contents.data_sets.values()),
            "n_entries": len(contents.board.entries),
            "n_tasks": sum(bool(ranked.rows) for ranked in contents.tasks.values()),
            "n_entrants": sum(not view.reference for view in contents.entrants.values()),
            "left_out": () if ranking is None else ranking.left_out,
            "baselines": [contents.entrants[i].label for i in baseline_settings(contents)],
            "newest": max((entry.submitted for entry in contents.board.entries), default=""),
        },
        tables=(table,) if table.rows else (),
    )


def _overall(contents: SiteContents) -> Ranking | None:
    wanted = [r for r in contents.overall if r.protocol == PROTOCOLS[0]]
    over_all = [r for r in wanted if r.scope == "overall"]
    found = over_all or wanted
    return found[-1] if found else None


def _answer(contents: SiteContents, summary: dict[str, VersusAll]) -> list[str]:
    """Sentences that say what the picture shows, from its numbers alone."""
    heads = [
        (contents.entrants[ident], found)
        for ident, found in summary.items()
        if contents.entrants[ident].family == "head"
    ]
    if not heads:
        return []
    heads.sort(key=lambda pair: (-pair[1].mean, pair[0].label))
    above = [view.label for view, found in heads if found.mean > 0]
    said = [
        f"Of {len(heads)} trained heads, {len(above) or 'none'} "
        f"{'has' if len(above) < 2 else 'have'} a higher AMI than k-means on average"
        + (f" ({', '.join(above)})." if 0 < len(above) <= 4 else ".")
    ]
    # Not one that lacks a task, perhaps a hard one, where another has them all.
    most = max(found.n_tasks for _, found in heads)
    best, found = next(pair for pair in heads if pair[1].n_tasks == most)
    said.append(
        f"The best of them, {best.label}, differs from it by {signed(found.mean)} points: "
        f"better on {found.better} of {found.n_tasks} tasks"
        + (
            "."
            if found.clearly_better is None
            else f", clearly better on {found.clearly_better}, "
            f"clearly worse on {found.clearly_worse}."
        )
    )
    return said


def _picture(contents: SiteContents, versus: list[Versus]) -> RowChart | None:
    """Every entrant's difference from k-means, a row per task or per benchmark."""
    shown = [item for item in versus if not item.entrant.reference]
    if not shown:
        return None
    by_task = len({item.where for item in shown}) <= MOST_ROWS
    rows: dict[tuple[str, str], list[Versus]] = defaultdict(list)
    for item in shown:
        benchmark, dataset, name, _ = item.where
        rows[(f"{benchmark} · {dataset}", name) if by_task else (benchmark, dataset)].append(item)
    families = [f for f in _SERIES if any(_family(item.entrant) == f for item in shown)]
    chart_rows: list[ChartRow] = []
    for (group, label), items in rows.items():
        points = {ident: _mean(found) for ident, found in _by_entrant(items).items()}
        best = max(
            (p for ident, p in points.items() if contents.entrants[ident].family == "head"),
            key=lambda point: point.y,
            default=None,
        )
        task = contents.task_views.get(items[0].where[:3])
        chart_rows.append(
            ChartRow(
                label,
                tuple(
                    tuple(p for i, p in points.items() if _family(contents.entrants[i]) == family)
                    for family in families
                ),
                group=group,
                href=task.page if by_task and task is not None else None,
                note="" if best is None else f"{best.label} {signed(best.y)}",
            )
        )
    return RowChart(
        key="heads-against-k-means",
        title="AMI of every method less that of k-means on the same features",
        summary=(
            "Each mark is a method, as a mean over seeds; to the right of the line it is better "
            "than k-means. Faint marks cannot be told apart from k-means by a paired test; an "
            "arrow lies beyond the axis."
            + (
                " At the end of each row: the best trained head."
                if any(row.note for row in chart_rows)
                else ""
            )
        ),
        axis=_axis([p.y for row in chart_rows for points in row.points for p in points]),
        series=tuple(_SERIES[family][0] for family in families),
        rows=tuple(chart_rows),
        guides=(ChartGuide(0.0, "k-means"),),
        looks=tuple(_SERIES[family][1] for family in families),
        row_label="task" if by_task else "benchmark and data set",
        legend=True,
    )


def _family(view: EntrantView) -> Family:
    """Its series of the picture; k-means with other settings is one of the others."""
    return "clusterer" if view.family == "k-means" else view.family


def _axis(values: list[float]) -> ChartAxis:
    """An axis for most of the differences: a few far ones would press the others together."""
    label = "AMI less that of k-means, in points"
    values = sorted(values)
    outside = len(values) // 20
    low, high = min(values[outside], 0.0), max(values[-1 - outside], 0.0)
    room = 0.25 * (high - low)
    ends = (
        None if values[0] >= low - room else low - 0.1 * room,
        None if values[-1] <= high + room else high + 0.1 * room,
    )
    return ChartAxis(label, low=ends[0], high=ends[1], percent=True)


def _by_entrant(items: list[Versus]) -> dict[str, list[Versus]]:
    found: dict[str, list[Versus]] = defaultdict(list)
    for item in items:
        found[item.entrant.ident].append(item)
    return found


def _mean(items: list[Versus]) -> ChartPoint:
    difference = sum(item.difference for item in items) / len(items)
    clear = all(item.apart for item in items)
    return ChartPoint("", difference, label=items[0].entrant.label, quiet=not clear)


def _table(
    contents: SiteContents,
    ranking: Ranking | None,
    summary: dict[str, VersusAll],
    bases: tuple[int, int, int],
) -> DataTable:
    """bases: tasks of the places and means, tasks that have a k-means, tasks with runs.

    Where they are not the same, headings say which columns are over which.
    """
    rows = {contents.view(row).ident: row for row in (ranking.rows if ranking else ())}
    n_ranked, n_compared, n_tasks = bases
    over = f"over {_tasks(n_ranked)} " if 0 < n_ranked < n_tasks else ""
    in_means = f" ({_tasks(n_ranked)})" if over else ""
    part = n_compared and (over or n_compared < n_tasks)
    in_versus = f" ({_tasks(n_compared)})" if part else ""
    order = [*rows, *(ident for ident in contents.entrants if ident not in rows)]
    # Whoever has no place follows by the difference from k-means, references at the end.
    first = [ident for ident in order if ident in rows and rows[ident].place is not None]
    rest = sorted(
        (ident for ident in order if ident not in set(first)),
        key=lambda i: (
            contents.entrants[i].reference,
            -summary[i].mean if i in summary else float("inf"),
            contents.entrants[i].label,
        ),
    )
    placed = bool(first)
    columns = (
        DataColumn("place", f"Place{in_means}", "number", 0, best="low"),
        DataColumn("method", "Method"),
        *row_columns(),
        DataColumn("kind", "Kind"),
        DataColumn(
            "ami", f"AMI{in_means}", "percent", best="high", help="each benchmark weighs the same"
        ),
        *interval_columns(),
        DataColumn("difference", f"Against k-means{in_versus}", "percent", best="high"),
        DataColumn("better", "Better on", "number", 0, best="high", help="tasks"),
        DataColumn("compared", "of", "number", 0, where="files"),
        DataColumn("clearly_better", "Clearly better", "number", 0, best="high", help="tasks"),
        DataColumn("clearly_worse", "Clearly worse", "number", 0, best="low", help="tasks"),
        DataColumn("tasks", "Tasks", "number", 0, best="high"),
        DataColumn("of_tasks", "of", "number", 0, where="files"),
        DataColumn("seeds", "Seeds", "number", 0, best="high"),
    )
    return DataTable(
        page_id("overview", "methods"),
        "Methods over all benchmarks"
        if n_ranked and not over
        else "Methods; no two are complete on a benchmark yet, so none has a place"
        if not n_ranked
        else f"Methods, with places {over}of the {n_tasks} that have runs",
        columns,
        tuple(
            _row(contents, contents.entrants[ident], rows.get(ident), summary.get(ident), n_tasks)
            for ident in [*first, *rest]
        ),
        row_header="method",
        sorted_by="place" if placed else None,
        descending=False,
        note=(
            f"Scores in percent; AMI is a mean {over}in which each benchmark on a data set weighs "
            "the same. Against k-means: "
            "mean difference in AMI, on the same features, over the tasks that both have. Clearly: "
            "told apart by a paired test over images and seeds. “=” marks a shared place. "
            "Methods are label-free unless marked; references are fitted with labels: they say "
            "what the features allow, and have no place."
        ),
    )


def _row(
    contents: SiteContents,
    view: EntrantView,
    row: BoardRow | None,
    found: VersusAll | None,
    n_tasks: int,
) -> DataRow:
    seeds = {entry.seed for entry in contents.entries[view.ident]}
    has = len({(e.benchmark, e.dataset, e.task) for e in contents.entries[view.ident]})
    cells = (
        DataCell(None) if row is None else place_cell(row),
        method_cell(view, "", *(_alone(view) if row is None else (row_tags(row), row_note(row)))),
        *(_said_alone(view) if row is None else row_cells(row)),
        DataCell(FAMILY_NAMES[view.family]),
        DataCell(None if row is None else row.means.get("ami")),
        *interval_cells(row),
        DataCell(None) if found is None else DataCell(found.mean, signed(found.mean)),
        *_counts(found),
        DataCell(has, f"{has}/{n_tasks}" if n_tasks else None),
        DataCell(n_tasks),
        DataCell(len(seeds)),
    )
    return DataRow(cells, _kind_alone(view) if row is None else row_kind(row))


def _alone(view: EntrantView) -> tuple[tuple[str, ...], str]:
    """The marks of an entrant that no ranking over all benchmarks has a row of, and no note."""
    marks = (("reference", view.reference), ("self-reported", view.self_reported))
    return tuple(word for word, holds in marks if holds), ""


def _said_alone(view: EntrantView) -> tuple[DataCell, ...]:
    """The same in files: its status is what it has there."""
    status = DataCell("self-reported" if view.self_reported else "verified")
    return tuple(status if column.key == "status" else DataCell(None) for column in row_columns())


def _kind_alone(view: EntrantView) -> RowKind:
    return "reference" if view.reference else "aside" if view.self_reported else ""


def _tasks(number: int) -> str:
    return f"{number} task{'s' if number != 1 else ''}"


def _counts(found: VersusAll | None) -> tuple[DataCell, DataCell, DataCell, DataCell]:
    if found is None:
        return (DataCell(None),) * 4
    return (
        DataCell(found.better, f"{found.better} of {found.n_tasks}"),
        DataCell(found.n_tasks),
        DataCell(found.clearly_better),
        DataCell(found.clearly_worse),
    )
