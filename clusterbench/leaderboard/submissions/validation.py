"""What `submit` would say of results and submissions, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..board.file import Snapshot
from .entering import Entering
from .submit import Submission, as_paths, checked, real_path, refused
from .submitted_files import submitted_files


def validate(
    paths: Path | Sequence[Path],
    leaderboard: Path | None = None,
    *,
    self_reported: bool = False,
) -> list[Submission]:
    """Check results and submissions as `submit` does; nothing is written and nothing locked.

    Args:
        paths: files, or folders searched as `submit` does.
        leaderboard: a leaderboard that they are meant for, which may not be there yet: an entry
            that conflicts with one of it, or with another one of `paths`, is refused.
        self_reported: take submissions without predictions.

    Returns:
        In the order of the files; `status` is "ok" or "refused".

    Raises:
        InputError: a path that is not there or holds no result; a leaderboard that is damaged.
    """
    files = submitted_files(as_paths(paths))
    target = None if leaderboard is None else real_path(Path(leaderboard))
    snapshot = None if target is None else Snapshot.read(target)
    candidates, found = checked(files, self_reported)
    entering = None if snapshot is None else Entering(snapshot, replace=False)
    for candidate in candidates:
        notes = candidate.notes
        try:
            if entering is not None:
                notes = entering.add(candidate)[1]
        except Exception as error:
            found.append(refused(candidate.path, error))
        else:
            found.append(Submission(candidate.path, "ok", notes=notes))
    order = {path: position for position, path in enumerate(files)}
    return sorted(found, key=lambda submission: order[submission.path])
