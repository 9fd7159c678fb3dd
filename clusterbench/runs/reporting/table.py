"""The table of a report: mean and standard deviation over seeds, in percent, 80 columns wide."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ...results.protocol import scored_split
from .summary import COLUMNS, Figure, MethodRow, TaskSummary, summarise

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..outcome import RunReport

WIDTH = 80

_REFERENCE = "dim italic"


def render(report: RunReport) -> RenderableType:
    """The report as one Rich table with a heading above and a legend below.

    Tasks that rank clusters follow with tables of their own (`ranked_table`).
    """
    from ...metrics import METRICS
    from .top_table import ranked_parts

    summaries = summarise(report.outcomes)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("method", no_wrap=True, overflow="ellipsis", max_width=14)
    for name in COLUMNS:
        table.add_column(METRICS[name].label, justify="right", no_wrap=True)
    for summary in summaries:
        _add_task(table, summary)
    heading = Text.assemble(
        (f"{report.benchmark} / {report.dataset}", "bold"), f" · {report.features.encoder}"
    )
    legend = _legend(report, summaries)
    return Group(heading, Text(), table, Text(), *legend, *ranked_parts(report))


def render_text(report: RunReport, width: int = WIDTH) -> str:
    """The report as plain text without colours."""
    console = Console(file=io.StringIO(), width=width, no_color=True, highlight=False)
    console.print(render(report))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def percent(figure: Figure) -> str:
    """`54.3 ± 0.4`, or `54.3` for a single seed."""
    mean = _percent(figure.mean)
    return mean if figure.std is None else f"{mean} ± {_percent(figure.std)}"


def _percent(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}"  # adding 0 turns -0.0 into 0.0


def _add_task(table: Table, summary: TaskSummary) -> None:
    rows = [_method_cells(summary, row) for row in summary.rows]
    if summary.floor:
        floor = [_percent(summary.floor[name]) for name in COLUMNS]
        rows.append([Text(cell, style="dim") for cell in ("random", *floor)])
    sizes = f"{summary.n_classes:,} classes"
    if summary.k != summary.n_classes:
        sizes = f"K {summary.k:,} / {summary.n_classes:,}"
    names = [Text(summary.task, style="bold"), Text(sizes, style="dim")]
    while len(rows) < 2:
        rows.append([Text()] * (1 + len(COLUMNS)))
    for position, cells in enumerate(rows):
        name = names[position] if position < len(names) else Text()
        table.add_row(name, *cells, end_section=position == len(rows) - 1)


def _method_cells(summary: TaskSummary, row: MethodRow) -> list[Text]:
    cells = [Text(f"{row.method}*", style=_REFERENCE) if row.reference else Text(row.method)]
    if not row.complete:
        cells.append(Text(_shortfall(row), style="red"))
        return cells + [Text("–", style="dim")] * (len(COLUMNS) - 1)
    for name in COLUMNS:
        figure = row.figures[name]
        if row.reference:
            style = _REFERENCE
        else:
            best = len(summary.methods) > 1 and figure.mean == summary.best(name)
            style = "bold" if best else ""
        cells.append(Text(percent(figure), style=style))
    return cells


def _shortfall(row: MethodRow) -> str:
    if row.n_failed:
        return f"{row.n_failed}/{row.n_seeds} failed"
    return f"{row.n_seeds - row.n_success}/{row.n_seeds} missing"


def _legend(report: RunReport, summaries: list[TaskSummary]) -> list[Text]:
    n = len(report.seeds)
    over = f"mean ± std over {n} seeds" if n > 1 else f"seed {report.seeds[0]}"
    if not any(summary.methods for summary in summaries):
        over = "one run each"
    split = scored_split(report.protocol)
    on = f"{split} split" + (" (transductive)" if split == "train" else "")
    lines = [f"Percent on the {on}, {over}; bold: best of its column."]
    errors = [
        figure.sample_error
        for summary in summaries
        for row in summary.rows
        for figure in row.figures.values()
        if figure.sample_error is not None
    ]
    if errors:
        lines.append(
            f"Apart from that, standard error over {split} images: up to {_percent(max(errors))}."
        )
    if any(summary.floor for summary in summaries):
        lines.append("random: what a uniform random assignment scores.")
    if any(row.reference for summary in summaries for row in summary.rows):
        lines.append("* reference: fitted with the training labels, a ceiling and never best.")
    if any(not row.complete for summary in summaries for row in summary.rows):
        lines.append("A row with a failed or missing run has no mean.")
    return [Text(line, style="dim") for line in lines]
