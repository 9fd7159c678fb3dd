"""The table of a leaderboard: ranked entrants first, incomplete ones without figures below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..limits import ONE_LINE
from ..printable import escaped, shown

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..leaderboard.board.models import PublishedRow
    from ..leaderboard.ranking.entrants import BoardRow, Ranking

_METRICS = ("ami", "acc")


def render_ranking(ranking: Ranking) -> RenderableType:
    """One ranking: heading, table, what incomplete entrants lack, rows of the literature."""
    from ..metrics import METRICS

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("method", no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column("encoder", no_wrap=True, overflow="ellipsis", max_width=26)
    for name in _METRICS:
        table.add_column(METRICS[name].label, justify="right", no_wrap=True)
    table.add_column("tasks", justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    labels = _labels(ranking)
    for row in ranking.rows:
        table.add_row(*_cells(row, labels[row.entrant], ranking.n_tasks))
    if ranking.rows and ranking.floor:
        floor = [f"{100 * ranking.floor[name]:.1f}" for name in _METRICS]
        table.add_row("", "random", "", *floor, "", "", style="dim")
    heading = Text.assemble((f"{shown(ranking.benchmark)} / {shown(ranking.dataset)}", "bold"))
    if ranking.protocol == "transductive":
        heading.append(" · transductive")
    return Group(heading, Text(), table, Text(), *_notes(ranking, labels))


def _labels(ranking: Ranking) -> dict[str, str]:
    """Name of each entrant; settings that share a method's name get their hash beside it.

    A reference is marked by a star.
    """
    names = Counter((row.method, row.encoder) for row in ranking.rows)
    return {
        row.entrant: f"{shown(row.method)}{'*' if row.reference else ''}"
        if names[row.method, row.encoder] == 1
        else f"{shown(row.method)}{'*' if row.reference else ''} {row.entrant[:4]}"
        for row in ranking.rows
    }


def _cells(row: BoardRow, label: str, n_tasks: int) -> list[Text]:
    style = "" if row.complete else "dim italic" if row.reference else "dim"
    first = row.rank == 1
    figures = [
        Text(f"{100 * row.means[name]:.1f}", style="bold" if first and name == "ami" else style)
        if row.means
        else Text("–", style="dim")
        for name in _METRICS
    ]
    return [
        Text(str(row.rank) if row.rank else "–", style=style),
        Text(label, style=style),
        Text(shown(row.encoder), style=style),
        *figures,
        Text(f"{row.n_tasks}/{n_tasks}", style="" if row.n_tasks == n_tasks else "red"),
        Text(str(len(row.seeds)), style=style),
    ]


def _notes(ranking: Ranking, labels: dict[str, str]) -> Iterator[Text]:
    dim = "dim"
    yield Text("Percent; mean over tasks of the mean over seeds, ranked by AMI.", dim)
    yield Text("Every row is verified: scored again from its predictions.", dim)
    if ranking.protocol == "transductive":
        yield Text("Transductive: fitted and scored on the same training images.", dim)
    if any(row.reference for row in ranking.rows):
        yield Text("* reference, not ranked: fitted with the training labels, a ceiling.", dim)
    for row in ranking.rows:
        if row.missing:
            what = "No mean" if row.reference else "Incomplete, not ranked"
            yield Text(f"{what}: {labels[row.entrant]} lacks {escaped(row.missing)}.", dim)
    for published in ranking.published:
        yield Text(_published(published), dim)


def _published(row: PublishedRow) -> str:
    figures = ", ".join(
        f"{shown(name).upper()} {100 * value:.1f}" for name, value in row.metrics.items()
    )
    what = f"{shown(row.method)} ({shown(row.backbone)})"
    return f"Published, not verified: {what} {figures}; {shown(row.source, ONE_LINE)}"
