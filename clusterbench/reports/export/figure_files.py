"""A folder of a report's pictures with their data, and of its tables as CSV and LaTeX."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import InputError
from ...files import write_bytes
from ...leaderboard.site.site_folder import WholeFolder, check_site, new_site
from ...pages import (
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    LineChart,
    MatrixChart,
    RowChart,
    table_csv,
    table_latex,
)
from ..content.parts import ReportPart, all_blocks
from .pictures import pictures, points_of

#: Characters of the part of a file's name that says what is in it.
_NAME = 72

#: How the folder is told from any other.
FIGURES = WholeFolder(
    "figures.json",
    "clusterbench-figures/1",
    "folder of a report's figures",
    "figures",
    "--figures",
)


def write_figures(
    folder: Path, parts: Sequence[ReportPart], tables: Sequence[DataTable]
) -> list[Path]:
    """Write every chart of some parts and all tables; returns the files.

    A chart is `figure-NN-NAME.png`, `.svg` and `.pdf` with its numbers in `.csv`, a table
    `table-NN-NAME.csv` and `.tex` (for LaTeX's booktabs), and `figures.json` lists them. The folder
    takes the place of an earlier one in one step, when all is written.

    Raises:
        InputError: what is there is no folder of figures, or holds other files.
        StorageError: the folder cannot be written.
    """
    names = []
    with new_site(folder, FIGURES) as begun:
        for name, content in _files(parts, tables):
            write_bytes(begun / name, content)
            names.append(name)
    return [folder / name for name in names]


def check_figures(folder: Path, page: Path) -> None:
    """InputError unless figures may be written there, and a page beside them."""
    check_site(folder, FIGURES)
    if Path(os.path.realpath(folder)) in Path(os.path.realpath(page)).parents:
        raise InputError(
            f"{page}: would stand among the figures, whose folder is replaced as a whole; choose "
            "another --out or --figures"
        )


def _files(parts: Sequence[ReportPart], tables: Sequence[DataTable]) -> Iterator[tuple[str, bytes]]:
    charts = [b for b in all_blocks(parts) if isinstance(b, (LineChart, RowChart, MatrixChart))]
    for number, chart in enumerate(charts, 1):
        stem = f"figure-{number:02d}-{_slug(chart.title)}"
        for form, content in pictures(chart).items():
            yield f"{stem}.{form}", content
        yield f"{stem}.csv", table_csv(drawn_values(chart)).encode()
    for number, table in enumerate(tables, 1):
        stem = f"table-{number:02d}-{_slug(table.caption)}"
        yield f"{stem}.csv", table_csv(table).encode()
        yield f"{stem}.tex", table_latex(table).encode()


def drawn_values(chart: LineChart | RowChart | MatrixChart) -> DataTable:
    """What a chart draws, a row for each point, with the ends of its interval."""
    rows: list[tuple[str | float | None, ...]] = []
    if isinstance(chart, LineChart):
        rows = [(s.name, p.label, p.x, p.y, p.low, p.high) for s in chart.series for p in s.points]
    elif isinstance(chart, RowChart):
        rows = [
            (name, row.group, row.label, point.y, point.low, point.high)
            for row in chart.rows
            for name, value in zip(chart.series, row.values, strict=True)
            for point in points_of(value)
        ]
    else:
        rows = [
            (name, "", column, value, None, None)
            for name, values in zip(chart.rows, chart.values, strict=True)
            for column, value in zip(chart.columns, values, strict=True)
        ]
    columns = (
        DataColumn("series", "series"),
        DataColumn("label", "label"),
        DataColumn("x", "x", "text" if rows and isinstance(rows[0][2], str) else "number"),
        DataColumn("y", "y", "number"),
        DataColumn("low", "low", "number"),
        DataColumn("high", "high", "number"),
    )
    cells = (DataRow(tuple(DataCell(value) for value in row)) for row in rows)
    return DataTable("drawn", chart.title, columns, tuple(cells))


def _slug(title: str) -> str:
    """The readable part of a file's name: lower-case letters, digits and "-"."""
    plain = unicodedata.normalize("NFKD", title[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_NAME].strip("-")
