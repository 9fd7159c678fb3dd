"""A chart as a `<figure>`: drawn wide and narrow, with a legend, a caption and its numbers."""

from __future__ import annotations

from markupsafe import Markup

from ..data_table import DataCell, DataColumn, DataRow, DataTable
from ..table_html import table_html
from .chart_models import Chart, ChartAxis, ChartPoint, LineChart, MatrixChart, RowChart
from .line_chart import draw_lines
from .matrix_chart import draw_matrix
from .row_chart import draw_rows
from .scales import value_text
from .svg import dash, element, mark

#: Pixels: on screens wide enough, and on phones; the style sheet shows one of the two.
_WIDE, _NARROW = 880.0, 340.0


def figure(chart: Chart, *, numbers: bool = True) -> Markup:
    """The chart with its title, summary and legend.

    numbers: add the table of what is drawn, folded away; the text that says the same.
    """
    drawings = [_drawing(chart, width) for width in (_WIDE, _NARROW)]
    caption = element("figcaption", None, element("strong", None, chart.title), chart.summary)
    table = ""
    if numbers:
        inner = element("summary", None, "Numbers of this figure") + table_html(chart_table(chart))
        table = element("details", None, Markup(inner))
    return element("figure", {"id": chart.key}, caption, *_legend(chart), *drawings, Markup(table))


def _drawing(chart: Chart, width: float) -> Markup:
    if isinstance(chart, LineChart):
        inside, height = draw_lines(chart, width)
    elif isinstance(chart, RowChart):
        inside, height = draw_rows(chart, width)
    else:
        inside, height = draw_matrix(chart, width)
    size = "wide" if width == _WIDE else "narrow"
    title, summary = f"{chart.key}-{size}-title", f"{chart.key}-{size}-summary"
    # With links in it, it is no single image to a screen reader.
    linked = isinstance(chart, RowChart) and any(row.href for row in chart.rows)
    attributes: dict[str, object] = {
        "class": f"chart {size}",
        "viewBox": f"0 0 {width:.0f} {height:.0f}",
        "role": "group" if linked else "img",
        "aria-labelledby": title,
        "aria-describedby": summary,
    }
    return element(
        "svg",
        attributes,
        element("title", {"id": title}, chart.title),
        element("desc", {"id": summary}, chart.summary),
        inside,
    )


def _legend(chart: Chart) -> tuple[Markup, ...]:
    if isinstance(chart, MatrixChart):
        return ()
    if isinstance(chart, LineChart):
        items = [
            (series.name, place if series.look is None else series.look, series.joined)
            for place, series in enumerate(chart.series)
        ]
        if chart.labelled and len(items) > 8:
            return ()
    else:
        looks = chart.looks or range(len(chart.series))
        items = [(name, look, False) for name, look in zip(chart.series, looks, strict=True)]
    if len(items) < (1 if chart.legend else 2):
        return ()
    bars = isinstance(chart, RowChart) and chart.style == "bars"
    return (element("ul", {"class": "legend"}, *(_legend_item(*item, bars) for item in items)),)


def _legend_item(name: str, look: int, joined: bool, bar: bool) -> Markup:
    parts: list[Markup] = []
    if joined:
        path = {"d": "M1 7H27", "class": "line", "stroke-dasharray": dash(look)}
        parts.append(element("path", dict(path)))
    if bar:
        box: dict[str, object] = {"x": 7, "y": 2, "width": 14, "height": 10, "class": "bar"}
        parts.append(element("rect", box))
    else:
        parts.append(mark(14, 7, look))
    attributes: dict[str, object] = {
        "width": 28,
        "height": 14,
        "viewBox": "0 0 28 14",
        "aria-hidden": "true",
        "class": f"s{look % 8 + 1}",
    }
    return element("li", None, element("svg", attributes, *parts), element("span", None, name))


def chart_table(chart: Chart) -> DataTable:
    """What a chart draws, as a table."""
    if isinstance(chart, MatrixChart):
        columns, rows = _of_matrix(chart)
    elif isinstance(chart, RowChart):
        columns, rows = _of_rows(chart)
    else:
        columns, rows = _of_lines(chart)
    return DataTable(
        f"{chart.key}-numbers", chart.title, columns, rows, row_header="row", tools=False
    )


_Content = tuple[tuple[DataColumn, ...], tuple[DataRow, ...]]


def _of_matrix(chart: MatrixChart) -> _Content:
    columns = [
        _column(f"c{place}", name, chart.percent, digits=0 if chart.percent else 3)
        for place, name in enumerate(chart.columns)
    ]
    rows = [
        DataRow((DataCell(name), *(DataCell(value) for value in values)))
        for name, values in zip(chart.rows, chart.values, strict=True)
    ]
    return (DataColumn("row", chart.row_label), *columns), tuple(rows)


def _of_rows(chart: RowChart) -> _Content:
    columns = [
        _column(f"c{place}", name, chart.axis.percent) for place, name in enumerate(chart.series)
    ]
    rows = [
        DataRow(
            (
                DataCell(f"{row.group}: {row.label}" if row.group else row.label),
                *(_intervals(points, chart.axis) for points in row.points),
            )
        )
        for row in chart.rows
    ]
    return (DataColumn("row", chart.row_label), *columns), tuple(rows)


def _of_lines(chart: LineChart) -> _Content:
    x = DataColumn("x", chart.x.label)
    if chart.x.kind != "category":
        x = _column("x", chart.x.label, chart.x.percent)
    columns = (DataColumn("row", "series"), x, _column("y", chart.y.label, chart.y.percent))
    rows = [
        DataRow(
            (
                DataCell(f"{series.name}: {point.label}" if point.label else series.name),
                DataCell(point.x, _x_text(point, chart.x)),
                _interval(point, chart.y),
            )
        )
        for series in chart.series
        for point in series.points
    ]
    return columns, tuple(rows)


def _x_text(point: ChartPoint, axis: ChartAxis) -> str | None:
    return None if isinstance(point.x, str) else value_text(point.x, axis)


def _column(key: str, label: str, percent: bool, digits: int | None = None) -> DataColumn:
    if percent:
        return DataColumn(key, label, "percent", digits=1 if digits is None else digits)
    return DataColumn(key, label, "number", digits=3 if digits is None else digits)


def _intervals(points: tuple[ChartPoint, ...], axis: ChartAxis) -> DataCell:
    if len(points) < 2:
        return _interval(points[0] if points else None, axis)
    words = ", ".join(f"{point.label} {value_text(point.y, axis)}".strip() for point in points)
    return DataCell(max(point.y for point in points), words)


def _interval(point: ChartPoint | None, axis: ChartAxis) -> DataCell:
    if point is None:
        return DataCell()
    words = value_text(point.y, axis)
    if point.low is not None and point.high is not None:
        words += f" ({value_text(point.low, axis)} to {value_text(point.high, axis)})"
    return DataCell(point.y, words)
