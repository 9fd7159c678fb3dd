"""Add verified results to a leaderboard file, under a lock, in one atomic replace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...errors import ClusterbenchError, InputError
from ...files import remove_leftovers
from ...printable import one_line
from ..board.lock import check_place, locked
from ..board.models import Entry, Leaderboard, read_leaderboard, write_leaderboard
from ..board.room import Room
from .merge import Merge
from .result_files import result_files

if TYPE_CHECKING:
    from .verifier import Verifier


@dataclass(frozen=True)
class Submission:
    """What became of one result file; `message` says why it was refused.

    notes: of one that was not refused, what no check decides.
    """

    path: Path
    status: Literal["added", "replaced", "unchanged", "refused"]
    message: str = ""
    notes: tuple[str, ...] = ()


def submit(
    paths: Path | Sequence[Path], leaderboard: Path, *, replace: bool = False
) -> list[Submission]:
    """Verify results and add those that pass to a leaderboard file, which is made if need be.

    An entry's place is its run key. The same entry again leaves it unchanged; another one for a
    key that is there is refused, unless `replace` is given. Whatever goes wrong with one file is
    said of that file, and the others are added all the same. Of a leaderboard that is a link, the
    file behind it is changed.

    Args:
        paths: result files, or folders searched for `seed-*.json`.
        leaderboard: the file.
        replace: take another entry for a run that is there.

    Raises:
        InputError: a path that is not there or holds no result; a leaderboard that is damaged, or
            would grow too large.
        StorageError: the leaderboard cannot be written, or stays locked.
    """
    from .verifier import Verifier  # brings the benchmarks' builders and the scores

    given = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    target = real_path(Path(leaderboard))
    files = result_files(given)
    if os.path.lexists(target):
        read_leaderboard(target)  # a damaged file is found before the work, and kept
    check_place(target)
    verifier = Verifier()
    submissions: list[Submission] = []
    entries: list[tuple[Path, Entry]] = []
    for path in files:
        try:
            entry = verifier.verify(path)
            verifier.prepare(entry)
            entries.append((path, entry))
        except Exception as error:  # whatever one file runs into, the others go on
            submissions.append(_refused(path, error))
    if entries:
        submissions += _enter(entries, target, verifier, replace)
    order = {path: position for position, path in enumerate(files)}
    return sorted(submissions, key=lambda submission: order[submission.path])


def real_path(leaderboard: Path) -> Path:
    """The file behind links; InputError for links that lead round in a circle."""
    try:
        return leaderboard.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{leaderboard}: leads to no file ({error})") from error


def _enter(
    entries: list[tuple[Path, Entry]], target: Path, verifier: Verifier, replace: bool
) -> list[Submission]:
    submissions = []
    with locked(target):
        remove_leftovers(target)
        board = read_leaderboard(target) if os.path.lexists(target) else Leaderboard()
        merge = Merge(board, verifier, replace)
        room, there = Room(target), {entry.key for entry in board.entries}
        for path, entry in entries:
            try:
                if entry.key not in there:
                    room.take(entry)
                status, notes = merge.add(entry)
                submissions.append(Submission(path, status, notes=notes))
            except Exception as error:
                submissions.append(_refused(path, error))
        merged = merge.board()
        if merged != board:
            write_leaderboard(target, merged)
    return submissions


def _refused(path: Path, error: Exception) -> Submission:
    if isinstance(error, ClusterbenchError):
        message = str(error)
        message = message if str(path) in message else f"{path}: {message}"
    else:
        message = f"{path}: cannot be verified ({type(error).__name__}: {error})"
    return Submission(path, "refused", one_line(message))
