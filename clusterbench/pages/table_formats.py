"""A table as CSV, JSON, Markdown and LaTeX, each escaped by its own rules."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

from ..printable import escaped
from .data_table import DataCell, DataColumn, DataTable, cell_text, parted

#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&$])")


def table_csv(table: DataTable) -> str:
    """RFC 4180 with full values: fractions for percent, an empty field for none.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    table = parted(table, "files")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(table.keys)
    for row in table.rows:
        writer.writerow([_csv_field(cell) for cell in row.cells])
    return file.getvalue()


def _csv_field(cell: DataCell) -> str:
    if cell.value is None:
        return ""
    if not isinstance(cell.value, str):
        return repr(cell.value)
    text = escaped(cell.value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def table_json(table: DataTable) -> str:
    """A JSON object: caption, columns (key, label, kind) and rows as objects with full values."""
    table = parted(table, "files")
    document = {
        "caption": table.caption,
        "columns": [
            {"key": column.key, "label": column.label, "kind": column.kind}
            for column in table.columns
        ],
        "rows": [
            {key: cell.value for key, cell in zip(table.keys, row.cells, strict=True)}
            | ({"row_kind": row.kind} if row.kind else {})
            for row in table.rows
        ],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def table_markdown(table: DataTable) -> str:
    """A pipe table of what is shown; numbers to the right, every character of a text is text."""
    table = parted(table, "page")
    rules = ["---" if column.kind == "text" else "---:" for column in table.columns]
    lines = [
        _markdown_line([_markdown(column.label) for column in table.columns]),
        _markdown_line(rules),
    ]
    for row in table.rows:
        cells = zip(row.cells, table.columns, strict=True)
        lines.append(_markdown_line([_markdown_cell(cell, column) for cell, column in cells]))
    return "\n".join(lines) + "\n"


def _markdown_line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: DataCell, column: DataColumn) -> str:
    shown = _shown(cell, column)
    text = shown if _is_number(cell) else _markdown(shown)
    return f"**{text}**" if cell.strong else text


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", escaped(text))


def table_latex(table: DataTable) -> str:
    r"""A `tabular` of what is shown, with the rules of `booktabs` (`\usepackage{booktabs}`)."""
    table = parted(table, "page")
    form = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    lines = [
        f"% {_comment(table.caption)}",
        rf"\begin{{tabular}}{{{form}}}",
        r"\toprule",
        " & ".join(_latex(column.label) for column in table.columns) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = zip(row.cells, table.columns, strict=True)
        lines.append(" & ".join(_latex_cell(cell, column) for cell, column in cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: DataCell, column: DataColumn) -> str:
    text = _latex(_shown(cell, column))
    return rf"\textbf{{{text}}}" if cell.strong else text


def _latex(text: str) -> str:
    # A bracket after the end of a line, and a hyphen before a number, mean something to LaTeX.
    written = "".join(_LATEX.get(character, character) for character in escaped(text))
    if written.startswith(("[", "*")):
        return f"{{}}{written}"
    return re.sub(r"^-(?=\d)", "$-$", written)


def _comment(text: str) -> str:
    return "".join(c for c in escaped(text) if unicodedata.category(c) != "Zl")


def _shown(cell: DataCell, column: DataColumn) -> str:
    tags = f" ({', '.join(cell.tags)})" if cell.tags else ""
    return f"{cell_text(cell, column)}{tags}"


def _is_number(cell: DataCell) -> bool:
    return cell.value is None or (not isinstance(cell.value, str) and not cell.tags)
