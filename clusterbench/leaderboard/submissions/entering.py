"""A leaderboard with further entries: which are new, which conflict with one that is there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...doors import amount
from ...errors import InputError
from ...printable import shown
from ..board.deviations import decoded
from ..board.file import Snapshot, check_content, line_of, rendered
from ..board.models import BoardBenchmark, Entry, PublishedRow, entry_place
from ..board.room import Room
from .lookalikes import skeleton
from .top_check import differences

#: Largest difference between a score on the board and the same one computed again.
TOLERANCE = 1e-9

#: The same of a deviation, which is kept as a half: two roundings apart at most, where it is 2.
HALF = 2**-9

#: What two entries of one key can have otherwise, beside their scores: the key does not cover it.
_NAMES = ("benchmark", "dataset", "task", "encoder", "reference")

Entered = Literal["added", "replaced", "unchanged"]


@dataclass(frozen=True)
class Candidate:
    """An entry that was checked, and all that is needed to put it on a board.

    line: of the entry, as its reader has read it. predictions: their file, of at most
    `largest` bytes; None for a self-reported entry. built: its benchmark as built here, with the
    floors that the entry's protocol needs. unbuilt: reasons by task. notes: what no check decides.
    """

    path: Path
    entry: Entry
    line: bytes
    predictions: Path | None
    largest: int
    built: BoardBenchmark
    unbuilt: Mapping[str, str]
    notes: tuple[str, ...]


class Entering:
    """A leaderboard to which checked entries are added one by one.

    Args:
        snapshot: the board as it is.
        replace: take another entry for a run that is there.
    """

    def __init__(self, snapshot: Snapshot, replace: bool) -> None:
        self._snapshot, self._replace = snapshot, replace
        self._room = Room(len(snapshot.content), snapshot.values)
        self._benchmarks = {(b.benchmark, b.dataset): b for b in snapshot.benchmarks.values()}
        self._entries: dict[str, tuple[bytes, Entry]] = {}
        self._same: dict[tuple[str, str | None], list[Entry]] = {}
        self._encoders: dict[tuple[str, str], str] = {}
        self._names: dict[str, dict[str, None]] = {}  # by skeleton, in the order of their entries
        self._rows = {row.place: row for row in snapshot.published.values()}
        # In the order of submission, so that a note on predictions names who had them first.
        for line, entry in sorted(snapshot.entries.items(), key=lambda pair: pair[1].submitted):
            self._keep(line, entry)

    def add(self, candidate: Candidate) -> tuple[Entered, tuple[str, ...]]:
        """Add an entry: what became of it, and what no check decides about it.

        Raises InputError, and changes nothing, for another definition of its task than the
        leaderboard's, for a full leaderboard, and, unless they are to be replaced, for another
        entry of its run, and for features that the leaderboard holds under another encoder's name.
        An entry that is verified takes the place of one that was self-reported in any case, and so
        does one with scores on subsets of one from before there were any.
        """
        entry, built = candidate.entry, candidate.built
        where = (entry.benchmark, entry.dataset)
        benchmark = self._benchmarks.get(where, built)
        _check_definition(benchmark, built, set(candidate.unbuilt))
        line, known = self._entries.get(entry.key, (b"", None))
        found = "" if known is None else difference(known, entry)
        lacks = known is not None and known.resampled is None and entry.resampled is not None
        if known is not None and not found and not lacks:
            return "unchanged", ()
        proven = known is not None and entry.verified and not known.verified
        if found and not self._replace and not proven:
            raise InputError(
                f"run {entry.key[:12]} is on the leaderboard with {found}; "
                "use --replace to put this one in its place"
            )
        encoder = self._encoders.get((entry.dataset, entry.feature_identity), entry.encoder)
        if encoder != entry.encoder and not self._replace:
            raise InputError(
                f"features {entry.feature_identity[:12]} are on the leaderboard with another "
                f"encoder ({encoder!r}; here {entry.encoder!r}); use --replace if that is wrong"
            )
        self._room.take(candidate.line, line)
        notes = [*candidate.notes, *self._repeated(entry), *self._alike(entry)]
        if where not in self._benchmarks and candidate.unbuilt:
            name, reason = next(iter(candidate.unbuilt.items()))
            notes.append(
                f"{len(candidate.unbuilt)} tasks of {entry.benchmark} cannot be built here, so the "
                f"leaderboard ranks without them ({shown(name)}: {shown(reason)})"
            )
        self._benchmarks[where] = with_train_floors(benchmark, built)
        self._keep(candidate.line, entry)
        return ("added" if known is None else "replaced"), tuple(notes)

    def add_published(self, row: PublishedRow) -> Entered:
        """Add a row of the literature; InputError for other scores of one that is there."""
        known = self._rows.get(row.place)
        if known == row:
            return "unchanged"
        if known is not None and not self._replace:
            raise InputError(
                f"{shown(row.method)} ({shown(row.backbone)}) of {shown(row.source)} is on the "
                "leaderboard with other scores; use --replace to put these in their place"
            )
        self._room.take(line_of(row), b"" if known is None else line_of(known))
        self._rows[row.place] = row
        return "added" if known is None else "replaced"

    def content(self, path: Path) -> bytes:
        """The file of the leaderboard with what was added.

        Raises InputError, naming the path, where its reader would refuse so much.
        """
        entries = sorted(self._entries.values(), key=lambda pair: entry_place(pair[1]))
        benchmarks = _lines(
            (self._benchmarks[where] for where in sorted(self._benchmarks)), self._snapshot
        )
        found = rendered(
            benchmarks,
            [line for line, _ in entries],
            [line_of(self._rows[place]) for place in sorted(self._rows)],
        )
        defined = sum(
            amount(line) + 1 for line in benchmarks if line not in self._snapshot.benchmarks
        )
        check_content(path, found, self._snapshot.values + self._room.taken + defined)
        return found

    def _keep(self, line: bytes, entry: Entry) -> None:
        self._entries[entry.key] = line, entry
        self._same.setdefault((entry.manifest_hash, entry.predictions_sha256), []).append(entry)
        self._encoders[entry.dataset, entry.feature_identity] = entry.encoder
        self._names.setdefault(skeleton(entry.method), {})[entry.method] = None

    def _alike(self, entry: Entry) -> list[str]:
        """A note on a method whose name a reader takes for this one's."""
        for other in self._names.get(skeleton(entry.method), ()):
            if other != entry.method:
                return [f"its name looks like {shown(ascii(other))} of the leaderboard"]
        return []

    def _repeated(self, entry: Entry) -> list[str]:
        """A note each on another seed and on another method with the same predictions file.

        Of several, the one that was submitted first is named.
        """
        notes: dict[bool, str] = {}
        if not entry.verified:
            return []
        for other in self._same.get((entry.manifest_hash, entry.predictions_sha256), ()):
            if other.key == entry.key or other.reference or entry.reference:
                continue
            same = (other.method, other.encoder) == (entry.method, entry.encoder)
            whose = "this method" if same else f"{shown(other.method)} on {shown(other.encoder)}"
            notes.setdefault(same, f"its predictions are those of {whose} with seed {other.seed}")
            if len(notes) == 2:
                break
        return list(notes.values())


