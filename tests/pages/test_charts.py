"""Given points, when they are drawn, they lie where their values say, within the picture."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hostile_names import HOSTILE, names
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.errors import InputError
from clusterbench.pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    ChartSeries,
    LineChart,
    MatrixChart,
    RowChart,
    figure,
)
from clusterbench.pages.charts.scales import axis_scale
from clusterbench.printable import escaped

values = st.floats(-1, 1)
Y = ChartAxis("AMI", percent=True)


@st.composite
def line_charts(draw: Any) -> LineChart:
    kind = draw(st.sampled_from(["linear", "log", "category"]))
    xs: Any = names if kind == "category" else st.floats(1e-3, 1e6)
    series = tuple(
        ChartSeries(
            name,
            tuple(
                ChartPoint(x, y, min(y, low), y + 0.1, label=name)
                for x, y, low in draw(st.lists(st.tuples(xs, values, values), max_size=5))
            ),
            joined=draw(st.booleans()),
        )
        for name in draw(st.lists(names, max_size=4))
    )
    guides = tuple(
        ChartGuide(value, name)
        for value, name in draw(st.lists(st.tuples(values, names), max_size=2))
    )
    labelled = draw(st.booleans())
    return LineChart("c", "A title", "What.", ChartAxis("x", kind), Y, series, guides, labelled)


@st.composite
def row_charts(draw: Any) -> RowChart:
    n = draw(st.integers(1, 3))
    rows = tuple(
        ChartRow(label, tuple(ChartPoint("", y, y - 0.1, y + 0.1) for y in ys), group=group)
        for label, group, ys in draw(
            st.lists(st.tuples(names, names, st.lists(values, min_size=n, max_size=n)), max_size=5)
        )
    )
    series = tuple(f"series {i}" for i in range(n))
    style = draw(st.sampled_from(["bars", "marks"]))
    return RowChart("c", "A title", "What.", Y, series, rows, style=style)


@st.composite
def matrix_charts(draw: Any) -> MatrixChart:
    labels = tuple(draw(st.lists(names, max_size=5)))
    cells = tuple(tuple(draw(st.none() | st.floats(0, 1)) for _ in labels) for _ in labels)
    return MatrixChart("c", "A title", "What.", labels, labels, cells)


def drawings(chart: Any) -> list[ElementTree.Element]:
    text = str(figure(chart, numbers=False))
    return ElementTree.fromstring(text).findall("svg")  # well-formed, or this raises


@settings(max_examples=40)
@given(line_charts() | row_charts() | matrix_charts())
def test_any_chart_is_well_formed_finite_and_the_same_again(chart: Any) -> None:
    assert figure(chart) == figure(chart)
    wide, narrow = drawings(chart)
    for drawing in (wide, narrow):
        assert drawing[0].tag == "title" and drawing[0].text == "A title"
        assert drawing.get("aria-labelledby") == drawing[0].get("id")
        width, height = map(float, str(drawing.get("viewBox")).split()[2:])
        assert 0 < width < 2000 and 0 < height < 5000
        numbers = [
            float(value)
            for part in drawing.iter()
            for name, value in part.attrib.items()
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r")
        ]
        assert all(math.isfinite(number) for number in numbers)
        for mark in drawing.iter("circle"):
            assert 0 <= float(mark.attrib["cx"]) <= width
            assert 0 <= float(mark.attrib["cy"]) <= height


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_a_point_lies_where_its_value_says(kind: Any) -> None:
    points = tuple(ChartPoint(x, y) for x, y in [(1.0, 0.1), (10.0, 0.2), (100.0, 0.4)])
    chart = LineChart(
        "c", "A title", "What.", ChartAxis("x", kind), Y, (ChartSeries("one", points),)
    )
    for drawing in drawings(chart):
        marks = [(float(m.attrib["cx"]), float(m.attrib["cy"])) for m in drawing.iter("circle")]
        (x0, y0), (x1, y1), (x2, y2) = marks
        share = (x1 - x0) / (x2 - x0)
        assert share == pytest.approx({"linear": 9 / 99, "log": 0.5}[kind], abs=2e-3)
        assert (y0 - y1) / (y0 - y2) == pytest.approx(1 / 3, abs=2e-3)


def test_bars_begin_at_zero_and_are_as_long_as_their_values() -> None:
    rows = tuple(ChartRow(str(y), (ChartPoint("", y),)) for y in (0.2, 0.4, -0.1))
    chart = RowChart("c", "A title", "What.", Y, ("AMI",), rows, style="bars")
    wide, _ = drawings(chart)
    boxes = [(float(b.attrib["x"]), float(b.attrib["width"])) for b in wide.iter("rect")]
    assert boxes[1][1] == pytest.approx(2 * boxes[0][1], rel=1e-3)
    assert boxes[2][1] == pytest.approx(boxes[0][1] / 2, rel=1e-3)
    assert boxes[0][0] == boxes[1][0] == pytest.approx(boxes[2][0] + boxes[2][1], abs=0.02)


def test_what_lies_beyond_a_given_end_is_an_arrow_at_it() -> None:
    rows = tuple(ChartRow(str(y), (ChartPoint("", y),)) for y in (0.1, -0.9))
    axis = ChartAxis("AMI", low=-0.2, high=0.2, percent=True)
    wide, _ = drawings(RowChart("c", "A title", "What.", axis, ("AMI",), rows))
    assert len(list(wide.iter("circle"))) == 1
    assert "-0.9" in "".join(wide.itertext()) and "−90" not in "".join(wide.itertext())


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, ["0", "20", "40", "60", "80", "100"]),
        (-0.05, 0.05, ["−4", "−2", "0", "2", "4"]),
        (0.6, 0.61, ["60.0", "60.2", "60.4", "60.6", "60.8", "61.0"]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, wanted: list[str]) -> None:
    scale = axis_scale(ChartAxis("AMI", low=low, high=high, percent=True), [], 0, 100)
    assert [words for _, words in scale.ticks(5)] == wanted


@given(values, values, st.integers(2, 8))
def test_ticks_lie_between_the_ends_and_say_their_values(a: float, b: float, n: int) -> None:
    scale = axis_scale(ChartAxis("x", low=min(a, b), high=max(a, b) + 1e-3), [], 0, 100)
    ticks = scale.ticks(n)
    assert 1 <= len(ticks) <= 2 * n + 2
    for value, words in ticks:
        assert isinstance(value, float)
        assert scale.low - 1e-9 <= value <= scale.high + 1e-9
        assert float(words.replace("−", "-")) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_every_place(name: str) -> None:
    series = ChartSeries(name, (ChartPoint(name, 0.5, label=name),))
    lines = LineChart(
        "c", name, name, ChartAxis(name, "category"), ChartAxis(name), (series,), labelled=True
    )
    rows = RowChart(
        "c", name, name, Y, (name,), (ChartRow(name, (ChartPoint("", 0.5),), name, note=name),)
    )
    matrix = MatrixChart("c", name, name, (name,), (name,), ((0.5,),))
    for chart in (lines, rows, matrix):
        text = str(figure(chart))
        found = set(re.findall(r"<([a-z]+)", text))
        assert not found & {"script", "img", "title>"} and "<svg onload" not in text
        assert not set(text) & set("\u202e\u2066\u200b\ufeff\x1b\x07\u2028")
        assert drawings(chart)[0][0].text == escaped(name)


def test_the_numbers_of_a_figure_stand_in_a_table() -> None:
    chart = RowChart(
        "c",
        "A title",
        "What.",
        Y,
        ("heads", "others"),
        (
            ChartRow(
                "easy", ((ChartPoint("", 0.1, label="a"), ChartPoint("", 0.2, label="b")), None)
            ),
        ),
    )
    assert "a 10.0, b 20.0" in figure(chart) and "<details>" in figure(chart)
    assert "<details>" not in figure(chart, numbers=False)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="finite"):
        ChartPoint(1.0, math.nan)
    with pytest.raises(InputError, match="2 values for 1 series"):
        RowChart("c", "t", "s", Y, ("one",), (ChartRow("r", (None, None)),))
    with pytest.raises(InputError, match="1 rows of values for 2 x 1"):
        MatrixChart("c", "t", "s", ("a", "b"), ("c",), ((0.5,),))
