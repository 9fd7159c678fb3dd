"""The files of a table beside its page."""

from __future__ import annotations

from collections.abc import Callable

from ...pages import DataTable, table_csv, table_json, table_latex, table_markdown

_FORMS: dict[str, tuple[str, Callable[[DataTable], str]]] = {
    "csv": ("CSV", table_csv),
    "json": ("JSON", table_json),
    "md": ("Markdown", table_markdown),
    "tex": ("LaTeX", table_latex),
}
#: Tables of raw runs are for programs.
_RAW = ("csv", "json")


def table_files(table: DataTable) -> list[tuple[str, str]]:
    """(name of the form, path in the site) of each file of a table."""
    return [(_FORMS[form][0], f"downloads/{table.key}.{form}") for form in _forms(table)]


def table_contents(table: DataTable) -> list[tuple[str, str]]:
    """(path in the site, content) of each."""
    return [(f"downloads/{table.key}.{form}", _FORMS[form][1](table)) for form in _forms(table)]


def _forms(table: DataTable) -> tuple[str, ...]:
    return _RAW if table.key.startswith(("runs-", "clusters-of-")) else tuple(_FORMS)
