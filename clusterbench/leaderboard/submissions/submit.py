"""Add checked results and submissions to a leaderboard file, in one atomic replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import ClusterbenchError, InputError
from ...files import remove_leftovers, write_bytes
from ...printable import one_line
from ..board.file import Snapshot
from ..board.kept_predictions import KeptPredictions, check_kept
from ..board.lock import check_place, locked
from .entering import Candidate, Entering
from .submitted_files import submitted_files


@dataclass(frozen=True)
class Submission:
    """What became of one file; `message` says why it was refused.

    notes: of one that was not refused, what no check decides.
    """

    path: Path
    status: Literal["added", "replaced", "unchanged", "refused", "ok"]
    message: str = ""
    notes: tuple[str, ...] = ()


def submit(
    paths: Path | Sequence[Path],
    leaderboard: Path,
    *,
    replace: bool = False,
    self_reported: bool = False,
) -> list[Submission]:
    """Check results and submissions, and add those that pass to a leaderboard file.

    The file is made if need be; of one that is a link, the file behind it is changed. An entry's
    place is its run key. The same entry again leaves it unchanged; another one for a key that is
    there is refused, unless `replace` is given or the one that is there was only self-reported.
    Whatever goes wrong with one file is said of that file, and the others are added all the same.
    Predictions are kept beside the board, so that each entry can be scored again (`recheck`).

    Everything is read, built, scored and written to the disk before the board is locked; under the
    lock its file is compared with what was read, only lines that came in between are read, and the
    new file takes its place.

    Args:
        paths: result and submission files, or folders searched for `seed-*.json` and
            `submission-*.json`.
        leaderboard: the file.
        replace: take another entry for a run that is there.
        self_reported: take submissions without predictions, marked as such and never ranked.

    Raises:
        InputError: a path that is not there or holds no result; a leaderboard that is damaged, or
            would grow too large.
        StorageError: the leaderboard cannot be written, or stays locked.
    """
    files = submitted_files(as_paths(paths))
    target = real_path(Path(leaderboard))
    snapshot = Snapshot.read(target)  # a damaged file is found before the work, and kept
    check_place(target)
    check_kept(target)
    candidates, refused = checked(files, self_reported)
    if not candidates:
        return refused
    with KeptPredictions(target) as kept:
        outcome = _outcome(target, snapshot, candidates, replace)
        staged = _staged(outcome, candidates, kept)
        with locked(target):
            remove_leftovers(target)
            now = snapshot.later(target)
            if staged or now is not snapshot:
                left = [one for one in candidates if one.path not in staged]
                refused += list(staged.values())
                before, outcome = outcome, _outcome(target, now, left, replace)
                _staged(outcome, [one for one in left if one.path not in before.accepted], kept)
            kept.keep(
                one.entry.predictions_sha256
                for one in candidates
                if one.entry.predictions_sha256 and one.path in outcome.accepted
            )
            if outcome.content is not None:
                write_bytes(target, outcome.content)
    order = {path: position for position, path in enumerate(files)}
    return sorted([*refused, *outcome.submissions], key=lambda submission: order[submission.path])


def as_paths(paths: Path | Sequence[Path]) -> list[Path]:
    """One path or several as a list."""
    return [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]


def real_path(leaderboard: Path) -> Path:
    """The file behind links; InputError for links that lead round in a circle."""
    try:
        return leaderboard.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{leaderboard}: leads to no file ({error})") from error


def checked(files: Sequence[Path], self_reported: bool) -> tuple[list[Candidate], list[Submission]]:
    """What of the files can go on a board, and what is refused."""
    from .verifier import Verifier  # brings the benchmarks' builders and the scores

    verifier = Verifier(self_reported)
    candidates, refused_files = [], []
    for path in files:
        try:
            candidates.append(verifier.candidate(path))
        except Exception as error:  # whatever one file runs into, the others go on
            refused_files.append(refused(path, error))
    return candidates, refused_files


@dataclass(frozen=True)
class BoardChange:
    """What becomes of a board.

    accepted: the files whose entries are on it then. content: of its file, None where it stays as
    it is.
    """

    submissions: list[Submission]
    accepted: frozenset[Path]
    content: bytes | None


def _outcome(
    target: Path, snapshot: Snapshot, candidates: Sequence[Candidate], replace: bool
) -> BoardChange:
    entering, submissions = Entering(snapshot, replace), []
    for candidate in candidates:
        try:
            status, notes = entering.add(candidate)
            submissions.append(Submission(candidate.path, status, notes=notes))
        except Exception as error:
            submissions.append(refused(candidate.path, error))
    changed = any(one.status in ("added", "replaced") for one in submissions)
    accepted = frozenset(one.path for one in submissions if one.status != "refused")
    return BoardChange(submissions, accepted, entering.content(target) if changed else None)


def _staged(
    outcome: BoardChange, candidates: Sequence[Candidate], kept: KeptPredictions
) -> dict[Path, Submission]:
    """Copy the predictions of those that are accepted; returns those whose file has changed."""
    changed: dict[Path, Submission] = {}
    for one in candidates:
        if one.predictions is None or one.path not in outcome.accepted:
            continue
        assert one.entry.predictions_sha256 is not None
        try:
            kept.stage(one.predictions, one.entry.predictions_sha256, one.largest)
        except InputError as error:
            changed[one.path] = refused(one.path, error)
    return changed


def refused(path: Path, error: Exception) -> Submission:
    """A file that is refused, and why: one line that names it."""
    if isinstance(error, ClusterbenchError):
        message = str(error)
        message = message if str(path) in message else f"{path}: {message}"
    else:
        message = f"{path}: cannot be verified ({type(error).__name__}: {error})"
    return Submission(path, "refused", one_line(message))
