"""Given a table, when it is written as CSV, JSON, Markdown, LaTeX or HTML, its reader reads it."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import math
import re

import pytest
from for_pages.hostile_names import HOSTILE, names
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clusterbench.errors import InputError
from clusterbench.pages import (
    DataCell,
    DataColumn,
    DataRow,
    DataTable,
    table_csv,
    table_html,
    table_json,
    table_latex,
    table_markdown,
)
from clusterbench.printable import escaped

COLUMNS = (
    DataColumn("name", "Name"),
    DataColumn("score", "Score", "percent"),
    DataColumn("size", "Size", "number", 2),
)
scores = st.none() | st.floats(-1, 1)
tables = st.lists(st.tuples(names, scores, scores), max_size=6).map(
    lambda rows: DataTable(
        "t", "A table", COLUMNS, tuple(DataRow(tuple(map(DataCell, row))) for row in rows), "name"
    )
)


class Reader(html.parser.HTMLParser):
    """The texts of the cells of each row, the tags and the attributes there are."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@given(tables)
def test_csv_gives_full_numbers_and_no_formula(table: DataTable) -> None:
    read = list(csv.reader(io.StringIO(table_csv(table), newline="")))
    assert read[0] == ["name", "score", "size"]
    for cells, row in zip(read[1:], table.rows, strict=True):
        name = escaped(str(row.cells[0].value))
        assert cells[0] in (name, f"'{name}")
        assert not cells[0].lstrip().startswith(("=", "+", "-", "@"))
        for text, cell in zip(cells[1:], row.cells[1:], strict=True):
            assert (None if text == "" else float(text)) == cell.value


@given(tables)
def test_json_gives_what_went_in(table: DataTable) -> None:
    rows = json.loads(table_json(table))["rows"]
    assert [list(row.values()) for row in rows] == [
        [cell.value for cell in row.cells] for row in table.rows
    ]


@settings(max_examples=40)
@given(tables)
def test_markdown_is_a_table_of_the_texts(table: DataTable) -> None:
    reader = Reader()
    reader.feed(MarkdownIt("commonmark").enable("table").render(table_markdown(table)))
    assert reader.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert [row[0].strip() for row in reader.rows[1:]] == [
        escaped(str(row.cells[0].value)).strip() for row in table.rows
    ]


@given(tables)
def test_latex_has_no_character_that_does_something(table: DataTable) -> None:
    body = table_latex(table).split("\\midrule\n")[1].split("\\bottomrule")[0]
    for line in body.splitlines():
        assert line.endswith(r" \\")
        plain = re.sub(r"\\text[a-z]+\{\}|\\[{}$&#%_]|\$(\\pm|\\times|-)\$", "", line[:-3])
        assert not set(plain) & set("\\{}$#%_~^") - set("{}" * plain.startswith("{}"))
        assert plain.count("&") == 2


@given(tables)
def test_html_shows_every_name_as_text(table: DataTable) -> None:
    reader = Reader()
    reader.feed(table_html(table))
    assert reader.tags <= {"div", "span", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert not {name for name in reader.attributes if name.startswith("on")}
    assert [row[0] for row in reader.rows[1:]] == [
        escaped(str(row.cells[0].value)) for row in table.rows
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_every_place(name: str) -> None:
    cell = DataCell(name, text=name, href="methods/x.html", tags=(name,), note=name)
    column = DataColumn("name", name, help=name)
    table = DataTable("t", name, (column,), (DataRow((cell,)),), "name", note=name)
    reader = Reader()
    reader.feed(table_html(table))
    assert "script" not in reader.tags and "img" not in reader.tags
    assert not {a for a in reader.attributes if a.startswith("on")}
    written = [form(table) for form in (table_csv, table_json, table_markdown, table_latex)]
    for text in (*written, table_html(table)):
        assert not set(text) & set("\u202e\u2066\u200b\ufeff\x1b\x07\u2028")


def test_numbers_are_shown_in_the_form_of_their_column() -> None:
    row = DataRow((DataCell("a"), DataCell(0.61234, strong=True), DataCell(-0.0001)))
    table = DataTable("t", "A table", COLUMNS, (row, DataRow((DataCell("b"), *[DataCell()] * 2))))
    assert table_markdown(table).splitlines()[2:] == ["| a | **61.2** | 0.00 |", "| b | – | – |"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ((DataCell("a"),), "1 cells for 3 columns"),
        ((DataCell("a"), DataCell(math.nan), DataCell()), "holds nan"),
        ((DataCell("a", href="javascript:alert(1)"), DataCell(), DataCell()), "leads to"),
        ((DataCell("a", href=" data:text/html,x"), DataCell(), DataCell()), "leads to"),
    ],
)
def test_what_is_no_table_is_refused(cells: tuple[DataCell, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DataTable("t", "A table", COLUMNS, (DataRow(cells),))


def test_a_key_twice_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(InputError, match="each key once"):
        DataTable("t", "A table", (COLUMNS[0], COLUMNS[0]), ())
    with pytest.raises(InputError, match="no column 'place'"):
        DataTable("t", "A table", COLUMNS, (), sorted_by="place")


def test_a_name_with_many_tags_is_not_held_on_one_line_and_headings_break_between_words() -> None:
    cells = (
        DataCell("a short name", tags=("incomplete", "labels: not said", "K = 1,000")),
        DataCell(-0.004),
    )
    columns = (
        DataColumn("name", "Method"),
        DataColumn("difference", "Against k-means (2 tasks)", "percent"),
    )
    table = DataTable("t", "A table", columns, (DataRow(cells),), "name")
    text = str(table_html(table))
    assert 'scope="row" class="text"' in text and "−0.4<" in text
    assert '<span class="nowrap">k-means</span> <span class="nowrap">(2 tasks)</span>' in text
    bare = DataTable("t", "A table", columns, (DataRow((DataCell("name"), cells[1])),), "name")
    assert 'scope="row" class="text short"' in str(table_html(bare))


def test_columns_of_the_page_and_of_the_files() -> None:
    columns = (
        DataColumn("name", "Name"),
        DataColumn("interval", "Interval", "percent", where="page"),
        DataColumn("low", "Low", "percent", where="files"),
        DataColumn("high", "High", "percent", where="files"),
    )
    row = DataRow((DataCell("a"), DataCell(0.1, "10 to 20"), DataCell(0.1), DataCell(0.2)))
    table = DataTable("t", "A table", columns, (row,), "name")
    assert table_csv(table) == "name,low,high\r\na,0.1,0.2\r\n"
    assert json.loads(table_json(table))["rows"] == [{"name": "a", "low": 0.1, "high": 0.2}]
    for text in (table_html(table), table_markdown(table), table_latex(table)):
        assert "10 to 20" in text and "High" not in text
