"""The table of a ranking: those with a place first, the others without figures below."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..printable import shown
from .board_notes import notes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..leaderboard.ranking.model import BoardRow, Ranking

_METRICS = ("ami", "acc")
_NONE = "–"


def render_ranking(ranking: Ranking) -> RenderableType:
    """One ranking: heading, table, what its figures mean, what deserves a look."""
    from ..metrics import METRICS

    # Where all are on one encoder's features, the heading names it, and the table has room.
    encoders = {row.encoder for row in ranking.rows}
    with_encoder = len(encoders) > 1
    gap = 1 if with_encoder else 2
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("method", no_wrap=True, overflow="ellipsis", max_width=20)
    if with_encoder:
        table.add_column("encoder", no_wrap=True, overflow="ellipsis", max_width=26)
    table.add_column(f"{METRICS['ami'].label} ", justify="right", no_wrap=True)
    table.add_column(METRICS["acc"].label, justify="right", no_wrap=True)
    for name in ("places", "first", "tasks", "seeds"):
        table.add_column(name, justify="right", no_wrap=True)
    labels = row_labels(ranking)
    for row in ranking.rows:
        cells = _cells(row, labels[row.entrant], ranking.n_tasks)
        table.add_row(*(cells if with_encoder else cells[:2] + cells[3:]))
    if ranking.rows and ranking.floor:
        ami, acc = (_percent(ranking.floor[name]) for name in _METRICS)
        start = ["", "random", *([""] if with_encoder else [])]
        table.add_row(*start, f"{ami}     ", acc, "", "", "", "", style="dim")
    parts: list[RenderableType] = [_heading(ranking, encoders), Text()]
    if ranking.rows:
        parts += [table, Text()]
    return Group(*parts, *notes(ranking, labels))


def row_labels(ranking: Ranking) -> dict[str, str]:
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


def _heading(ranking: Ranking, encoders: set[str]) -> Text:
    place = [part for part in (ranking.benchmark, ranking.dataset, ranking.task) if part]
    named = " / ".join(map(shown, place)) or "all data sets"
    if ranking.scope == "dataset":
        named = f"{named} / all benchmarks"
    heading = Text.assemble((named, "bold"))
    if ranking.protocol == "transductive":
        heading.append(" · transductive")
    if ranking.encoder or (len(encoders) == 1 and "" not in encoders):
        heading.append(f" · {shown(ranking.encoder or next(iter(encoders)))}")
    return heading


def _cells(row: BoardRow, label: str, n_tasks: int) -> list[Text]:
    style = "" if row.complete else "dim italic" if row.reference else "dim"
    may_be_first = row.places is not None and row.places[0] == 1
    ami = acc = Text(_NONE, style="dim")
    if row.means:
        reach = ""
        if row.interval is not None:
            reach = f"±{50 * (row.interval.high - row.interval.low):.1f}"
        text = f"{_percent(row.means['ami'])} {reach:>4}"
        ami = Text(text, style="bold" if may_be_first else style)
        acc = Text(_percent(row.means["acc"]), style=style)
    places = "" if row.places is None else _range(*row.places)
    first = "" if row.stability is None else f"{100 * row.stability.first:.0f}%"
    return [
        Text(_place(row), style=style),
        Text(label, style=style),
        Text(shown(row.encoder), style=style),
        ami,
        acc,
        Text(places, style=style),
        Text(first, style=style),
        Text(f"{row.n_tasks}/{n_tasks}", style="" if row.n_tasks == n_tasks else "red"),
        Text(str(len(row.seeds)), style=style),
    ]


def _percent(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}"  # no -0.0


def _place(row: BoardRow) -> str:
    if row.place is None:
        return _NONE
    return f"{row.place}=" if row.n_sharing > 1 else f"{row.place} "


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"
