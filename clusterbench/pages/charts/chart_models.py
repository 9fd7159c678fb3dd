"""What a chart shows: points with intervals on two axes, rows of marks or bars, a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...errors import InputError


@dataclass(frozen=True)
class ChartAxis:
    """An axis; what lies beyond an end that is given is drawn at it.

    kind: "linear", "log" (base 10), or "category", whose values are texts. low, high: its ends;
    None: those of the data. percent: values are fractions, shown times 100.
    """

    label: str
    kind: Literal["linear", "log", "category"] = "linear"
    low: float | None = None
    high: float | None = None
    percent: bool = False


@dataclass(frozen=True)
class ChartPoint:
    """A point; low and high: the ends of its interval in y (in a `RowChart`: in x), or None.

    label: what it is, for the text beside it (scatter) and on hovering. quiet: drawn faintly, such
    as a difference that may be chance. after_gap: no line reaches it from the point before, as
    something between them is missing.
    """

    x: float | str
    y: float
    low: float | None = None
    high: float | None = None
    label: str = ""
    quiet: bool = False
    after_gap: bool = False

    def __post_init__(self) -> None:
        for value in (self.x, self.y, self.low, self.high):
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"chart: a point at {value}; wanted finite numbers")


@dataclass(frozen=True)
class ChartSeries:
    """Points of one thing, in the order of x.

    look: its colour and mark, 0 to 7, the same in all charts of a page; None: its place among the
    series.
    """

    name: str
    points: tuple[ChartPoint, ...]
    joined: bool = True
    look: int | None = None


@dataclass(frozen=True)
class ChartGuide:
    """A value that is drawn through the whole chart, such as a floor."""

    value: float
    label: str


@dataclass(frozen=True)
class LineChart:
    """Lines or points over an axis of numbers or categories.

    key: id on the page. summary: what one sees, in a sentence, for those who do not.
    labelled: set each point's label beside it (a scatter plot of few points). legend: also for one
    series, whose name says what the others are not.
    """

    key: str
    title: str
    summary: str
    x: ChartAxis
    y: ChartAxis
    series: tuple[ChartSeries, ...]
    guides: tuple[ChartGuide, ...] = ()
    labelled: bool = False
    legend: bool = False


@dataclass(frozen=True)
class ChartRow:
    """A row of a `RowChart`: a label, and what each series has there: a value, several, or None.

    group: a heading over the first row of each group. href: where the label leads. note: a short
    text at the right end.
    """

    label: str
    values: tuple[ChartPoint | tuple[ChartPoint, ...] | None, ...]
    group: str = ""
    href: str | None = None
    note: str = ""

    @property
    def points(self) -> tuple[tuple[ChartPoint, ...], ...]:
        """The points of each series."""
        return tuple(
            () if value is None else value if isinstance(value, tuple) else (value,)
            for value in self.values
        )


@dataclass(frozen=True)
class RowChart:
    """Horizontal bars or marks with intervals, a row for each thing; the value of a point is `y`.

    series: names, one per value of a row. looks: colour and mark of each series, 0 to 7.
    row_label: what a row is, as the heading of the table of numbers. legend: as of a `LineChart`.
    """

    key: str
    title: str
    summary: str
    axis: ChartAxis
    series: tuple[str, ...]
    rows: tuple[ChartRow, ...]
    guides: tuple[ChartGuide, ...] = ()
    style: Literal["bars", "marks"] = "marks"
    looks: tuple[int, ...] | None = None
    row_label: str = "row"
    legend: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.values) != len(self.series):
                raise InputError(
                    f"chart {self.key}: row {row.label!r} has {len(row.values)} values for "
                    f"{len(self.series)} series"
                )


@dataclass(frozen=True)
class MatrixChart:
    """A matrix of values, such as the share of tasks on which a row beats a column.

    values: None where there is none. middle: the value without colour; low and high: those with
    the deepest. percent: shown times 100.
    """

    key: str
    title: str
    summary: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    middle: float = 0.5
    low: float = 0.0
    high: float = 1.0
    percent: bool = True
    row_label: str = "row"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(
            len(row) != len(self.columns) for row in self.values
        ):
            raise InputError(
                f"chart {self.key}: {len(self.values)} rows of values for {len(self.rows)} x "
                f"{len(self.columns)}"
            )


Chart = LineChart | RowChart | MatrixChart
