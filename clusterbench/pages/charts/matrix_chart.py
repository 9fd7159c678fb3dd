"""A matrix of numbers on two colours: deeper where they are further from the middle."""

from __future__ import annotations

from markupsafe import Markup

from .chart_models import MatrixChart
from .svg import FONT, element, fitted, line, text, text_width

_SMALL = FONT - 1
#: At its deepest a colour still leaves the text on it a contrast of 4.5 to 1.
_DEEPEST = 0.5


def draw_matrix(chart: MatrixChart, width: float) -> tuple[Markup, float]:
    """The inside of the chart's `<svg>` and its height."""
    names = [fitted(name, 0.3 * width, _SMALL) for name in chart.rows]
    heads = [fitted(name, 130, _SMALL) for name in chart.columns]
    left = 12 + max((text_width(name, _SMALL) for name in names), default=0.0)
    tallest = max((text_width(head, _SMALL) for head in heads), default=0.0)
    overhang = 0.7 * (text_width(heads[-1], _SMALL) if heads else 0.0)
    cell = min(52.0, (width - left - overhang - 4) / max(1, len(heads)))
    high = min(26.0, max(18.0, cell))
    top = 14 + 0.75 * tallest
    parts: list[Markup] = []
    for column, head in enumerate(heads):
        turn = f"translate({left + (column + 0.5) * cell:.2f} {top - 6:.2f}) rotate(-48)"
        parts.append(element("g", {"transform": turn}, text(0, 0, head, size=_SMALL)))
    for row, name in enumerate(names):
        y = top + row * high
        parts.append(text(left - 8, y + high / 2 + 4, name, anchor="end", size=_SMALL))
        for column, value in enumerate(chart.values[row]):
            if value is not None:
                box = _cell(chart, value, left + column * cell, y, cell, high)
                said = f"{chart.rows[row]}, {chart.columns[column]}: {_said(chart, value)}"
                parts.append(element("g", None, element("title", None, said), *box))
    bottom = top + len(names) * high
    parts.append(line(left, bottom, left + len(heads) * cell, bottom, "grid"))
    return Markup("").join(parts), bottom + 6


def _cell(
    chart: MatrixChart, value: float, x: float, y: float, cell: float, high: float
) -> list[Markup]:
    """Its box, and its number where there is room for one."""
    end = chart.high if value >= chart.middle else chart.low
    share = abs(value - chart.middle) / (abs(end - chart.middle) or 1.0)
    box: dict[str, object] = {
        "x": x,
        "y": y,
        "width": cell - 1,
        "height": high - 1,
        "class": "more" if value >= chart.middle else "less",
        "fill-opacity": _DEEPEST * min(1.0, share),
    }
    parts = [element("rect", box)]
    said = _said(chart, value)
    if text_width(said, _SMALL) < cell - 2:
        middle = y + high / 2 + 0.36 * _SMALL
        parts.append(text(x + cell / 2, middle, said, anchor="middle", size=_SMALL))
    return parts


def _said(chart: MatrixChart, value: float) -> str:
    return f"{100 * value + 0.0:.0f}" if chart.percent else f"{value:,.3g}"
