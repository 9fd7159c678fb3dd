"""What about an entrant deserves a look: perfect scores, and predictions that are another's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...printable import shown
from ..board.models import Entry
from .model import BoardRow, Flag, RankedTask


@dataclass
class _Files:
    """Who has which predictions file: of each two entrants, and of each entrant two entries."""

    rows: dict[tuple[str, str], list[tuple[BoardRow, Entry]]] = field(default_factory=dict)
    entries: dict[tuple[str, str, str], list[Entry]] = field(default_factory=dict)

    def add(self, row: BoardRow, entry: Entry) -> None:
        own = self.entries.setdefault((*_file(entry), row.entrant), [])
        if not own:
            of_file = self.rows.setdefault(_file(entry), [])
            if len(of_file) < 2:
                of_file.append((row, entry))
        if len(own) < 2:
            own.append(entry)

    def others(self, row: BoardRow, entry: Entry) -> Iterator[tuple[str, BoardRow, Entry]]:
        for other_row, other in self.rows.get(_file(entry), ()):
            if other_row.entrant != row.entrant:
                yield "same as other entrant", other_row, other
                break
        for other in self.entries.get((*_file(entry), row.entrant), ()):
            if other is not entry:
                yield "same as other seed", row, other
                break


def flags_of(rows: Sequence[BoardRow], tasks: Sequence[RankedTask]) -> list[tuple[Flag, ...]]:
    """Flags of each row, at most one of each kind for an entry.

    References are not looked at: they are given the classes, and may well agree.
    """
    keys = {(task.benchmark, task.dataset, task.task): task.key for task in tasks}
    files = _Files()
    for row in rows:
        for entry in row.entries:
            if entry.predictions_sha256 and not row.reference:
                files.add(row, entry)
    return [
        ()
        if row.reference
        else tuple(
            flag
            for entry in row.entries
            for flag in _flags(row, entry, keys[entry.benchmark, entry.dataset, entry.task], files)
        )
        for row in rows
    ]


def _flags(row: BoardRow, entry: Entry, task: str, files: _Files) -> Iterator[Flag]:
    if entry.metrics.get("acc") == 1.0:
        yield Flag("equals targets", task, entry.seed)
    if entry.predictions_sha256:
        for kind, other_row, other in files.others(row, entry):
            named = f"{shown(other.method)} on {shown(other.encoder)}, seed {other.seed}"
            yield Flag(kind, task, entry.seed, named, other_row.entrant)  # type: ignore[arg-type]


def _file(entry: Entry) -> tuple[str, str]:
    return entry.manifest_hash, entry.predictions_sha256 or ""