def _lines(benchmarks: Iterable[BoardBenchmark], snapshot: Snapshot) -> list[bytes]:
    """The line of each benchmark; those that are as they were keep theirs."""
    known = {id(part): line for line, part in snapshot.benchmarks.items()}
    return [known.get(id(benchmark)) or line_of(benchmark) for benchmark in benchmarks]


def with_train_floors(known: BoardBenchmark, built: BoardBenchmark) -> BoardBenchmark:
    """A benchmark with the floors of the training rows that `built` has and it lacks."""
    floors = {task.name: task.train_floor for task in built.tasks}
    if all(task.train_floor is not None or not floors.get(task.name) for task in known.tasks):
        return known
    tasks = (
        task.model_copy(update={"train_floor": task.train_floor or floors.get(task.name)})
        for task in known.tasks
    )
    return known.model_copy(update={"tasks": tuple(tasks)})


def difference(known: Entry, entry: Entry, says: str = "its predictions give") -> str:
    """What an entry of the leaderboard has otherwise than another of its run; "" for nothing.

    As the end of a sentence. Scores count as equal within TOLERANCE, and those that one of both
    lacks are not compared. says: who has the scores of `entry`.
    """
    for name in _NAMES:
        there, here = getattr(known, name), getattr(entry, name)
        if there != here:
            return f"another {name} ({shown(repr(there))}; here {shown(repr(here))})"
    if known.status != entry.status:
        return f"another status ({known.status}; here {entry.status})"
    if known.predictions_sha256 != entry.predictions_sha256:
        return "other predictions"
    for name, there in known.metrics.items():
        here = entry.metrics.get(name, there)
        if not math.isclose(there, here, rel_tol=0, abs_tol=TOLERANCE):
            return f"another {name} ({there:.12g}; {says} {here:.12g})"
    if known.resampled is not None and entry.resampled is not None:
        furthest = abs(decoded(known.resampled) - decoded(entry.resampled)).max()
        if furthest > HALF:
            return f"other scores on subsets of its images (by {furthest:.3g})"
    if (known.ranked is None) != (entry.ranked is None):
        return "other ranked scores"
    for place, there_text, here_text in _ranked(known, entry):
        return f"another ranked.{place} ({there_text}; {says} {here_text})"
    return ""


def _ranked(known: Entry, entry: Entry) -> Any:
    if known.ranked is None or entry.ranked is None:
        return ()
    return differences(known.ranked.to_dict(), entry.ranked.to_dict(), TOLERANCE)


def _check_definition(known: BoardBenchmark, built: BoardBenchmark, unbuilt: set[str]) -> None:
    """InputError unless both are the same, but for tasks that cannot be built here."""

    def hashes(benchmark: BoardBenchmark) -> dict[str, str]:
        return {t.name: t.manifest_hash for t in benchmark.tasks if t.name not in unbuilt}

    there, here = hashes(known), hashes(built)
    if there != here:
        differing = sorted(n for n in there.keys() | here.keys() if there.get(n) != here.get(n))
        raise InputError(
            f"the leaderboard holds another definition of {known.benchmark}/{known.dataset} "
            f"(differing tasks: {', '.join(differing)}); submit to a new leaderboard file"
        )
