"""Two people's leaderboards as one: every entry of both, each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ...errors import InputError
from ...files import remove_leftovers
from ...limits import UNPACKED
from ...printable import shown
from ..board.file import read_leaderboard, write_leaderboard
from ..board.kept_predictions import KeptPredictions, check_kept, kept_path
from ..board.lock import check_place, locked
from ..board.models import BoardBenchmark, Entry, Leaderboard, PublishedRow, entry_place
from .entering import difference, with_train_floors
from .run_names import run_name
from .submit import real_path

Prefer = Literal["first", "second"]
Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part")

_LISTED = 20  # conflicts that a message names


@dataclass(frozen=True)
class Merged:
    """What came of it.

    n_first, n_second: entries that only that board had; n_both: those that both had alike.
    n_preferred: those of which they had different ones. n_predictions: predictions files kept
    beside the new board; n_without: verified entries whose predictions neither board keeps.
    """

    n_first: int
    n_second: int
    n_both: int
    n_preferred: int
    n_predictions: int
    n_without: int

    @property
    def n_entries(self) -> int:
        """Entries of the new board."""
        return self.n_first + self.n_second + self.n_both + self.n_preferred


def merge(first: Path, second: Path, out: Path, *, prefer: Prefer | None = None) -> Merged:
    """Merge two leaderboards into a third one, with their kept predictions.

    The same entry in both is one entry, the one that was submitted earlier; a verified one takes
    the place of a self-reported one. Nothing is scored: `recheck` does that.

    Args:
        first: a leaderboard.
        second: another one.
        out: where to write: a new file, or one of both, which is then replaced.
        prefer: whose entry to take where they differ about one run or one published row.

    Raises:
        InputError: a leaderboard that cannot be read; `out` is a third one that is there; they
            define a benchmark otherwise, or name features otherwise; they differ about a run or a
            row and nothing is preferred: all are named, and nothing is written.
        StorageError: `out` cannot be written, or stays locked.
    """
    paths = real_path(Path(first)), real_path(Path(second))
    target = real_path(Path(out))
    if target not in paths and os.path.lexists(target):
        raise InputError(
            f"{out}: is there already and none of the two; choose another file, or merge it first"
        )
    check_place(target)
    check_kept(target)
    with locked(target), KeptPredictions(target) as kept:
        remove_leftovers(target)
        boards = read_leaderboard(paths[0]), read_leaderboard(paths[1])
        board, counts = _union(*boards, prefer)
        n_kept, n_without = 0, 0
        hashes = {entry.predictions_sha256 for entry in board.entries} - {None}
        for sha256 in sorted(h for h in hashes if h is not None):
            if _stage(kept, sha256, paths):
                n_kept += 1
            else:
                n_without += 1
        kept.keep(h for h in hashes if h is not None)
        write_leaderboard(target, board)
    return Merged(*counts, n_predictions=n_kept, n_without=n_without)


def _stage(kept: KeptPredictions, sha256: str, boards: Iterable[Path]) -> bool:
    for board in boards:
        try:
            kept.stage(kept_path(board, sha256), sha256, UNPACKED)
        except InputError:  # not there, or not the file of its name
            continue
        return True
    return False


def _union(
    first: Leaderboard, second: Leaderboard, prefer: Prefer | None
) -> tuple[Leaderboard, tuple[int, int, int, int]]:
    """The board of both, and how many entries came from where (see `Merged`)."""
    faults: list[str] = []
    benchmarks = {(b.benchmark, b.dataset): b for b in first.benchmarks}
    for other in second.benchmarks:
        where = (other.benchmark, other.dataset)
        benchmarks[where] = _defined(benchmarks.get(where, other), other)
    mine = {entry.key: entry for entry in first.entries}
    theirs = {entry.key: entry for entry in second.entries}
    preferred: set[str] = set()

    def chosen(a: Entry, b: Entry) -> Entry:
        found = difference(a, b, "the second has")
        if not found:
            return min(a, b, key=lambda entry: entry.submitted)
        preferred.add(a.key)
        if a.verified != b.verified:
            return a if a.verified else b
        if prefer is None:
            faults.append(f"{run_name(a)}: the first has {found}")
        return b if prefer == "second" else a

    def chosen_row(a: PublishedRow, b: PublishedRow) -> PublishedRow:
        if a != b and prefer is None:
            faults.append(f"published row {shown(a.method)} ({shown(a.source)}): other scores")
        return b if prefer == "second" else a

    entries = _both(mine, theirs, chosen)
    rows = _both(
        {row.place: row for row in first.published},
        {row.place: row for row in second.published},
        chosen_row,
    )
    _check_names(entries.values())
    if faults:
        entries_text = f"{len(faults)} {'entry' if len(faults) == 1 else 'entries'}"
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise InputError(
            f"the leaderboards differ about {entries_text}; choose with --prefer first or second, "
            "and see with `clusterbench leaderboard check` "
            f"which one its predictions bear out: {'; '.join(faults[:_LISTED])}{more}"
        )
    board = Leaderboard(
        benchmarks=tuple(benchmarks[where] for where in sorted(benchmarks)),
        entries=tuple(sorted(entries.values(), key=entry_place)),
        published=tuple(rows[place] for place in sorted(rows)),
    )
    both = mine.keys() & theirs.keys()
    alone = len(mine.keys() - theirs.keys()), len(theirs.keys() - mine.keys())
    return board, (*alone, len(both) - len(preferred), len(preferred))


def _both(
    first: dict[Key, Part], second: dict[Key, Part], chosen: Callable[[Part, Part], Part]
) -> dict[Key, Part]:
    found = {**first, **second}
    for key in first.keys() & second.keys():
        found[key] = chosen(first[key], second[key])
    return found


def _defined(known: BoardBenchmark, other: BoardBenchmark) -> BoardBenchmark:
    """The definition of both: the one with more tasks, where the others are the same.

    A board that was made where a task could not be built does not have it.
    """
    there = {task.name: task.manifest_hash for task in known.tasks}
    here = {task.name: task.manifest_hash for task in other.tasks}
    differing = sorted(name for name in there.keys() & here.keys() if there[name] != here[name])
    if not differing and not (there.keys() <= here.keys() or there.keys() >= here.keys()):
        differing = sorted(there.keys() ^ here.keys())
    if differing:
        raise InputError(
            f"the leaderboards hold different definitions of {known.benchmark}/{known.dataset} "
            f"(differing tasks: {', '.join(differing)}); they cannot be merged"
        )
    larger, smaller = (known, other) if len(there) >= len(here) else (other, known)
    return with_train_floors(larger, smaller)


def _check_names(entries: Iterable[Entry]) -> None:
    """InputError for features that are there under two encoders' names."""
    names: dict[tuple[str, str], str] = {}
    for entry in entries:
        where = (entry.dataset, entry.feature_identity)
        if names.setdefault(where, entry.encoder) != entry.encoder:
            raise InputError(
                f"features {entry.feature_identity[:12]} of {entry.dataset} have encoder "
                f"{names[where]!r} on one board and {entry.encoder!r} on the other; replace the "
                "entries with the wrong name"
            )
