"""A chart drawn by matplotlib, as PNG, SVG and PDF: the same bytes for the same chart."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from ...pages import ChartAxis, ChartPoint, LineChart, MatrixChart, RowChart
from ...printable import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Forms of a picture, and what keeps the time out of each.
_FORMS: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}, "dpi": 200},
    "svg": {"metadata": {"Date": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}
#: Colours of Okabe and Ito for eight looks, dark enough on white, with marks and dashes.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a7a00", "#5a4fb0", "#9c2b2b", "#4a5560")
_MARKS = ("o", "s", "D", "^", "v", "P", "+", "x")
_DASHES = ("-", "--", ":", "-.", "--", ":", ":", "-.")
_SETTINGS: Any = {
    "svg.hashsalt": "clusterbench",
    "text.parse_math": False,  # names of classes and methods may hold a dollar sign
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_NAME = 60  # characters of a name in a picture


def pictures(chart: LineChart | RowChart | MatrixChart) -> dict[str, bytes]:
    """The chart in each form, by suffix."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    files = {}
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # signs that the font does not have
        for form, settings in _FORMS.items():
            figure = Figure(figsize=_size(chart), layout="constrained")
            FigureCanvasAgg(figure)
            axes = figure.add_subplot()
            axes.set_title(_short(chart.title, 90), loc="left", fontsize=10)
            if isinstance(chart, LineChart):
                _draw_lines(axes, chart)
            elif isinstance(chart, RowChart):
                _draw_rows(axes, chart)
            else:
                _draw_matrix(axes, chart)
            file = io.BytesIO()
            figure.savefig(file, format=form, **settings)
            files[form] = file.getvalue()
    return files


def _size(chart: LineChart | RowChart | MatrixChart) -> tuple[float, float]:
    if isinstance(chart, RowChart):
        bars = len(chart.series) if chart.style == "bars" else 1
        return 6.4, 1.6 + 0.24 * bars * len(chart.rows)
    if isinstance(chart, MatrixChart):
        return 2.4 + 0.4 * len(chart.columns), 2.0 + 0.3 * len(chart.rows)
    return 6.4, 4.0


def _short(text: str, length: int = _NAME) -> str:
    text = shown(text)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _scale(axis: ChartAxis) -> float:
    return 100.0 if axis.percent else 1.0


def _reach(points: list[ChartPoint], scale: float) -> list[list[float]] | None:
    """Distances below and above each point; None where none has an interval."""
    if all(point.low is None or point.high is None for point in points):
        return None
    below = [scale * (p.y - p.low) if p.low is not None else 0.0 for p in points]
    above = [scale * (p.high - p.y) if p.high is not None else 0.0 for p in points]
    return [[max(0.0, value) for value in below], [max(0.0, value) for value in above]]


def _stretches(points: list[ChartPoint]) -> list[tuple[int, int]]:
    """(first, last + 1) of the points that a line goes through without a gap."""
    starts = [n for n, point in enumerate(points) if n == 0 or point.after_gap]
    return list(zip(starts, [*starts[1:], len(points)], strict=True))


def _draw_lines(axes: Axes, chart: LineChart) -> None:
    fx, fy = _scale(chart.x), _scale(chart.y)
    for place, series in enumerate(chart.series):
        look = (place if series.look is None else series.look) % 8
        points = list(series.points)
        xs = [p.x if isinstance(p.x, str) else fx * p.x for p in points]
        for first, last in _stretches(points):
            axes.errorbar(
                xs[first:last],
                [fy * p.y for p in points[first:last]],
                yerr=_reach(points[first:last], fy),
                color=_COLOURS[look],
                marker=_MARKS[look],
                markersize=4.5 if series.joined else 3.5,
                linestyle=_DASHES[look] if series.joined else "none",
                linewidth=1.4,
                elinewidth=1.0,
                label=None if first else _short(series.name),
            )
        if chart.labelled:
            for x, point in zip(xs, points, strict=True):
                axes.annotate(
                    _short(point.label),
                    (x, fy * point.y),
                    textcoords="offset points",
                    xytext=(5, 3),
                    fontsize=8,
                )
    if chart.x.kind == "log":
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
    if chart.y.kind == "log":
        axes.set_yscale("log")
        _plain_ticks(axes.yaxis)
    for axis, factor, limit in ((chart.x, fx, axes.set_xlim), (chart.y, fy, axes.set_ylim)):
        if axis.low is not None and axis.high is not None:
            edge = 0.03 * factor * (axis.high - axis.low)
            limit(factor * axis.low - edge, factor * axis.high + edge)
    for guide in chart.guides:
        axes.axhline(fy * guide.value, color="#4a5560", linestyle=":", linewidth=1.0)
    axes.set_xlabel(_short(chart.x.label))
    axes.set_ylabel(_short(chart.y.label))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    if len(chart.series) > 1:
        axes.figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)


def _plain_ticks(axis: Axis) -> None:
    """1, 2, 5, 10 ... on a logarithmic axis, as numbers: powers would be set as formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _draw_rows(axes: Axes, chart: RowChart) -> None:
    factor, n = _scale(chart.axis), len(chart.series)
    grouped = any(row.group for row in chart.rows)
    names = [f"{row.group}: {row.label}" if grouped else row.label for row in chart.rows]
    for place, series in enumerate(chart.series):
        look = (chart.looks[place] if chart.looks else place) % 8
        shift = (place - (n - 1) / 2) * 0.8 / n if chart.style == "bars" else 0.0
        known = [
            (number + shift, point)
            for number, row in enumerate(chart.rows)
            for point in points_of(row.values[place])
        ]
        ys, points = [y for y, _ in known], [point for _, point in known]
        xs = [factor * point.y for point in points]
        if chart.style == "bars":
            axes.barh(ys, xs, height=0.8 / n, color=_COLOURS[look], label=_short(series))
        else:
            axes.errorbar(
                xs,
                ys,
                xerr=_reach(points, factor),
                color=_COLOURS[look],
                marker=_MARKS[look],
                linestyle="none",
                label=_short(series),
            )
    for guide in chart.guides:
        axes.axvline(factor * guide.value, color="#4a5560", linestyle=":", linewidth=1.0)
        axes.annotate(
            _short(guide.label),
            (factor * guide.value, 1.0),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="right",
            va="top",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(_short(chart.axis.label))
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    if n > 1:
        axes.legend(frameon=False, fontsize=8)


def points_of(value: ChartPoint | tuple[ChartPoint, ...] | None) -> tuple[ChartPoint, ...]:
    """The points of a row's value, which may be one, several or none."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _draw_matrix(axes: Axes, chart: MatrixChart) -> None:
    values = [[float("nan") if v is None else v for v in row] for row in chart.values]
    axes.imshow(values, cmap="RdBu", vmin=chart.low, vmax=chart.high, alpha=0.6, aspect="auto")
    for y, row in enumerate(chart.values):
        for x, value in enumerate(row):
            if value is not None:
                said = f"{100 * value:.0f}" if chart.percent else f"{value:.3g}"
                axes.text(x, y, said, ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(chart.columns)), [_short(c) for c in chart.columns], rotation=45)
    axes.set_yticks(range(len(chart.rows)), [_short(r) for r in chart.rows])
