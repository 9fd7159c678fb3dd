"""Given guides, labels and notes, no line is drawn through words, and no word over a mark."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.pages import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    ChartSeries,
    LineChart,
    RowChart,
    figure,
)
from clusterbench.pages.charts.svg import text_width

values = st.floats(0, 1)
Y = ChartAxis("AMI", percent=True)
Box = tuple[float, float, float, float]


def drawings(chart: Any) -> list[ElementTree.Element]:
    return ElementTree.fromstring(str(figure(chart, numbers=False))).findall("svg")


def number(part: ElementTree.Element, name: str) -> float:
    return float(part.attrib[name])


def box_of(words: ElementTree.Element) -> Box:
    x, y, size = (number(words, name) for name in ("x", "y", "font-size"))
    wide = text_width(words.text or "", size)
    left = {"start": x, "middle": x - wide / 2, "end": x - wide}[
        words.attrib.get("text-anchor", "start")
    ]
    return left, y - 0.7 * size, left + wide, y


@settings(max_examples=60)
@given(st.lists(values, min_size=1, max_size=4), st.lists(values, min_size=1, max_size=6))
def test_no_guide_runs_through_words(guides: list[float], ys: list[float]) -> None:
    rows = tuple(
        ChartRow(f"a method {i}", (ChartPoint("", y),), group=f"group {i // 2}", note=f"{y:.1f}")
        for i, y in enumerate(ys)
    )
    lines = tuple(ChartGuide(value, f"reference {i}") for i, value in enumerate(guides))
    for drawing in drawings(RowChart("c", "t", "s", Y, ("one",), rows, guides=lines)):
        parts = list(drawing.iter())
        for place, words in enumerate(parts):
            if words.tag != "text":
                continue
            left, top, right, bottom = box_of(words)
            paper = parts[place - 1]
            covered = paper.tag == "rect" and (
                number(paper, "x") <= left
                and number(paper, "y") <= top + 1
                and number(paper, "x") + number(paper, "width") >= right
                and number(paper, "y") + number(paper, "height") >= bottom
            )
            for when, line in enumerate(parts):
                if line.get("class") != "guide":
                    continue
                x = number(line, "x1")
                if left < x < right and number(line, "y1") < bottom and number(line, "y2") > top:
                    assert covered and when < place, words.text


def test_the_words_of_guides_lie_over_the_lines_that_they_cross() -> None:
    """Near ones at the right end: the label of the last one is the highest."""
    row = (ChartRow("a", (ChartPoint("", 0.0),)),)
    lines = tuple(ChartGuide(value, f"at {value}") for value in (0.96, 1.0, 0.98))
    wide, _ = drawings(RowChart("c", "t", "s", Y, ("one",), row, guides=lines))
    heights = {w.text: number(w, "y") for w in wide.iter("text") if str(w.text).startswith("at")}
    assert sorted(heights, key=lambda label: heights[label]) == ["at 1.0", "at 0.98", "at 0.96"]


@settings(max_examples=60)
@given(st.lists(st.tuples(values, values), min_size=2, max_size=12), st.integers(0, 7))
def test_no_label_of_a_point_stands_over_a_mark(at: list[tuple[float, float]], look: int) -> None:
    points = tuple(ChartPoint(x, y, label=f"point {i}") for i, (x, y) in enumerate(at))
    series = (ChartSeries("one", points, joined=False, look=0),)
    chart = LineChart("c", "t", "s", ChartAxis("x"), Y, series, labelled=True)
    for drawing in drawings(chart):
        marks = [(number(m, "cx"), number(m, "cy")) for m in drawing.iter("circle")]
        reach = 1.3 * 4.5  # of the largest mark, a diamond
        for words in drawing.iter("text"):
            if not str(words.text).startswith("point"):
                continue
            left, top, right, bottom = box_of(words)
            for x, y in marks:
                beside = x + reach <= left or x - reach >= right
                assert beside or y + reach <= top or y - reach >= bottom, words.text


def test_a_label_is_nearest_to_its_own_mark_or_has_a_line_to_it() -> None:
    """Five marks in a row at the top, as of methods that are all as good."""
    xs = (0.10, 0.13, 0.15, 0.155, 0.17)
    points = tuple(ChartPoint(x, 0.95, label=f"method-number-{i}") for i, x in enumerate(xs))
    far = ChartPoint(1.0, 0.3, label="another")
    series = (ChartSeries("one", (*points, far), joined=False, look=0),)
    chart = LineChart("c", "t", "s", ChartAxis("x"), Y, series, labelled=True)
    for drawing in drawings(chart):
        marks = [(number(m, "cx"), number(m, "cy")) for m in drawing.iter("circle")]
        parts = list(drawing.iter())
        own = dict(zip([p.label for p in (*points, far)], marks, strict=True))
        found = 0
        for place, words in enumerate(parts):
            if words.text not in own:
                continue
            x, y = own[words.text]
            if parts[place - 1].tag == "line":
                led = parts[place - 1]
                assert abs(number(led, "x1") - x) < 0.02 and abs(number(led, "y1") - y) < 0.02
            else:
                gaps = {mark: _gap(box_of(words), mark) for mark in marks}
                assert min(gaps, key=lambda mark: gaps[mark]) == (x, y), words.text
            found += parts[place].tag == "text"
        assert found >= 3
        leads = [part for part in parts if part.tag == "line" and part.get("class") == "axis"]
        labels = [box_of(part) for part in parts if part.text in own and part.tag == "text"]
        for lead in leads:
            ends = [number(lead, name) for name in ("x1", "y1", "x2", "y2")]
            for share in (0.1, 0.3, 0.5, 0.7, 0.9):
                x = ends[0] + share * (ends[2] - ends[0])
                y = ends[1] + share * (ends[3] - ends[1])
                assert all(not (a < x < c and b < y < d) for a, b, c, d in labels)


def _gap(box: Box, mark: tuple[float, float]) -> float:
    left, top, right, bottom = box
    across = max(left - mark[0], mark[0] - right, 0.0)
    return float((across**2 + max(top - mark[1], mark[1] - bottom, 0.0) ** 2) ** 0.5)
