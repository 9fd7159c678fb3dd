"""The page of an entrant: its settings, its scores by task, every run with its raw numbers."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence

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
from ...printable import shown
from ..board.models import Entry
from ..ranking.model import BoardRow, Ranking
from .against_baseline import Versus
from .contents import SiteContents, TaskKey, scores_on
from .entrant_views import FAMILY_NAMES, EntrantView
from .ranking_table import interval_cells, interval_columns, place_cell, row_cells, row_columns
from .run_facts import RunFacts
from .site_page import OVERVIEW, SitePage, root_of
from .task_page import raw_table, task_path

_MOST_ROWS = 60  # of the picture
_MOST_FLAGS = 50
_MOST_SAID, _MOST_SEEDS = 3, 8  # others that an entry is the same as, and seeds that are

#: Where an entrant stands: (place in the site's tasks, its row, the ranking of that task).
Standing = tuple[TaskKey, BoardRow, Ranking]


def entrant_page(
    contents: SiteContents,
    view: EntrantView,
    standings: Sequence[Standing],
    versus: Sequence[Versus],
) -> SitePage:
    """The page of one entrant; standings and versus: its own."""
    root = root_of(view.page)
    entries = contents.entries[view.ident]
    by_task = _by_task(contents, view, standings, versus, root)
    raw = raw_table(contents, entries, page_id("runs", view.ident), f"Every run of {view.label}")
    facts = [contents.facts[e.key] for e in entries if e.key in contents.facts]
    flags = _flags(standings)
    return SitePage(
        path=view.page,
        title=view.label,
        description=f"Settings, scores and runs of {view.label}",
        template="entrant.html",
        section="methods",
        context={
            "view": view,
            "family": FAMILY_NAMES[view.family],
            "labels": _labels(entries),
            "settings": [(key, _setting(value)) for key, value in view.params.items()],
            "sources": _told(entry.source for entry in entries),
            "submitters": _told(entry.submitter for entry in entries),
            "encoders": sorted({contents.features(entry) for entry in entries}),
            "self_reported": view.self_reported,
            "environments": _environments(facts),
            "clusters": _clusters(contents, view, standings),
            "flags": flags[:_MOST_FLAGS],
            "more_flags": max(0, len(flags) - _MOST_FLAGS),
            "picture": _picture(contents, view, versus, root),
            "by_task": by_task,
            "raw": raw,
        },
        trail=(OVERVIEW,),
        tables=(by_task, raw),
    )


def _labels(entries: Sequence[Entry]) -> str:
    """Whether labels were used, in words."""
    said = {entry.label_free for entry in entries}
    if any(entry.reference for entry in entries):
        return "fitted with labels"
    if said == {True}:
        return "label-free: no label was used to fit or to choose it"
    return "labels were used" if False in said else "whether labels were used is not said"


def _flags(standings: Sequence[Standing]) -> list[str]:
    """What deserves a look, a line for each task, with the seeds counted up."""
    lines = []
    for where, row, _ in standings:
        found: dict[str, set[str]] = {}
        seeds: dict[str, set[int]] = {}
        for flag in row.flags:
            seeds.setdefault(flag.kind, set()).add(flag.seed)
            if flag.kind == "same as other entrant":
                found.setdefault(flag.kind, set()).add(flag.other)
        said = [
            kind
            + (f" ({_listed(sorted(found[kind]))})" if kind in found else "")
            + f", {_seeds(sorted(of))}"
            for kind, of in seeds.items()
        ]
        if said:
            lines.append(f"{' / '.join(where[:3])}: {'; '.join(said)}")
    return lines


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST_SAID} more" if len(words) > _MOST_SAID else ""
    return "; ".join(words[:_MOST_SAID]) + more


def _seeds(seeds: Sequence[int]) -> str:
    """Such as "seeds 0–4", or how many where they leave some out."""
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    if seeds[-1] - seeds[0] + 1 == len(seeds):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    few = ", ".join(map(str, seeds[:_MOST_SEEDS]))
    return f"seeds {few}" + (
        f" and {len(seeds) - _MOST_SEEDS} more" if len(seeds) > _MOST_SEEDS else ""
    )


def _told(texts: Iterable[str]) -> list[str]:
    """Each text once, without the empty one."""
    return sorted(set(texts) - {""})[:20]


def _setting(value: object) -> str:
    return shown(json.dumps(value, ensure_ascii=False), 300)


def _by_task(
    contents: SiteContents,
    view: EntrantView,
    standings: Sequence[Standing],
    versus: Sequence[Versus],
    root: str,
) -> DataTable:
    differences = {(item.where, item.features): item for item in versus}
    timed = any(entry.key in contents.facts for entry in contents.entries[view.ident])
    columns = [
        DataColumn("benchmark", "Benchmark"),
        DataColumn("dataset", "Data set"),
        DataColumn("task", "Task"),
        DataColumn("encoder", "Features"),
        DataColumn("place", "Place", "number", 0, best="low"),
        *row_columns(),
        DataColumn("ami", "AMI", "percent", best="high"),
        *interval_columns(),
        DataColumn("acc", "ACC", "percent", best="high"),
        DataColumn("difference", "Against k-means", "percent", best="high"),
        DataColumn("told_apart", "Told apart from k-means", where="files"),
        *([DataColumn("seconds", "Fit, s", "number", 2, best="low")] if timed else []),
        DataColumn("seeds", "Seeds", "number", 0),
    ]
    rows = []
    for where, row, ranking in standings:
        scores = scores_on(row, ranking)
        task = contents.task_views[where[:3]]
        found = differences.get((where, row.features))
        tags = ("self-reported",) if row.status != "verified" else ()
        rows.append(
            DataRow(
                (
                    DataCell(where[0]),
                    DataCell(where[1]),
                    DataCell(where[2], href=f"{root}{task_path(task, where[3])}"),
                    DataCell(contents.features(row), tags=tags),
                    place_cell(row),
                    *row_cells(row),
                    DataCell(scores.get("ami")),
                    *interval_cells(row),
                    DataCell(scores.get("acc")),
                    *_difference(found),
                    *([_seconds(contents, row)] if timed else []),
                    DataCell(len(row.seeds)),
                )
            )
        )
    return DataTable(
        page_id("tasks-of", view.ident),
        f"{view.label} by task, mean over seeds",
        tuple(columns),
        tuple(rows),
        row_header="task",
        note="Scores in percent. Against k-means: difference in AMI on the same features.",
    )


def _difference(found: Versus | None) -> tuple[DataCell, DataCell]:
    if found is None:
        return DataCell(None), DataCell(None)
    tags = () if found.apart or found.apart is None else ("not told apart",)
    told = {True: "yes", False: "no", None: None}[found.apart]
    return DataCell(found.difference, signed(found.difference), tags=tags), DataCell(told)


def _seconds(contents: SiteContents, row: BoardRow) -> DataCell:
    found = [contents.facts[e.key].fit_seconds for e in row.entries if e.key in contents.facts]
    known = [seconds for seconds in found if seconds is not None]
    return DataCell(statistics.median(known) if known else None)


def _picture(
    contents: SiteContents, view: EntrantView, versus: Sequence[Versus], root: str
) -> RowChart | None:
    if not versus or len(versus) > _MOST_ROWS:
        return None
    rows = []
    for item in versus:
        task = contents.task_views[item.where[:3]]
        point = ChartPoint("", item.difference, label=view.label, quiet=item.apart is False)
        rows.append(
            ChartRow(
                item.where[2],
                (point,),
                group=f"{item.where[0]} · {item.where[1]}",
                href=f"{root}{task_path(task, item.where[3])}",
                note=signed(item.difference),
            )
        )
    return RowChart(
        key=page_id("versus", view.ident),
        title="AMI less that of k-means on the same features",
        summary="Mean over seeds, in points; faint marks cannot be told apart from k-means.",
        axis=ChartAxis("AMI less that of k-means, in points", percent=True),
        series=(view.label,),
        rows=tuple(rows),
        guides=(ChartGuide(0.0, "k-means"),),
        looks=({"head": 1, "clusterer": 0, "reference": 7}.get(view.family, 3),),
        row_label="task",
    )


def _environments(facts: Sequence[RunFacts]) -> list[str]:
    """The machines and versions of its runs, each once."""
    lines = {
        f"{e.device_name} ({e.device}, {e.threads} thread{'s' if e.threads != 1 else ''}); "
        f"Python {e.python}, clusterbench {e.clusterbench}; "
        + ", ".join(f"{k} {v}" for k, v in sorted(e.packages.items()))
        for e in (fact.environment for fact in facts)
    }
    return sorted(lines)[:20]


def _clusters(
    contents: SiteContents, view: EntrantView, standings: Sequence[Standing]
) -> DataTable | None:
    """Sizes of its clusters by task, means over seeds, where results say them."""
    rows = []
    for where, row, _ in standings:
        found = [contents.facts[e.key].clusters for e in row.entries if e.key in contents.facts]
        found = [clusters for clusters in found if clusters]
        if found:
            values = [
                statistics.fmean(float(clusters[name]) for clusters in found if name in clusters)
                if any(name in clusters for clusters in found)
                else None
                for name in ("n_nonempty", "n_empty", "largest", "smallest", "gini")
            ]
            rows.append(
                DataRow(
                    (
                        DataCell("/".join(where[:3])),
                        DataCell(row.entries[0].k),
                        *(DataCell(value) for value in values),
                    )
                )
            )
    if not rows:
        return None
    return DataTable(
        page_id("clusters-of", view.ident),
        "Sizes of its clusters on the scored images, mean over seeds",
        (
            DataColumn("task", "Task"),
            DataColumn("k", "K", "number", 0),
            DataColumn("used", "Used", "number", 1),
            DataColumn("empty", "Empty", "number", 1),
            DataColumn("largest", "Largest", "number", 1),
            DataColumn("smallest", "Smallest", "number", 1),
            DataColumn("gini", "Gini", "number", 2),
        ),
        tuple(rows),
        row_header="task",
    )
