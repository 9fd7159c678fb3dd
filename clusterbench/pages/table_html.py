"""A table as HTML: a real `<table>` with caption and scopes, read and sorted as data."""

from __future__ import annotations

from markupsafe import Markup

from .data_table import DataTable, cell_text, parted
from .shell import template_environment


def table_html(table: DataTable) -> Markup:
    """The table within a region that scrolls by itself, where a page is narrower than it."""
    template = template_environment().get_template("pages/table.html")
    return Markup(template.render(table=parted(table, "page"), cell_text=cell_text))
