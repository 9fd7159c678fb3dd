"""A ranking as a table: places that are shared, how far they hold, and who stands apart."""

from __future__ import annotations

from ...pages import DataCell, DataColumn, DataRow, DataTable, percent_text
from ...pages.data_table import RowKind
from ..board.models import PublishedRow
from ..ranking.model import BoardRow, Ranking
from .contents import SiteContents
from .entrant_views import FAMILY_NAMES, EntrantView

PLACE_HELP = "= shared: entrants that the tests cannot tell apart have the same place"
NOTE = (
    "Scores in percent. AMI is 0 for chance and 100 for the classes themselves. “=” marks a "
    "shared place: entrants that a paired test over images and seeds cannot tell apart. “Could "
    "be”: the places that are compatible with the tests. “Kept”: how often it is on a place that "
    "it shares when images and seeds are drawn again. Methods are label-free unless marked; "
    "references are fitted with labels and have no place."
)


def ranking_table(
    contents: SiteContents, ranking: Ranking, key: str, caption: str, root: str
) -> DataTable:
    """All rows of a ranking; published ones last."""
    several = len({contents.features(row) for row in ranking.rows if row.encoder}) > 1
    columns = [
        DataColumn("place", "Place", "number", 0, best="low", help=PLACE_HELP),
        DataColumn("method", "Method"),
        *row_columns(),
        DataColumn("kind", "Kind"),
        *([DataColumn("encoder", "Features")] if several else []),
        DataColumn("ami", "AMI", "percent", best="high", help="mean over tasks of that over seeds"),
        *interval_columns(),
        DataColumn("acc", "ACC", "percent", best="high", help="one-to-one (Hungarian) accuracy"),
        DataColumn("mean_rank", "Mean rank", "number", 1, best="low", help="mean over tasks"),
        DataColumn("could_be", "Could be", "number", 0, best="low", where="page"),
        DataColumn("could_be_low", "Could be, from", "number", 0, where="files"),
        DataColumn("could_be_high", "Could be, to", "number", 0, where="files"),
        DataColumn("kept", "Kept", "percent", 0, help="share of resamplings that keep the place"),
        DataColumn("tasks", "Tasks", "number", 0, best="high"),
        DataColumn("of_tasks", "of", "number", 0, where="files"),
        DataColumn("seeds", "Seeds", "number", 0, best="high"),
    ]
    rows = [_row(contents, ranking, row, root, several) for row in ranking.rows]
    rows += [
        _published(row, several)
        for row in ranking.published
        if ranking.encoder in ("", row.backbone)  # a source's own features are no encoder's here
    ]
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
    low, high = row.places or (None, None)
    cells = [
        place_cell(row),
        method_cell(view, root, row_tags(row), row_note(row)),
        *row_cells(row),
        DataCell(FAMILY_NAMES[view.family]),
        *([DataCell(contents.features(row) or "by data set")] if several else []),
        DataCell(mean, strong=row.place == 1),
        *interval_cells(row),
        DataCell(acc),
        DataCell(row.mean_rank),
        DataCell(low, None if row.places is None else _range(row.places)),
        DataCell(low),
        DataCell(high),
        DataCell(None if row.stability is None else row.stability.kept),
        DataCell(row.n_tasks, f"{row.n_tasks}/{ranking.n_tasks}"),
        DataCell(ranking.n_tasks),
        DataCell(len(row.seeds)),
    ]
    return DataRow(tuple(cells), row_kind(row))


def method_cell(
    view: EntrantView, root: str, tags: tuple[str, ...] = (), note: str = ""
) -> DataCell:
    """A method by its label, with its name in full for whoever downloads the table."""
    text = view.label if view.label != view.name else None
    return DataCell(view.name, text, href=f"{root}{view.page}", tags=tags, note=note)


def row_columns() -> tuple[DataColumn, ...]:
    """What the files of a table say beside a method: who it is, and what its marks say."""
    return (
        DataColumn("entrant", "Entrant", where="files"),
        DataColumn("sharing", "Entrants on its place", "number", 0, where="files"),
        DataColumn("status", "Status", where="files"),
        DataColumn("label_free", "Label-free", where="files"),
        DataColumn("lacks", "Lacks", where="files"),
    )


def row_cells(row: BoardRow | None) -> tuple[DataCell, ...]:
    """Those of a row; empty for an entrant that has none in the ranking."""
    if row is None:
        return (DataCell(None),) * len(row_columns())
    label_free = {True: "yes", False: "no", None: "not said"}[row.label_free]
    return (
        DataCell(row.entrant),
        DataCell(row.n_sharing if row.place is not None else None),
        DataCell(row.status),
        DataCell(label_free),
        DataCell(row.missing or None),
    )


def interval_columns() -> tuple[DataColumn, ...]:
    """The interval of a mean AMI: as one text on the page, as two numbers in files."""
    return (
        DataColumn("interval", "95 % interval", "percent", best="high", where="page"),
        DataColumn("interval_low", "95 % interval, from", "percent", where="files"),
        DataColumn("interval_high", "95 % interval, to", "percent", where="files"),
    )


def interval_cells(row: BoardRow | None) -> tuple[DataCell, ...]:
    """Those of a row."""
    if row is None or row.interval is None:
        return (DataCell(None),) * 3
    low, high = row.interval.low, row.interval.high
    return DataCell(low, interval_text(low, high)), DataCell(low), DataCell(high)


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
    if row.label_free is not True and not row.reference:
        tags.append("labels used" if row.label_free is False else "labels: not said")
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
    return f"{percent_text(low)} to {percent_text(high)}"


def _range(places: tuple[int, int]) -> str:
    low, high = places
    return str(low) if low == high else f"{low}–{high}"


def _source(row: PublishedRow) -> str:
    """Backbone, source, and what else a reader must know to compare it."""
    return "; ".join(part for part in (row.backbone, row.source, row.note) if part)


def _published(row: PublishedRow, several: bool) -> DataRow:
    cells = [
        DataCell(None),
        DataCell(row.method, tags=("published",), note=_source(row)),
        DataCell(None),
        DataCell(None),
        DataCell(row.status),
        DataCell(None),
        DataCell(None),
        DataCell("literature"),
        *([DataCell(row.backbone)] if several else []),
        DataCell(row.metrics.get("ami")),
        *interval_cells(None),
        DataCell(row.metrics.get("acc")),
        *(DataCell(None),) * 8,
    ]
    return DataRow(tuple(cells), "published")
