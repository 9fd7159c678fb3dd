"""Entries of a leaderboard scored again: what shows that a board was edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...printable import one_line
from ..board.kept_predictions import kept_path
from ..board.models import Entry, Leaderboard
from .entering import difference
from .run_names import run_name
from .submitted_files import submitted_files

if TYPE_CHECKING:
    from .verifier import Verifier


@dataclass(frozen=True)
class Recheck:
    """What came of it.

    n_entries: of the leaderboard; n_verified: of them, those that claim to be scored from
    predictions, without the self-reported ones; n_same: of them, those that were scored again and
    gave the same. faults: a line for each that gave something else, or whose kept predictions are
    other ones.
    n_refused: results that are no evidence for anything, or entries whose task cannot be built
    here. reasons: a line for each of these.
    """

    n_entries: int
    n_verified: int
    n_same: int
    n_refused: int
    faults: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def n_without(self) -> int:
        """Entries that nothing was scored again for: nothing is known about them."""
        return self.n_entries - self.n_same - len(self.faults)

    @property
    def in_vain(self) -> bool:
        """Whether there are entries to score again, and not one was."""
        return self.n_verified > 0 and self.n_same == 0 and not self.faults


def recheck(
    board: Leaderboard, paths: Sequence[Path] = (), *, kept_beside: Path | None = None
) -> Recheck:
    """Score results, or kept predictions, again and compare them with the entries of their runs.

    Args:
        board: the leaderboard.
        paths: result and submission files, or folders of them; those that are not on the board
            count for nothing.
        kept_beside: the leaderboard's file, to score entries again from the predictions that are
            kept beside it (`<file>.predictions`). Those without any count as without.

    Raises:
        InputError: a path that is not there or holds no result.
    """
    from .verifier import Verifier  # brings the benchmarks' builders and the scores

    found = _Found(board)
    verifier = Verifier(self_reported=True)
    if kept_beside is not None:
        _from_kept(found, verifier, Path(kept_beside).resolve())
    if paths:
        _from_files(found, verifier, paths)
    return Recheck(
        n_entries=len(board.entries),
        n_verified=sum(entry.verified for entry in board.entries),
        n_same=sum(not fault for fault in found.by_key.values()),
        n_refused=len(found.reasons),
        faults=tuple(fault for fault in found.by_key.values() if fault),
        reasons=tuple(found.reasons),
    )


@dataclass
class _Found:
    """by_key: what is wrong with the entries that were scored again, "" for nothing."""

    board: Leaderboard
    by_key: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def add(self, entry: Entry, again: Entry, file: Path | None = None) -> None:
        """Compare an entry with itself scored again, from a file that the user named."""
        fault = difference(entry, again)
        if not self.by_key.get(entry.key):
            where = "" if file is None else f"{file}: "
            told = f"{where}{run_name(entry)}: the leaderboard has {fault}"
            self.by_key[entry.key] = told if fault else ""


def _from_kept(found: _Found, verifier: Verifier, target: Path) -> None:
    from .verifier import UnfitPredictionsError

    for entry in found.board.entries:
        if entry.predictions_sha256 is None:
            continue
        file = kept_path(target, entry.predictions_sha256)
        if not file.exists():
            continue
        try:
            again = verifier.scored_again(entry, file)
        except UnfitPredictionsError as error:
            found.by_key[entry.key] = one_line(f"{run_name(entry)}: {error}")
        except Exception as error:  # whatever one file runs into, the others go on
            found.reasons.append(one_line(f"{run_name(entry)}: {error}"))
        else:
            found.add(entry, again)


def _from_files(found: _Found, verifier: Verifier, paths: Sequence[Path]) -> None:
    known = {entry.key: entry for entry in found.board.entries}
    for path in submitted_files(paths):
        try:
            entry = verifier.verify(path)
        except Exception as error:
            found.reasons.append(one_line(str(error)))
            continue
        if entry.key in known:
            found.add(known[entry.key], entry, path)
