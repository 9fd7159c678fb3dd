"""The table of a report: mean and standard deviation over seeds, in percent, 80 columns wide."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ...printable import shown
from ...results.protocol import scored_split
from .percent import percent, percent_of
from .summary import COLUMNS, Heading, MethodRow, TaskSummary
from .top_summary import TopSummary
from .top_table import top_tables

if TYPE_CHECKING:
    from rich.console import RenderableType

_REFERENCE = "dim italic"


def render(
    heading: Heading, summaries: Sequence[TaskSummary], tops: Sequence[TopSummary]
) -> RenderableType:
    """One Rich table with a heading above and a legend below.

    Tasks that name several clusters per image follow with tables of their own (`top_table`).
    """
    from ...metrics import METRICS

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True, show_edge=False
    )
    table.add_column("task", no_wrap=True, overflow="ellipsis", max_width=14)
    table.add_column("method", no_wrap=True, overflow="ellipsis", max_width=15)
    for name in COLUMNS:
        table.add_column(METRICS[name].label, justify="right", no_wrap=True)
    for summary in summaries:
        _add_task(table, summary)
    title = Text.assemble(
        (f"{shown(heading.benchmark)} / {shown(heading.dataset)}", "bold"),
        f" · {shown(heading.encoder)}",
    )
    legend = _legend(heading, summaries)
    return Group(title, Text(), table, Text(), *legend, *top_tables(tops))


def render_text(
    heading: Heading,
    summaries: Sequence[TaskSummary],
    tops: Sequence[TopSummary],
    width: int,
) -> str:
    """The same as plain text without colours."""
    console = Console(file=io.StringIO(), width=width, no_color=True, highlight=False)
    console.print(render(heading, summaries, tops))
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _add_task(table: Table, summary: TaskSummary) -> None:
    rows = [_method_cells(summary, row) for row in summary.rows]
    if summary.floor:
        floor = [percent_of(summary.floor[name]) for name in COLUMNS]
        rows.append([Text(cell, style="dim") for cell in ("random", *floor)])
    sizes = f"{summary.n_classes:,} classes"
    if summary.k != summary.n_classes:
        sizes = f"K {summary.k:,} / {summary.n_classes:,}"
    names = [Text(shown(summary.task), style="bold"), Text(sizes, style="dim")]
    while len(rows) < 2:
        rows.append([Text()] * (1 + len(COLUMNS)))
    for position, cells in enumerate(rows):
        name = names[position] if position < len(names) else Text()
        table.add_row(name, *cells, end_section=position == len(rows) - 1)


def _method_cells(summary: TaskSummary, row: MethodRow) -> list[Text]:
    cells = [
        Text(f"{shown(row.method)}*", style=_REFERENCE)
        if row.reference
        else Text(shown(row.method))
    ]
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


def _legend(heading: Heading, summaries: Sequence[TaskSummary]) -> list[Text]:
    n = len(heading.seeds)
    over = f"mean ± std over {n} seeds" if n > 1 else f"seed {heading.seeds[0]}"
    if not any(summary.methods for summary in summaries):
        over = "one run each"
    split = scored_split(heading.protocol)
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
            f"Apart from that, standard error over {split} images: up to {percent_of(max(errors))}."
        )
    if any(summary.floor for summary in summaries):
        lines.append("random: what a uniform random assignment scores.")
    if any(row.reference for summary in summaries for row in summary.rows):
        lines.append("* reference: fitted with the training labels, a ceiling and never best.")
    if any(not row.complete for summary in summaries for row in summary.rows):
        lines.append("A row with a failed or missing run has no mean.")
    return [Text(line, style="dim") for line in lines]
