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

_COLUMNS = (
    *("#", "method", "encoder", "ami", "±", "acc"),
    *("rank", "places", "first", "tasks", "seeds"),
)
_NONE = "–"
#: Characters of a method's and of an encoder's name where both are shown.
_WIDTH = 16


def render_ranking(ranking: Ranking) -> RenderableType:
    """One ranking: heading, table, what its figures mean, what deserves a look."""
    from ..metrics import METRICS

    # Where all are on one encoder's features, the heading names it, and the table has room.
    encoders = {row.encoder for row in ranking.rows}
    several, wide = len(encoders) > 1, ranking.scope in ("dataset", "overall")
    gap = 0 if several else 2
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, gap, 0, 0), show_edge=False)
    left_out = {*(() if several else ("encoder",)), *(("seeds",) if several or wide else ())}
    left_out |= set() if wide else {"rank"}
    columns = [name for name in _COLUMNS if name not in left_out]
    for name in columns:
        label = METRICS[name].label if name in METRICS else name
        if name in ("method", "encoder"):
            width = _WIDTH if several else _WIDTH + 4
            table.add_column(label, no_wrap=True, overflow="ellipsis", max_width=width)
        else:
            table.add_column(label, justify="right", no_wrap=True)
    labels = row_labels(ranking)
    for row in ranking.rows:
        cells = _cells(row, labels[row.entrant], ranking.n_tasks)
        table.add_row(*(cells[name] for name in columns))
    if ranking.rows and ranking.floor:
        floor = {name: _percent(ranking.floor[name]) for name in ("ami", "acc")}
        floor["method"] = "random"
        table.add_row(*(floor.get(name, "") for name in columns), style="dim")
    parts: list[RenderableType] = [_heading(ranking, encoders), Text()]
    if ranking.rows:
        parts += [table, Text()]
    return Group(*parts, *notes(ranking, labels))


def row_labels(ranking: Ranking) -> dict[str, str]:
    """Name of each entrant; settings that share a method's name get their hash beside it.

    A reference is marked by a star.
    """
    names = Counter((row.method, row.encoder) for row in ranking.rows)
    labels = {}
    for row in ranking.rows:
        label = f"{shown(row.method)}{'*' if row.reference else ''}"
        if names[row.method, row.encoder] > 1:
            known = f" {row.entrant[:4]}"
            if len(label) + len(known) > _WIDTH:
                label = f"{label[: _WIDTH - len(known) - 1]}…"
            label += known
        labels[row.entrant] = label
    return labels


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


def _cells(row: BoardRow, label: str, n_tasks: int) -> dict[str, Text]:
    style = "" if row.complete else "dim italic" if row.reference else "dim"
    may_be_first = row.places is not None and row.places[0] == 1
    ami = acc = Text(_NONE, style="dim")
    if row.means:
        ami = Text(_percent(row.means["ami"]), style="bold" if may_be_first else style)
        acc = Text(_percent(row.means["acc"]), style=style)
    reach = ""
    if row.interval is not None:
        reach = _percent((row.interval.high - row.interval.low) / 2)
    plain = {
        "#": _place(row),
        "method": label,
        "encoder": shown(row.encoder),
        "±": reach,
        "rank": "" if row.mean_rank is None else f"{row.mean_rank:.1f}",
        "places": "" if row.places is None else _range(*row.places),
        "first": "" if row.stability is None else f"{100 * row.stability.first:.0f}%",
        "seeds": str(len(row.seeds)),
    }
    tasks = Text(f"{row.n_tasks}/{n_tasks}", style="" if row.n_tasks == n_tasks else "red")
    named = {name: Text(text, style=style) for name, text in plain.items()}
    return {**named, "ami": ami, "acc": acc, "tasks": tasks}


def _percent(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:.1f}"  # no -0.0


def _place(row: BoardRow) -> str:
    if row.place is None:
        return _NONE
    return f"{row.place}=" if row.n_sharing > 1 else f"{row.place} "


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"
