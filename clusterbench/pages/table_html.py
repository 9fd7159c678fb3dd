"""A table as HTML: a real `<table>` with caption and scopes, read and sorted as data."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from ..printable import escaped
from .data_table import DataCell, DataColumn, DataTable, cell_text, parted
from .shell import template_environment


def table_html(table: DataTable) -> Markup:
    """The table within a region that scrolls by itself, where a page is narrower than it."""
    template = template_environment().get_template("pages/table.html")
    return Markup(
        template.render(
            table=parted(table, "page"), cell_text=cell_text, heading=_heading, is_short=_is_short
        )
    )


#: What a heading is not broken in: a name with hyphens, and a remark in brackets.
_WHOLE = re.compile(r"(\([^()]*\)|\S*-\S*)")


def _heading(label: str) -> Markup:
    parts = _WHOLE.split(escaped(label))
    return Markup("").join(
        Markup('<span class="nowrap">{}</span>').format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def _is_short(cell: DataCell, column: DataColumn, most: int) -> bool:
    """Whether a text, with the tags beside it, stays on one line."""
    if column.kind != "text":
        return False
    length = len(cell_text(cell, column)) + sum(len(tag) + 2 for tag in cell.tags)
    return length <= most + (16 if len(cell.tags) == 1 else 0)
