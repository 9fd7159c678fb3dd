"""A folder of a report's pictures with their data, and of its tables as CSV and LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import StorageError
from ...files import write_bytes
from ...pages import DataTable, LineChart, MatrixChart, RowChart, table_csv, table_latex
from ...pages.charts.figure_html import chart_table
from ..content.parts import ReportPart, all_blocks
from .pictures import pictures

#: Characters of the part of a file's name that says what is in it.
_NAME = 72


def write_figures(
    folder: Path, parts: Sequence[ReportPart], tables: Sequence[DataTable]
) -> list[Path]:
    """Write every chart of some parts and all tables; returns the files.

    A chart is `figure-NN-NAME.png`, `.svg` and `.pdf` with its numbers in `.csv`, a table
    `table-NN-NAME.csv` and `.tex` (for LaTeX's booktabs). Files of these names are replaced.

    Raises:
        StorageError: the folder cannot be written, or is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder}: is a file; give a folder for the figures")
    written = []
    for name, content in _files(parts, tables):
        path = folder / name
        write_bytes(path, content)
        written.append(path)
    return written


def _files(parts: Sequence[ReportPart], tables: Sequence[DataTable]) -> Iterator[tuple[str, bytes]]:
    charts = [b for b in all_blocks(parts) if isinstance(b, (LineChart, RowChart, MatrixChart))]
    for number, chart in enumerate(charts, 1):
        stem = f"figure-{number:02d}-{_slug(chart.title)}"
        for form, content in pictures(chart).items():
            yield f"{stem}.{form}", content
        yield f"{stem}.csv", table_csv(chart_table(chart)).encode()
    for number, table in enumerate(tables, 1):
        stem = f"table-{number:02d}-{_slug(table.caption)}"
        yield f"{stem}.csv", table_csv(table).encode()
        yield f"{stem}.tex", table_latex(table).encode()


def _slug(title: str) -> str:
    """The readable part of a file's name: lower-case letters, digits and "-"."""
    plain = unicodedata.normalize("NFKD", title[:200]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_NAME].strip("-")
