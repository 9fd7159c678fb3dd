"""Lines and points over an axis of numbers or categories, with intervals and guides."""

from __future__ import annotations

from markupsafe import Markup

from .chart_models import ChartPoint, ChartSeries, LineChart
from .scales import AxisScale, axis_scale, value_text
from .svg import FONT, dash, element, fitted, line, mark, text, text_width

_SMALL = FONT - 1
_TOP, _BELOW = 30.0, 38.0


#: left, top, right, bottom; and from one end to the other
_Box = tuple[float, float, float, float]
_Line = tuple[float, float, float, float]


def draw_lines(chart: LineChart, width: float) -> tuple[Markup, float]:
    """The inside of the chart's `<svg>` and its height."""
    height = round(width * (0.5 if width > 500 else 0.85))
    points = [point for series in chart.series for point in series.points]
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    ys += [guide.value for guide in chart.guides]
    rough = axis_scale(chart.y, ys, 1, 0)
    left = 14 + max((text_width(t, _SMALL) for _, t in rough.ticks(5)), default=20)
    right = width - 14.0
    x = axis_scale(chart.x, (point.x for point in points), left, right)
    slot = (right - left) / max(1, len(x.names))
    names = [fitted(name, 130, _SMALL) for name in x.names]
    turned = any(text_width(name, _SMALL) > slot - 4 for name in names)
    below = _BELOW
    if turned:
        below += 0.62 * max(text_width(name, _SMALL) for name in names)
    bottom = height - _BELOW
    total = bottom + below
    y = axis_scale(chart.y, ys, bottom, _TOP)

    parts = [text(2, 14, chart.y.label, name="small", size=_SMALL)]
    parts += _grid(y, left, right)
    parts += _feet(x, names, turned, slot, bottom, width)
    parts.append(text(right, total - 3, chart.x.label, anchor="end", name="small", size=_SMALL))
    parts += [_guide_line(y.at(guide.value), left, right) for guide in chart.guides]
    n = len(chart.series)
    for place, series in enumerate(chart.series):
        shift = 0.0
        if chart.x.kind == "category" and not series.joined and n > 1:
            shift = (place - (n - 1) / 2) * min(11.0, 0.7 * slot / n)
        parts.append(_drawn(chart, series, place, x, y, shift))
    parts += _labels(chart, x, y, right)
    parts += _guide_texts(chart, y, right)
    return Markup("").join(parts), total


def _grid(y: AxisScale, left: float, right: float) -> list[Markup]:
    parts = []
    for value, words in y.ticks(5):
        at = y.at(value)
        parts.append(line(left, at, right, at, "grid"))
        parts.append(text(left - 6, at + 4, words, anchor="end", name="small", size=_SMALL))
    return parts


def _feet(
    x: AxisScale, names: list[str], turned: bool, slot: float, bottom: float, width: float
) -> list[Markup]:
    parts = [line(x.first, bottom, x.last, bottom, "axis")]
    if x.axis.kind != "category":
        for value, words in x.ticks(7 if width > 500 else 4):
            at = x.at(value)
            parts.append(line(at, bottom, at, bottom + 4, "axis"))
            parts.append(text(at, bottom + 18, words, anchor="middle", name="small", size=_SMALL))
        return parts
    for full, short in zip(x.names, names, strict=True):
        at = x.at(full)
        if not turned:
            parts.append(text(at, bottom + 18, short, anchor="middle", name="small", size=_SMALL))
            continue
        turn = f"translate({at + 4:.2f} {bottom + 14:.2f}) rotate(-38)"
        words = text(0, 0, short, anchor="end", name="small", size=_SMALL)
        parts.append(element("g", {"transform": turn}, words))
    return parts


def _drawn(
    chart: LineChart, series: ChartSeries, place: int, x: AxisScale, y: AxisScale, shift: float
) -> Markup:
    look = place if series.look is None else series.look
    parts = []
    if series.joined and len(series.points) > 1:
        path = "".join(
            f"{'L' if n and not p.after_gap else 'M'}{x.at(p.x):.2f} {y.at(p.y):.2f}"
            for n, p in enumerate(series.points)
        )
        parts.append(element("path", {"d": path, "class": "line", "stroke-dasharray": dash(look)}))
    for point in series.points:
        at = x.at(point.x) + shift
        if point.low is not None and point.high is not None:
            ends = f"M{at:.2f} {y.at(point.low):.2f}V{y.at(point.high):.2f}"
            parts.append(element("path", {"d": ends, "class": "range"}))
        parts.append(mark(at, y.at(point.y), look, title=_said(chart, series, point)))
    return element("g", {"class": f"s{look % 8 + 1}"}, *parts)


