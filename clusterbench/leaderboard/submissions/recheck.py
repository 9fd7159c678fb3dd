"""Entries of a leaderboard held against their results: what shows that a board was edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..board.models import Leaderboard
from .merge import difference
from .result_files import result_files


@dataclass(frozen=True)
class Recheck:
    """What came of it.

    n_entries: of the leaderboard; n_same: of them, those that a result was scored again for and
    gave the same. faults: a line for each that it gave otherwise. n_refused: results that are no
    evidence for anything.
    """

    n_entries: int
    n_same: int
    n_refused: int
    faults: tuple[str, ...]

    @property
    def n_without(self) -> int:
        """Entries that none of the results is of: nothing is known about them."""
        return self.n_entries - self.n_same - len(self.faults)


def recheck(board: Leaderboard, paths: Sequence[Path]) -> Recheck:
    """Score results again and compare them with the entries of their runs.

    Args:
        board: the leaderboard.
        paths: result files, or folders of them; those that are not on the board count for nothing.

    Raises:
        InputError: a path that is not there or holds no result.
    """
    from .verifier import Verifier  # brings the benchmarks' builders and the scores

    known = {entry.key: entry for entry in board.entries}
    verifier, refused = Verifier(), 0
    found: dict[str, str] = {}
    for path in result_files(paths):
        try:
            entry = verifier.verify(path)
        except Exception:  # whatever one file runs into, the others go on
            refused += 1
            continue
        if entry.key in known:
            fault = difference(known[entry.key], entry)
            found[entry.key] = f"{path}: the leaderboard has {fault}" if fault else ""
    return Recheck(
        n_entries=len(known),
        n_same=sum(not fault for fault in found.values()),
        n_refused=refused,
        faults=tuple(fault for fault in found.values() if fault),
    )
