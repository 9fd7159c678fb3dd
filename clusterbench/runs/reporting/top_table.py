"""Tables of a report on ranked clusters, below the usual one: in percent, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from ...printable import shown
from .percent import percent
from .top_summary import TopRow, TopSummary

if TYPE_CHECKING:
    from rich.console import RenderableType

#: Labels that would make a table of five figures wider than 80 columns.
_SHORT = {"any_label_acc": "any-label", "semantic_acc": "semantic"}

#: Columns of a rank: figure and heading, for tasks with a class tree and for others.
_ON_TREE = {
    "chain": "chain found",
    "chain_chance": "chance",
    "other_gain": "coarser",
    "hits": "node hit",
    "hits_chance": "chance",
}
_ON_LABELS = {
    "top_n_acc": "top-n ACC",
    "hits": "label hit",
    "hits_chance": "chance",
    "any_hit": "any so far",
    "coverage": "coverage",
}
_TREE_LEGEND = (
    "Rank by rank: share of the chain, from an image's class to the root, that the class of its "
    "r-th cluster shares. Coarser: points above chance over the images whose r-th cluster is not "
    "their own class. Node hit: share of images whose r-th cluster stands for a node of their "
    "chain, where clusters are paired with nodes of any depth. Chance: the same rankings dealt out "
    "to the images at random. The pairings are fitted to rank 1: read ranks 2 and on."
)
_LABELS_LEGEND = (
    "Rank by rank: share of images whose r-th cluster stands for one of their labels; any so far, "
    "and the share of their labels found so far (coverage). Chance: the same rankings dealt out to "
    "the images at random. The pairing is fitted to rank 1: read ranks 2 and on."
)


def top_tables(summaries: Sequence[TopSummary]) -> Iterator[RenderableType]:
    """For each task with ranked clusters its two tables; then what their columns mean."""
    shown = [summary for summary in summaries if any(row.complete for row in summary.rows)]
    for summary in shown:
        yield Text()
        yield _heading(summary)
        yield Text()
        yield _scores_table(summary)
        yield Text()
        yield _ranks_table(summary)
    legends = {_TREE_LEGEND if summary.on_tree else _LABELS_LEGEND: None for summary in shown}
    for legend in legends:
        yield Text()
        yield Text(legend, style="dim")


def _heading(summary: TopSummary) -> Text:
    sizes = f" · {summary.n_classes:,} classes, {summary.n_ranks} ranked clusters per image"
    return Text.assemble((shown(summary.task), "bold"), sizes)


def _scores_table(summary: TopSummary) -> Table:
    from ...metrics import FURTHER_METRICS

    columns = {"acc": "top-1 ACC", "top_n_acc": f"top-{summary.n_ranks} ACC"}
    names = ("any_label_acc", "lca_acc", "semantic_acc")
    present = {name for row in summary.rows for name in row.figures}
    columns |= {n: _SHORT.get(n, FURTHER_METRICS[n].label) for n in names if n in present}
    table = _table()
    for heading in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.rows:
        table.add_row(Text(shown(row.method)), *(_cell(summary, row, name) for name in columns))
    return table


def _cell(summary: TopSummary, row: TopRow, name: str) -> Text:
    if name not in row.figures:
        return Text("–", style="dim")
    complete = [other.figures[name].mean for other in summary.rows if name in other.figures]
    best = len(summary.rows) > 1 and row.figures[name].mean == max(complete)
    return Text(percent(row.figures[name]), style="bold" if best else "")


def _ranks_table(summary: TopSummary) -> Table:
    columns = _ON_TREE if summary.on_tree else _ON_LABELS
    table = _table()
    table.add_column("rank", justify="right", no_wrap=True)
    for heading in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.rows:
        for at in row.ranks:
            cells = []
            for name in columns:
                figure = at.figures.get(name)
                if figure is None:
                    cells.append(Text("–", style="dim"))
                elif name.endswith("_chance"):
                    cells.append(Text(f"{100 * figure.mean:.1f}", style="dim"))
                else:
                    sign = "+" if name == "other_gain" and figure.mean >= 0 else ""
                    cells.append(Text(sign + percent(figure)))
            name = row.method if at.rank == 1 else ""
            table.add_row(Text(shown(name)), str(at.rank), *cells, end_section=at is row.ranks[-1])
    return table


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("method", no_wrap=True, overflow="ellipsis", max_width=12)
    return table