def _said(chart: LineChart, series: ChartSeries, point: ChartPoint) -> str:
    where = point.x if isinstance(point.x, str) else value_text(point.x, chart.x)
    said = f"{point.label or series.name}, {where}: {value_text(point.y, chart.y)}"
    if point.low is None or point.high is None:
        return said
    return f"{said} ({value_text(point.low, chart.y)} to {value_text(point.high, chart.y)})"


def _labels(chart: LineChart, x: AxisScale, y: AxisScale, right: float) -> list[Markup]:
    """The label of each point where it meets no other, and is nearer to its own than to others.

    Where marks are crowded it stands further off, with a line to its mark; else only on hovering.
    """
    if not chart.labelled:
        return []
    dots = [(x.at(p.x), y.at(p.y)) for series in chart.series for p in series.points]
    taken: list[_Box] = []
    led: list[_Line] = []
    parts = []
    points = sorted(
        (p for series in chart.series for p in series.points if p.label),
        # In a row of marks from the right: each next label lies below, its line left of the others.
        key=lambda p: (round(y.at(p.y) / FONT), -x.at(p.x), p.label),
    )
    for point in points:
        at, level = x.at(point.x), y.at(point.y)
        words = fitted(point.label, 150, _SMALL)
        wide = text_width(words, _SMALL)
        for dx, dy, far in _places(wide):
            box = (at + dx, level + dy - 10, at + dx + wide, level + dy + 3)
            foot = min(max(at, box[0]), box[2]), box[3] if dy < 0 else box[1]
            inside = box[0] >= x.first and box[2] <= right + 12 and box[1] >= _TOP - 8
            if not inside or (far and box[3] > y.first):
                continue
            reach = _REACH if far else _NEAR
            others = (d for d in dots if far or d != (at, level))
            marks = [(a - reach, b - reach, a + reach, b + reach) for a, b in others]
            if any(_meet(box, other) for other in (*marks, *taken)):
                continue
            if any(_runs_through(way, box) for way in led):
                continue
            way = (at, level, *foot)
            if far and any(_runs_through(way, other) for other in taken):
                continue
            if far and any(_cross(way, other) for other in led):
                continue
            taken.append(box)
            if far:
                led.append(way)
                parts.append(line(*way, "axis"))
            parts.append(text(box[0], level + dy, words, name="halo", size=_SMALL))
            break
    return parts


def _places(wide: float) -> list[tuple[float, float, bool]]:
    """Where a label of some width may stand by its point: beside it, above and below, far off."""
    left, middle = -8 - wide, -wide / 2
    near = [(8.0, 4.0), (left, 4.0), (8.0, -8.0), (8.0, 17.0), (left, -8.0), (left, 17.0)]
    near += [(middle, -11.0), (middle, 20.0)]
    far = [
        (dx, sign * off)
        for dx in (8.0, left, middle, -20.0, 20.0 - wide)
        for off in (28.0, 42.0, 56.0, 70.0, 84.0)
        for sign in (-1, 1)
    ]
    return [(*place, False) for place in near] + [(*place, True) for place in far]


def _runs_through(way: _Line, box: _Box) -> bool:
    """Whether a line meets a box: its ends, or the box's diagonals."""
    x1, y1, x2, y2 = way
    a, b, c, d = box
    held = any(a <= x <= c and b <= y <= d for x, y in ((x1, y1), (x2, y2)))
    return held or _cross(way, (a, b, c, d)) or _cross(way, (a, d, c, b))


def _cross(one: _Line, other: _Line) -> bool:
    """Whether two lines cross between their ends."""

    def side(way: _Line, x: float, y: float) -> float:
        return (way[2] - way[0]) * (y - way[1]) - (way[3] - way[1]) * (x - way[0])

    ends = side(one, *other[:2]) * side(one, *other[2:])
    return ends < 0 and side(other, *one[:2]) * side(other, *one[2:]) < 0


#: Pixels about a point that are its mark's, and those in which a label is taken for its own.
_REACH, _NEAR = 7.0, 13.0


def _meet(a: _Box, b: _Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _guide_line(at: float, left: float, right: float) -> Markup:
    return line(left, at, right, at, "guide")


def _guide_texts(chart: LineChart, y: AxisScale, right: float) -> list[Markup]:
    """The guides' texts at the right end, moved apart where they would meet."""
    parts = []
    lowest = float("-inf")
    for guide in sorted(chart.guides, key=lambda guide: y.at(guide.value)):
        at = max(y.at(guide.value) - 5, lowest + FONT)
        lowest = at
        parts.append(text(right, at, guide.label, anchor="end", name="small halo", size=_SMALL))
    return parts
