"""A chart of every kind and with every option, to be looked at."""

from __future__ import annotations

from boards import share

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

NAMES = tuple(f"method {i}" for i in range(8))
Y = ChartAxis("AMI (%)", percent=True)
TASKS = ("easiest", "a task of a long name", "hardest")


def every_chart() -> list[LineChart | RowChart | MatrixChart]:
    def point(x: float | str, *of: object, label: str = "", quiet: bool = False) -> ChartPoint:
        y = 0.2 + 0.5 * share(*of, x)
        return ChartPoint(x, y, y - 0.03, y + 0.03, label=label, quiet=quiet)

    guides = (ChartGuide(0.0, "chance"), ChartGuide(0.8, "linear-probe"))
    lines = tuple(
        ChartSeries(name, tuple(point(x, name) for x in (1.0, 3.0, 10.0, 30.0))) for name in NAMES
    )
    places = tuple(
        ChartSeries(name, tuple(point(x, name) for x in TASKS), joined=False) for name in NAMES[:4]
    )
    named = tuple(
        ChartSeries(name, (point(10 * share(name), name, label=name),), joined=False)
        for name in NAMES
    )
    rows = tuple(
        ChartRow(
            task,
            tuple(point("", task, name, quiet=name == NAMES[1]) for name in NAMES[:3]),
            group=f"group {task[0]}",
            href="#content",
            note="a note",
        )
        for task in TASKS
    )
    return [
        LineChart("c1", "Lines", "What.", ChartAxis("ratio", "log"), Y, lines, guides),
        LineChart("c2", "Places", "What.", ChartAxis("task", "category"), Y, places),
        LineChart("c3", "Names", "What.", ChartAxis("seconds"), Y, named, labelled=True),
        RowChart("c4", "Rows", "What.", Y, NAMES[:3], rows, guides),
        RowChart("c5", "Bars", "What.", Y, NAMES[:3], rows, guides, style="bars"),
        MatrixChart(
            "c6",
            "Wins",
            "What.",
            NAMES,
            NAMES,
            tuple(tuple(None if i == j else share(i, j) for j in range(8)) for i in range(8)),
        ),
    ]
