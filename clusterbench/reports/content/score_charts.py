"""The pictures of scores: all methods with intervals, curves over tasks, time, later clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    ChartSeries,
    LineChart,
    RowChart,
    page_id,
)
from ..analysis import MAIN_METRIC, SectionAnalysis
from ..factor_curves import FRACTIONS, CurvePoint, FactorCurves
from ..places import ScoreEstimate
from ..sections import Contender
from .phrases import listed, many, moved_by, percent
from .score_tables import ordered_contenders

#: Methods drawn as curves; more could not be told apart by eye.
CURVES = 5
#: Methods in a chart of all of them; the best.
ROWS = 40
#: The look of the ceiling and of the floor, the last two of eight.
_CEILING, _FLOOR = 6, 7


def best_reference(found: SectionAnalysis) -> Contender | None:
    """The reference with the best mean over all tasks; None without one on each."""
    able = [contender for contender in found.overall if contender.reference]
    return max(able, key=lambda contender: found.overall[contender].mean, default=None)


def method_chart(found: SectionAnalysis) -> RowChart | None:
    """Mean AMI of each method with its interval, between floor and ceiling; None without one."""
    section = found.section
    order = [c for c in ordered_contenders(found) if c in found.overall and not c.reference]
    if not order:
        return None
    shown = order[:ROWS]
    floors = [task.floor[MAIN_METRIC] for task in section.tasks if MAIN_METRIC in task.floor]
    guides = []
    if len(floors) == len(section.tasks):
        guides.append(ChartGuide(max(0.0, sum(floors) / len(floors)), "random"))
    if (ceiling := best_reference(found)) is not None:
        guides.append(ChartGuide(found.overall[ceiling].mean, section.labels[ceiling]))
    first = _leaders(found, order)
    words = listed([section.labels[c] for c in first])
    several = f" over {many(len(section.tasks), 'task')}" if len(section.tasks) > 1 else ""
    summary = f"Lines are 95% intervals over {moved_by(section)}."
    if first:
        said = f"{words} cannot be told apart" if len(first) > 1 else f"Best: {words}"
        summary = f"{said}. {summary}"
    if len(order) > len(shown):
        summary += f" {len(order) - len(shown)} more methods are in the table."
    return RowChart(
        key=section.key("means"),
        title=f"AMI of each method{several}",
        summary=summary,
        axis=ChartAxis("AMI × 100", percent=True),
        series=("AMI",),
        rows=tuple(
            ChartRow(section.labels[c], (_with_interval(found.overall[c], 0.0),)) for c in shown
        ),
        guides=tuple(guides),
        row_label="Method",
    )


def _leaders(found: SectionAnalysis, order: Sequence[Contender]) -> list[Contender]:
    """Who has the first place; nobody where no two methods could be tested."""
    places = found.overall_places
    return [c for c in order if c in places and places[c].place == 1]


def _with_interval(estimate: ScoreEstimate, x: float | str, label: str = "") -> ChartPoint:
    low, high = estimate.interval(-1.0, 1.0) or (None, None)
    return ChartPoint(x, estimate.mean, low, high, label)


def curve_chart(found: SectionAnalysis, curves: FactorCurves) -> LineChart:
    """AMI against what the tasks vary: the best methods, the best reference, and random."""
    methods = [curve for curve in curves.curves if not curve.contender.reference]
    references = [curve for curve in curves.curves if curve.contender.reference][:1]
    series = [
        ChartSeries(curve.label, _points(curve.points), look=look)
        for look, curve in enumerate(methods[:CURVES])
    ]
    series += [
        ChartSeries(f"{curve.label} (reference)", _points(curve.points), look=_CEILING)
        for curve in references
    ]
    if curves.floor:
        series.append(ChartSeries("random", _points(curves.floor), look=_FLOOR))
    tasks = list(curves.tasks)
    left = len(methods) - CURVES
    more = f" {left} more methods are in the table." if left > 0 else ""
    drawn = (*methods[:CURVES], *references)
    if any(len(curve.points) < len(tasks) for curve in drawn):
        more = f" Where a run failed or is missing, there is no point and no line.{more}"
    kind = f" ({curves.kind})" if curves.kind else ""
    return LineChart(
        key=page_id(found.section.key("curve"), curves.factor, curves.kind),
        title=f"AMI against the {curves.label}{kind}",
        summary=f"Tasks {listed(tasks)}; the methods of the best means.{more}",
        x=_factor_axis(curves),
        y=ChartAxis("AMI × 100", percent=True),
        series=tuple(series),
    )


def _factor_axis(curves: FactorCurves) -> ChartAxis:
    fraction = curves.factor in FRACTIONS
    kind: Literal["log", "linear"] = "log" if curves.logarithmic and not fraction else "linear"
    return ChartAxis(f"{curves.label}{' (%)' if fraction else ''}", kind, percent=fraction)


def _points(points: Sequence[CurvePoint]) -> tuple[ChartPoint, ...]:
    return tuple(ChartPoint(p.x, p.y, p.low, p.high, p.task, after_gap=p.after_gap) for p in points)


def time_chart(found: SectionAnalysis) -> LineChart | None:
    """AMI against the seconds of a fit; None with fewer than three methods that have both."""
    points = []
    for contender in ordered_contenders(found)[:ROWS]:
        seconds = found.facts[contender].seconds.fit
        if contender in found.overall and not contender.reference and seconds:
            label = found.section.labels[contender]
            points.append(ChartPoint(seconds, found.overall[contender].mean, label=label))
    if len(points) < 3:
        return None
    return LineChart(
        key=found.section.key("time"),
        title="AMI against the time of a fit",
        summary="Wall-clock seconds, the median over tasks and seeds; compare those of one device.",
        x=ChartAxis("seconds of a fit", "log"),
        y=ChartAxis("AMI × 100", percent=True),
        series=(ChartSeries("methods", tuple(points), joined=False),),
        labelled=True,
    )


def band_chart(found: SectionAnalysis, label: str) -> LineChart | None:
    """ACC of head, middle and tail classes of a task; None where one band holds them all."""
    drawn = []
    for contender in ordered_contenders(found):
        bands = found.bands.get((label, contender))
        if bands is not None and all(bands.get(name) is not None for name in bands):
            points = tuple(
                ChartPoint(name, value) for name, value in bands.items() if value is not None
            )
            drawn.append((contender, points))
    methods = [one for one in drawn if not one[0].reference]
    if not methods:
        return None
    names = found.section.labels
    series = [
        ChartSeries(names[c], points, look=n) for n, (c, points) in enumerate(methods[:CURVES])
    ]
    ceiling = best_reference(found)
    series += [
        ChartSeries(f"{names[c]} (reference)", points, look=_CEILING)
        for c, points in drawn
        if c == ceiling
    ]
    left = len(methods) - CURVES
    more = f" {left} more methods are in the table." if left > 0 else ""
    return LineChart(
        key=page_id(found.section.key("bands"), label),
        title=f"Frequent and rare classes of {label}",
        summary=(
            "Mean ACC of the third of the classes with the most training images, of the middle "
            f"third and of the rarest.{more}"
        ),
        x=ChartAxis("classes by frequency in training", "category"),
        y=ChartAxis("mean ACC of a class × 100", percent=True),
        series=tuple(series),
    )


def later_charts(found: SectionAnalysis, label: str) -> list[LineChart]:
    """What later clusters find on a task that ranks them: top-n ACC, and chains or labels."""
    order = [c for c in ordered_contenders(found) if (label, c) in found.later and not c.reference]
    ranked = [(found.section.labels[c], found.later[label, c]) for c in order[:CURVES]]
    if not ranked:
        return []
    first = ranked[0]
    charts = []
    top = [(name, one.top_n_acc) for name, one in ranked]
    top.append((f"{first[0]}, dealt out at random", first[1].top_n_chance))
    charts.append(
        _by_rank(
            page_id(found.section.key("top"), label),
            f"Top-n ACC on {label}",
            "Is an image's class among the classes of its first n clusters?",
            "first n clusters",
            top,
        )
    )
    for what, values, chance, summary in (
        (
            "chain",
            [(name, one.chain_share) for name, one in ranked if one.chain_share],
            first[1].chain_chance,
            "How much of the chain from an image's class to the root its r-th cluster finds.",
        ),
        (
            "hits",
            [(name, one.hits) for name, one in ranked if one.hits],
            first[1].hits_chance,
            "Does an image's r-th cluster stand for a node from its class to the root?"
            if first[1].labels == "class chain"
            else "Does an image's r-th cluster stand for one of its labels?",
        ),
    ):
        if values:
            title = (
                "Share of the class chain" if what == "chain" else f"Hits of the {first[1].labels}"
            )
            values.append((f"{first[0]}, dealt out at random", chance))
            key = page_id(found.section.key(what), label)
            charts.append(_by_rank(key, f"{title} on {label}", summary, "r-th cluster", values))
    return charts


def _by_rank(
    key: str, title: str, summary: str, axis: str, values: Sequence[tuple[str, tuple[float, ...]]]
) -> LineChart:
    *methods, chance = values
    series = [ChartSeries(name, _ranks(one), look=look) for look, (name, one) in enumerate(methods)]
    series.append(ChartSeries(chance[0], _ranks(chance[1]), look=_FLOOR))
    return LineChart(
        key=key,
        title=title,
        summary=summary,
        x=ChartAxis(axis, "category"),
        y=ChartAxis("share × 100", percent=True),
        series=tuple(series),
    )


def _ranks(values: Sequence[float]) -> tuple[ChartPoint, ...]:
    return tuple(ChartPoint(str(rank), value) for rank, value in enumerate(values, 1))


def verdict(found: SectionAnalysis, *, named: bool = True) -> str:
    """One sentence: who is best, and how far from the ceiling; it begins with the section.

    One method alone is not best, nor is one whose error is not known.
    """
    section = found.section
    order = [c for c in ordered_contenders(found) if c in found.overall and not c.reference]
    if not order:
        about = f"{section.title}: no" if named else "No"
        return f"{about} method has a figure on every task."
    first = _leaders(found, order) or order[:1]
    best = found.overall[first[0]].mean
    names = listed([section.labels[c] for c in first])
    text = f"{section.title}: {names}" if named else names
    seeds = "" if section.n_seeds > 1 else ", one seed"
    if len(order) == 1:
        others = sum(not c.reference for c in section.contenders) - 1
        every = " with a figure on every task" if others else ""
        text += f" is the only method{every} (AMI {percent(best)}{seeds})"
    elif not found.overall_places:
        text += f" has the highest mean (AMI {percent(best)}{seeds}), which nothing could test"
    elif len(first) == 1:
        text += f" is best (AMI {percent(best)}{seeds})"
    else:
        worst = found.overall[first[-1]].mean
        text += f" cannot be told apart at the top (AMI {percent(worst)} to {percent(best)}{seeds})"
    if (ceiling := best_reference(found)) is not None:
        text += (
            f"; {section.labels[ceiling]}, which was told the classes, reaches "
            f"{percent(found.overall[ceiling].mean)}"
        )
    return f"{text}."
