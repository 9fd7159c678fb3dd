"""A ranking as a table: places that are shared, how far they hold, and who stands apart."""

from __future__ import annotations

from ...pages import DataCell, DataColumn, DataRow, DataTable
from ...pages.data_table import RowKind
from ..board.models import PublishedRow
from ..ranking.model import BoardRow, Ranking
from .contents import SiteContents
from .entrant_views import FAMILY_NAMES

PLACE_HELP = "= shared: entrants that the tests cannot tell apart have the same place"
NOTE = (
    "Scores in percent. AMI is 0 for chance and 100 for the classes themselves. “=” marks a "
    "shared place: entrants that a paired test over images and seeds cannot tell apart. “Could "
    "be”: the places that are compatible with the tests. References are fitted with labels and "
    "have no place."
)


def ranking_table(
    contents: SiteContents, ranking: Ranking, key: str, caption: str, root: str
) -> DataTable:
    """All rows of a ranking; published ones last."""
    several = len({row.encoder for row in ranking.rows if row.encoder}) > 1
    columns = [
        DataColumn("place", "Place", "number", 0, best="low", help=PLACE_HELP),
        DataColumn("method", "Method"),
        DataColumn("kind", "Kind"),
        *([DataColumn("encoder", "Features")] if several else []),
        DataColumn("ami", "AMI", "percent", best="high", help="mean over tasks of that over seeds"),
        DataColumn("interval", "95 % interval", "percent", best="high"),
        DataColumn("acc", "ACC", "percent", best="high", help="one-to-one (Hungarian) accuracy"),
        DataColumn("could_be", "Could be", "number", 0, best="low"),
        DataColumn("kept", "Kept", "percent", 0, help="share of resamplings that keep the place"),
        DataColumn("tasks", "Tasks", "number", 0, best="high"),
        DataColumn("seeds", "Seeds", "number", 0, best="high"),
    ]
    rows = [_row(contents, ranking, row, root, several) for row in ranking.rows]
    rows += [_published(ranking, place, several) for place in range(len(ranking.published))]
    return DataTable(
        key,
        caption,
        tuple(columns),
        tuple(rows),
        row_header="method",
        sorted_by="place",
        descending=False,
        note=NOTE,
    )


def _row(
    contents: SiteContents, ranking: Ranking, row: BoardRow, root: str, several: bool
) -> DataRow:
    view = contents.view(row)
    mean, acc = row.means.get("ami"), row.means.get("acc")
    low = high = None
    if row.interval is not None:
        low, high = row.interval.low, row.interval.high
    cells = [
        place_cell(row),
        DataCell(view.label, href=f"{root}{view.page}", tags=row_tags(row), note=row_note(row)),
        DataCell(FAMILY_NAMES[view.family]),
        *([DataCell(row.encoder or "by data set")] if several else []),
        DataCell(mean, strong=row.place == 1),
        DataCell(low, None if low is None or high is None else interval_text(low, high)),
        DataCell(acc),
        DataCell(None) if row.places is None else DataCell(row.places[0], _range(row.places)),
        DataCell(None if row.stability is None else row.stability.kept),
        DataCell(row.n_tasks, f"{row.n_tasks}/{ranking.n_tasks}"),
        DataCell(len(row.seeds)),
    ]
    return DataRow(tuple(cells), row_kind(row))


def place_cell(row: BoardRow) -> DataCell:
    """Its place, with "=" where it shares it."""
    if row.place is None:
        return DataCell(None)
    return DataCell(row.place, f"{row.place}{' =' if row.n_sharing > 1 else ''}")


def row_kind(row: BoardRow) -> RowKind:
    """Why a row is set apart."""
    if row.reference:
        return "reference"
    if row.status != "verified":
        return "aside"
    return "incomplete" if row.missing else ""


def row_tags(row: BoardRow) -> tuple[str, ...]:
    """The same in words, and other marks."""
    tags = []
    if row.reference:
        tags.append("reference")
    elif row.missing:
        tags.append("incomplete")
    if row.status != "verified":
        tags.append(row.status)
    if not row.label_free and not row.reference:
        tags.append("labels used")
    if row.k is not None:
        tags.append(f"K = {row.k:,}")
    if any(flag.kind == "equals targets" for flag in row.flags):
        tags.append("deserves a look")
    return tuple(tags)


def row_note(row: BoardRow) -> str:
    """What it lacks."""
    return f"lacks {row.missing}" if row.missing else ""


def interval_text(low: float, high: float) -> str:
    """An interval of a fraction, in percent."""
    return f"{100 * low + 0.0:.1f} to {100 * high + 0.0:.1f}"


def _range(places: tuple[int, int]) -> str:
    low, high = places
    return str(low) if low == high else f"{low}–{high}"


def _source(row: PublishedRow) -> str:
    """Backbone, source, and what else a reader must know to compare it."""
    return "; ".join(part for part in (row.backbone, row.source, getattr(row, "note", "")) if part)


def _published(ranking: Ranking, place: int, several: bool) -> DataRow:
    row = ranking.published[place]
    cells = [
        DataCell(None),
        DataCell(row.method, tags=("published",), note=_source(row)),
        DataCell("literature"),
        *([DataCell(row.backbone)] if several else []),
        DataCell(row.metrics.get("ami")),
        DataCell(None),
        DataCell(row.metrics.get("acc")),
        DataCell(None),
        DataCell(None),
        DataCell(None),
        DataCell(None),
    ]
    return DataRow(tuple(cells), "published")
