"""Rows of bars or marks with intervals over one axis of numbers, under headings of groups."""

from __future__ import annotations

from markupsafe import Markup

from .chart_models import ChartGuide, ChartPoint, RowChart
from .scales import AxisScale, axis_scale, value_text
from .svg import FONT, backed, element, fitted, line, mark, text, text_width

_SMALL = FONT - 1


def draw_rows(chart: RowChart, width: float) -> tuple[Markup, float]:
    """The inside of the chart's `<svg>` and its height."""
    narrow = width < 500
    labels = [fitted(row.label, width - 8 if narrow else 250) for row in chart.rows]
    notes = max((text_width(row.note, _SMALL) for row in chart.rows if row.note), default=0.0)
    left = 10.0 if narrow else 14 + max((text_width(label) for label in labels), default=0.0)
    right = width - 14 - (0.0 if narrow else notes)
    values = [point for row in chart.rows for points in row.points for point in points]
    numbers = [v for p in values for v in (p.y, p.low, p.high) if v is not None]
    numbers += [guide.value for guide in chart.guides]
    if chart.style == "bars":
        numbers.append(0.0)
    x = axis_scale(chart.axis, numbers, left, right)
    n = max(1, len(chart.series))
    thick = 9.0 if chart.style == "bars" and n > 1 else 14.0
    step = thick * n + 10 if chart.style == "bars" else 22.0
    label_room = 16.0 if narrow else 0.0

    top = 8.0 + 15.0 * len(chart.guides)
    y = top
    parts: list[Markup] = []
    group = ""
    for row, label in zip(chart.rows, labels, strict=True):
        if row.group and row.group != group:
            y += 24 if parts else 18
            parts.append(_heading(row.group, y - 5, width))
        group = row.group
        y += label_room
        middle = y + step / 2
        parts += _label(row.href, label, left, middle if not narrow else y - 2, narrow)
        if row.note:
            at = middle + 4 if not narrow else y - 2
            put = backed if narrow else text  # beside the axis, or above the row
            parts.append(put(width - 4, at, row.note, anchor="end", name="small", size=_SMALL))
        parts.append(line(left, middle, right, middle, "grid"))
        for place, points in enumerate(row.points):
            for point in points:
                off = (place - (n - 1) / 2) * thick if chart.style == "bars" else 0.0
                parts.append(_value_of(chart, x, place, point, middle + off, thick, row.label))
        y += step
    bottom = y + 2
    back = _back(chart, x, top, bottom, width)
    foot = text(right, bottom + 33, chart.axis.label, anchor="end", name="small", size=_SMALL)
    return Markup("").join([*back, *parts, foot]), bottom + 38


def _heading(words: str, y: float, width: float) -> Markup:
    return backed(2.0, y, fitted(words, 0.94 * width - 8), name="group")


def _label(href: str | None, label: str, left: float, y: float, narrow: bool) -> list[Markup]:
    if narrow:
        words = backed(2, y, label)
    else:
        words = text(left - 10, y + 4, label, anchor="end")
    return [element("a", {"href": href}, words) if href else words]


def _back(chart: RowChart, x: AxisScale, top: float, bottom: float, width: float) -> list[Markup]:
    parts = []
    for value, words in x.ticks(6 if width > 500 else 4):
        at = x.at(value)
        parts.append(line(at, top, at, bottom, "grid"))
        parts.append(text(at, bottom + 16, words, anchor="middle", name="small", size=_SMALL))
    words_of = []
    for place, guide in enumerate(sorted(chart.guides, key=lambda guide: _nearness(x, guide))):
        at, y = x.at(guide.value), 15.0 * (place + 1)
        parts.append(line(at, y + 2, at, bottom, "guide"))
        anchor = "end" if _on_the_right(x, guide) else "start"
        shift = -4.0 if anchor == "end" else 4.0
        words_of.append(
            backed(at + shift, y, guide.label, anchor=anchor, name="small", size=_SMALL)
        )
    return [*parts, *words_of]


def _on_the_right(x: AxisScale, guide: ChartGuide) -> bool:
    return x.at(guide.value) > (x.first + x.last) / 2


def _nearness(x: AxisScale, guide: ChartGuide) -> tuple[bool, float]:
    """The order of the guides' labels from the top: a label lies over the lines that it crosses."""
    right = _on_the_right(x, guide)
    return right, -guide.value if right else guide.value


def _value_of(
    chart: RowChart, x: AxisScale, place: int, point: ChartPoint, y: float, thick: float, row: str
) -> Markup:
    look = chart.looks[place] if chart.looks else place
    at = x.at(point.y)
    said = f"{row}, {point.label or chart.series[place]}: {value_text(point.y, chart.axis)}"
    if point.low is not None and point.high is not None:
        said += f" ({value_text(point.low, chart.axis)} to {value_text(point.high, chart.axis)})"
    parts = [element("title", None, said)]
    if chart.style == "bars":
        zero = x.at(0.0)
        box: dict[str, object] = {
            "x": min(zero, at),
            "y": y - thick / 2 + 1,
            "width": max(0.5, abs(at - zero)),
            "height": thick - 2,
            "class": "bar",
        }
        parts.append(element("rect", box))
    if point.low is not None and point.high is not None:
        ends = f"M{x.at(point.low):.2f} {y:.2f}H{x.at(point.high):.2f}"
        name = "range" if chart.style == "marks" else "range ink"
        parts.append(element("path", {"d": ends, "class": name}))
    if chart.style == "marks" and x.holds(point.y):
        parts.append(mark(at, y, look))
    elif chart.style == "marks":  # an arrow at the end beyond which it lies
        way = 1 if at > (x.first + x.last) / 2 else -1
        ends = f"M{at - 5 * way:.2f} {y - 4:.2f}L{at:.2f} {y:.2f}L{at - 5 * way:.2f} {y + 4:.2f}"
        parts.append(element("path", {"d": ends, "class": "range"}))
    faint = 0.4 if point.quiet else None
    return element("g", {"class": f"s{look % 8 + 1}", "opacity": faint}, *parts)
