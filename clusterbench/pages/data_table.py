"""A table as data: what its HTML, CSV, JSON, Markdown and LaTeX forms are all written from."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from ..errors import InputError

ColumnKind = Literal["text", "number", "percent"]

#: Why a row is set apart from the others; the text beside its name says the same in words.
RowKind = Literal["", "aside", "incomplete", "reference", "published"]

#: Where a link may not lead: anywhere but to a file of ours or over HTTP.
_SCHEME = re.compile(r"(?!https?://)\s*[^/?#.]*:", re.IGNORECASE)


@dataclass(frozen=True)
class DataColumn:
    """One column.

    key: [a-z0-9_]+, unique in the table: the column of the CSV, the key of the JSON, and what the
    page's address calls it. kind: "percent" is shown times 100, and exported as the fraction it is.
    digits: after the decimal point. best: which way is better, for the first click on its heading
    and the direction that is said beside it; None for neither. help: a sentence for the heading.
    where: "page" for a column that is only shown, such as an interval whose ends are two columns of
    the CSV and JSON; "files" for those.
    """

    key: str
    label: str
    kind: ColumnKind = "text"
    digits: int = 1
    best: Literal["high", "low"] | None = None
    help: str = ""
    where: Literal["both", "page", "files"] = "both"


@dataclass(frozen=True)
class DataCell:
    """One cell.

    value: what it sorts by and what is exported: a number, a text, or None for nothing. text: what
    is shown instead of the value, such as "12.3 ± 0.4". href: where it leads. tags: short words
    set beside it, such as "reference". strong: set bold, such as the best of its column. note: a
    longer remark, read on hovering and by screen readers.
    """

    value: str | int | float | None = None
    text: str | None = None
    href: str | None = None
    tags: tuple[str, ...] = ()
    strong: bool = False
    note: str = ""


@dataclass(frozen=True)
class DataRow:
    """One row: a cell per column, in their order."""

    cells: tuple[DataCell, ...]
    kind: RowKind = ""


@dataclass(frozen=True)
class DataTable:
    """A table.

    key: id of the table on its page, [a-z0-9-]+ from a letter on (see `page_id`); it names its part
    of the address after "#". row_header: key of the column that names its row. sorted_by: key of
    the column by which the rows are sorted as they come, and `descending` in which direction.
    tools: whether the script adds sorting, a filter and a reset.

    Raises InputError for a row with another number of cells, a key twice, or a number that is not
    finite (use None).
    """

    key: str
    caption: str
    columns: tuple[DataColumn, ...]
    rows: tuple[DataRow, ...]
    row_header: str | None = None
    sorted_by: str | None = None
    descending: bool = True
    note: str = ""
    tools: bool = True
    keys: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(column.key for column in self.columns))
        if len(set(self.keys)) < len(self.keys):
            raise InputError(f"table {self.key}: columns {self.keys}; wanted each key once")
        for name in (self.row_header, self.sorted_by):
            if name is not None and name not in self.keys:
                raise InputError(f"table {self.key}: no column {name!r} among {self.keys}")
        for number, row in enumerate(self.rows):
            if len(row.cells) != len(self.columns):
                raise InputError(
                    f"table {self.key}: row {number} has {len(row.cells)} cells for "
                    f"{len(self.columns)} columns"
                )
            for cell in row.cells:
                if isinstance(cell.value, float) and not math.isfinite(cell.value):
                    raise InputError(f"table {self.key}: row {number} holds {cell.value}")
                if cell.href is not None and _SCHEME.match(cell.href):
                    raise InputError(f"table {self.key}: row {number} leads to {cell.href!r}")


def parted(table: DataTable, where: Literal["page", "files"]) -> DataTable:
    """The table with the columns of the page alone, or with those of the files."""
    kept = [place for place, column in enumerate(table.columns) if column.where in ("both", where)]
    if len(kept) == len(table.columns):
        return table
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=tuple(
            DataRow(tuple(row.cells[place] for place in kept), row.kind) for row in table.rows
        ),
    )


def signed(value: float, digits: int = 1) -> str:
    """A fraction as points of percent with its sign, such as a difference: "+1.2", "−0.3"."""
    return f"{_unsigned(100 * value, digits):+.{digits}f}".replace("-", "−")


def percent_text(value: float, digits: int = 1) -> str:
    """A fraction in percent, with a true minus and no "-0.0"."""
    return f"{_unsigned(100 * value, digits):.{digits}f}".replace("-", "−")


def cell_text(cell: DataCell, column: DataColumn) -> str:
    """What is shown of a cell: its own text, else its value in the form of its column."""
    if cell.text is not None:
        return cell.text
    value = cell.value
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if column.kind == "percent":
        text = percent_text(value, column.digits)
    elif isinstance(value, int):
        text = f"{value:,}"
    else:
        text = f"{_unsigned(value, column.digits):,.{column.digits}f}"
    return text.replace("-", "−")


def _unsigned(value: float, digits: int) -> float:
    """The value, but no "-0.0"."""
    return 0.0 if round(value, digits) == 0 else value
