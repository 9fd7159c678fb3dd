"""Figures for papers: all forms, the same bytes again, and the numbers beside them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

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
)
from clusterbench.reports import build_report
from clusterbench.reports.content.parts import ReportPart
from clusterbench.reports.export.figure_files import write_figures
from clusterbench.reports.export.pictures import pictures

ODD = "x$_{2}$ \\frac 漢字 \U0001f600 " + "long " * 40

LINES = LineChart(
    "a",
    ODD,
    "",
    ChartAxis(ODD, "log"),
    ChartAxis("y", percent=True),
    (
        ChartSeries(ODD, (ChartPoint(1.0, 0.2, 0.1, 0.3), ChartPoint(30.0, 0.4))),
        ChartSeries("b", (ChartPoint(3.0, 0.2, label=ODD),), joined=False),
    ),
    (ChartGuide(0.05, "floor"),),
)
NAMES = LineChart(
    "b",
    "bands",
    "",
    ChartAxis("band", "category"),
    ChartAxis("y", "log", low=0.1, high=1.0),
    (ChartSeries("a", (ChartPoint("head", 0.3), ChartPoint("tail", 0.2))),),
    labelled=True,
)
ROWS = RowChart(
    "c",
    "rows",
    "",
    ChartAxis("x", percent=True),
    ("one", "two"),
    (
        ChartRow(ODD, (ChartPoint(0.0, 0.2, 0.1, 0.3), None), group="g"),
        ChartRow("b", (ChartPoint(0.0, 0.3), ChartPoint(0.0, 0.4))),
    ),
    (ChartGuide(0.1, "random"),),
)
BARS = RowChart("d", "bars", "", ChartAxis("x"), ("one", "two"), ROWS.rows, style="bars")
MATRIX = MatrixChart("e", "wins", "", ("a", "b"), ("a", ODD), ((None, 0.5), (0.2, 1.0)))


@pytest.mark.parametrize("chart", [LINES, NAMES, ROWS, BARS, MATRIX], ids=lambda chart: chart.key)
def test_each_form_is_what_it_says_and_the_same_again(
    chart: LineChart | RowChart | MatrixChart, tmp_path: Path
) -> None:
    files = pictures(chart)
    assert files["pdf"].startswith(b"%PDF") and files["svg"].startswith(b"<?xml")
    (tmp_path / "a.png").write_bytes(files["png"])
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 300 and len(image.convert("RGB").getcolors(1 << 24)) > 10
    assert pictures(chart) == files


@pytest.mark.slow
def test_a_folder_of_figures_and_tables(world: SimpleNamespace) -> None:
    built = build_report("results", "page.html", figures="figures")
    names = {path.name for path in built.figures}
    assert names | {"figures.json"} == {path.name for path in Path("figures").iterdir()}
    stems = {Path(name).stem for name in names if name.startswith("figure-")}
    for stem in stems:
        assert {f"{stem}.{form}" for form in ("png", "svg", "pdf", "csv")} <= names
    (curve,) = [s for s in stems if "ami-against-the-imbalance-ratio" in s]
    with Path("figures", f"{curve}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["series"] for row in rows} >= {"kmeans", "modulo", "random"}
    assert {row["label"] for row in rows} == {"ratio-1", "ratio-4"}
    for row in rows:
        if row["series"] != "random":
            assert float(row["low"]) <= float(row["y"]) <= float(row["high"])
    (first,) = [n for n in names if n.startswith("table-01") and n.endswith(".tex")]
    latex = Path("figures", first).read_text()
    assert r"\toprule" in latex and "kmeans" in latex and r"\textbf{" in latex
    again = build_report("results", "page.html", figures="again")
    assert [p.read_bytes() for p in built.figures] == [p.read_bytes() for p in again.figures]


def test_no_line_is_drawn_over_a_gap() -> None:
    """The picture of the points before and after it, without the long line between."""

    def inked(after_gap: bool) -> int:
        points = (ChartPoint(1.0, 0.1), ChartPoint(2.0, 0.5, after_gap=after_gap))
        axis = ChartAxis("x")
        chart = LineChart("g", "", "", axis, axis, (ChartSeries("one", points),))
        with Image.open(io.BytesIO(pictures(chart)["png"])) as image:
            colours = {c: n for n, c in image.convert("RGB").getcolors(1 << 24)}
        return colours[0, 0x72, 0xB2]

    assert inked(after_gap=True) < 0.5 * inked(after_gap=False)


class TestFolder:
    """One chart stands for those of a report, which take a while to draw."""

    def write(self, *charts: LineChart) -> set[str]:
        written = write_figures(Path("figures"), [ReportPart("a", "a", charts)], [])
        names = {path.name for path in Path("figures").iterdir()}
        assert {path.name for path in written} | {"figures.json"} == names
        return names

    def test_those_of_an_earlier_report_go(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        first = self.write(NAMES, replace(NAMES, title="gone"))
        assert "figure-02-gone.csv" in first
        assert self.write(NAMES) == {name for name in first if not name.startswith("figure-02")}

    @pytest.mark.parametrize("made", [False, True])
    def test_files_of_others_stay_and_the_report_is_refused_before_all_work(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
    ) -> None:
        monkeypatch.chdir(tmp_path)
        if made:
            self.write(NAMES)
        Path("figures").mkdir(exist_ok=True)
        Path("figures/thesis.tex").write_text("mine")
        before = sorted(Path("figures").iterdir())
        wanted = "holds thesis.tex" if made else "is no folder of a report's figures"
        with pytest.raises(InputError, match=wanted):
            build_report("nowhere", "page.html", figures="figures")
        with pytest.raises(InputError, match=wanted):
            self.write(NAMES)
        assert sorted(Path("figures").iterdir()) == before and not Path("page.html").exists()

    def test_a_page_among_its_figures_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(InputError, match="would stand among the figures"):
            build_report("nowhere", "figures/page.html", figures="figures")
