"""A leaderboard with further entries: which are new, which conflict with one that is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from ...errors import InputError
from ...printable import shown
from ..board.deviations import agree
from ..board.models import BoardBenchmark, Entry, Leaderboard
from .top_check import differences

if TYPE_CHECKING:
    from .verifier import Verifier

#: Largest difference between a score on the board and the same one computed again.
TOLERANCE = 1e-9

#: What two entries of one key can have otherwise, beside their scores: the key does not cover it.
_NAMES = ("benchmark", "dataset", "task", "encoder", "reference")

Status = Literal["added", "replaced", "unchanged"]


class Merge:
    """A leaderboard to which verified entries are added one by one.

    Args:
        board: as it is.
        verifier: knows the tasks as they are built here.
        replace: take another entry for a run that is there.
    """

    def __init__(self, board: Leaderboard, verifier: Verifier, replace: bool) -> None:
        self._published, self._verifier, self._replace = board.published, verifier, replace
        self._benchmarks = {(b.benchmark, b.dataset): b for b in board.benchmarks}
        self._entries: dict[str, Entry] = {}
        self._same: dict[tuple[str, str], list[Entry]] = {}
        self._encoders: dict[tuple[str, str], str] = {}
        for entry in board.entries:
            self._keep(entry)

    def add(self, entry: Entry) -> tuple[Status, tuple[str, ...]]:
        """Add an entry: what became of it, and what no check decides about it.

        Raises InputError, and changes nothing, for another definition of its task than the
        leaderboard's, and, unless they are to be replaced, for another entry of its run, and for
        features that the leaderboard holds under another encoder's name.
        """
        where = (entry.benchmark, entry.dataset)
        built, unbuilt = self._verifier.definition(*where), self._verifier.unbuilt(*where)
        benchmark = self._benchmarks.get(where, built)
        _check_definition(benchmark, built, set(unbuilt))
        known = self._entries.get(entry.key)
        found = "" if known is None else difference(known, entry)
        if known is not None and not found:
            return "unchanged", ()
        if found and not self._replace:
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
        notes = [*self._verifier.notes(entry), *self._repeated(entry)]
        if where not in self._benchmarks and unbuilt:
            name, reason = next(iter(unbuilt.items()))
            notes.append(
                f"{len(unbuilt)} tasks of {entry.benchmark} cannot be built here, so the "
                f"leaderboard ranks without them ({shown(name)}: {shown(reason)})"
            )
        if entry.protocol == "transductive":
            benchmark = self._verifier.with_train_floors(benchmark)
        self._benchmarks[where] = benchmark
        self._keep(entry)
        return ("added" if known is None else "replaced"), tuple(notes)

    def board(self) -> Leaderboard:
        """The leaderboard with what was added."""
        return Leaderboard(
            benchmarks=tuple(self._benchmarks[where] for where in sorted(self._benchmarks)),
            entries=tuple(sorted(self._entries.values(), key=_place)),
            published=self._published,
        )

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self._same.setdefault((entry.manifest_hash, entry.predictions_sha256), []).append(entry)
        self._encoders[entry.dataset, entry.feature_identity] = entry.encoder

    def _repeated(self, entry: Entry) -> list[str]:
        """A note each on another seed and on another method with the same predictions file."""
        notes: dict[bool, str] = {}
        for other in self._same.get((entry.manifest_hash, entry.predictions_sha256), ()):
            if other.key == entry.key or other.reference or entry.reference:
                continue
            same = (other.method, other.encoder) == (entry.method, entry.encoder)
            whose = "this method" if same else f"{shown(other.method)} on {shown(other.encoder)}"
            notes.setdefault(same, f"its predictions are those of {whose} with seed {other.seed}")
        return list(notes.values())


def difference(known: Entry, entry: Entry) -> str:
    """What an entry of the leaderboard has otherwise than another of its run; "" for nothing.

    As the end of a sentence. Scores count as equal within TOLERANCE, and those that one of both
    lacks are not compared.
    """
    for name in _NAMES:
        there, here = getattr(known, name), getattr(entry, name)
        if there != here:
            return f"another {name} ({shown(repr(there))}; here {shown(repr(here))})"
    if known.predictions_sha256 != entry.predictions_sha256:
        return "other predictions"
    for name, there in known.metrics.items():
        here = entry.metrics.get(name, there)
        if not math.isclose(there, here, rel_tol=0, abs_tol=TOLERANCE):
            return f"another {name} ({there:.12g}; its predictions give {here:.12g})"
    if not agree(known.resampled, entry.resampled):
        return "other scores on subsets of the images"
    if (known.ranked is None) != (entry.ranked is None):
        return "other ranked scores"
    for place, there_text, here_text in _ranked(known, entry):
        return f"another ranked.{place} ({there_text}; its predictions give {here_text})"
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


def _place(entry: Entry) -> tuple[str, str, str, str, str, int, str]:
    return (
        entry.benchmark,
        entry.dataset,
        entry.task,
        entry.encoder,
        entry.method,
        entry.seed,
        entry.key,
    )
