"""Add verified results to a leaderboard file, under a lock, in one atomic replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filelock import FileLock, Timeout

from ..errors import InputError, StorageError
from ..files import write_json
from .models import BoardBenchmark, Entry, Leaderboard, read_leaderboard

if TYPE_CHECKING:
    from .verifier import Verifier

#: Seconds to wait for another submission to the same file.
LOCK_TIMEOUT = 60


@dataclass(frozen=True)
class Submission:
    """What became of one result file; `message` says why it was refused."""

    path: Path
    status: Literal["added", "replaced", "unchanged", "refused"]
    message: str = ""


def submit(
    paths: Path | Sequence[Path], leaderboard: Path, *, replace: bool = False
) -> list[Submission]:
    """Verify results and add those that pass to a leaderboard file, which is made if need be.

    An entry's place is its run key. The same predictions again leave it unchanged; other
    predictions for a key that is there are refused, unless `replace` is given.

    Args:
        paths: result files, or folders searched for `seed-*.json`.
        leaderboard: the file.
        replace: take other predictions for a run that is there.

    Raises:
        InputError: a path that is not there or holds no result; a leaderboard that is damaged,
            or holds another definition of a task.
        StorageError: the leaderboard cannot be written, or stays locked.
    """
    from .verifier import Verifier  # brings the benchmarks' builders and the scores

    given = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    target = Path(leaderboard)
    files = result_files(given)
    if target.exists():
        read_leaderboard(target)  # a damaged file is found before the work, and kept
    verifier = Verifier()
    submissions: list[Submission] = []
    entries: list[tuple[Path, Entry]] = []
    for path in files:
        try:
            entries.append((path, verifier.verify(path)))
        except InputError as error:
            submissions.append(Submission(path, "refused", str(error)))
    if entries:
        submissions += _enter(entries, target, verifier, replace)
    order = {path: position for position, path in enumerate(files)}
    return sorted(submissions, key=lambda submission: order[submission.path])


def result_files(paths: Iterable[Path]) -> list[Path]:
    """The result files under the given files and folders, each once, sorted within a folder."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("seed-*.json"))
            if not found:
                raise InputError(f"{path}: holds no results (seed-*.json)")
            files.update(dict.fromkeys(found))
        elif path.exists():
            files[path] = None
        else:
            raise InputError(f"{path}: no such result file or folder")
    return list(files)


def _enter(
    entries: list[tuple[Path, Entry]], target: Path, verifier: Verifier, replace: bool
) -> list[Submission]:
    lock = FileLock(f"{target}.lock", timeout=LOCK_TIMEOUT)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock:
            board = read_leaderboard(target) if target.exists() else Leaderboard()
            merged, submissions = _merge(board, entries, verifier, replace)
            if merged != board:
                write_json(target, merged.to_dict())
            return submissions
    except Timeout as error:
        raise StorageError(
            f"{target}: another submission holds {target.name}.lock for more than "
            f"{LOCK_TIMEOUT} s; try again when it has ended"
        ) from error
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error


def _merge(
    board: Leaderboard, entries: list[tuple[Path, Entry]], verifier: Verifier, replace: bool
) -> tuple[Leaderboard, list[Submission]]:
    by_key = {entry.key: entry for entry in board.entries}
    benchmarks = {(b.benchmark, b.dataset): b for b in board.benchmarks}
    submissions = []
    for path, entry in entries:
        where = (entry.benchmark, entry.dataset)
        built = verifier.definition(*where)
        _check_definition(benchmarks.setdefault(where, built), built)
        known = by_key.get(entry.key)
        if known is not None and known.predictions_sha256 == entry.predictions_sha256:
            submissions.append(Submission(path, "unchanged"))
            continue
        if known is not None and not replace:
            message = (
                f"{path}: run {entry.key[:12]} is on the leaderboard with other predictions; "
                "use --replace to put this one in its place"
            )
            submissions.append(Submission(path, "refused", message))
            continue
        if entry.protocol == "transductive":
            benchmarks[where] = verifier.with_train_floors(benchmarks[where])
        by_key[entry.key] = entry
        submissions.append(Submission(path, "added" if known is None else "replaced"))
    merged = Leaderboard(
        benchmarks=tuple(benchmarks[where] for where in sorted(benchmarks)),
        entries=tuple(sorted(by_key.values(), key=_place)),
        published=board.published,
    )
    return merged, submissions


def _check_definition(known: BoardBenchmark, built: BoardBenchmark) -> None:
    def hashes(benchmark: BoardBenchmark) -> dict[str, str]:
        return {task.name: task.manifest_hash for task in benchmark.tasks}

    if hashes(known) != hashes(built):
        differing = sorted(
            name
            for name in hashes(known).keys() | hashes(built).keys()
            if hashes(known).get(name) != hashes(built).get(name)
        )
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
