"""What one more submission costs on boards of different sizes, and how long it holds the lock.

Run from the repository: python scripts/measure/board.py [ENTRIES ...]

Two k-means runs are made; the entry of the first is copied under other settings to as many entries
as asked for, and the second is submitted: as if alone, and with a line that somebody else's
submission added between the reading and the lock.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clusterbench
from clusterbench.leaderboard import Entry, Leaderboard, read_leaderboard, submit
from clusterbench.leaderboard.board import lock
from clusterbench.leaderboard.board.file import write_leaderboard
from clusterbench.results.record import run_key

SIZES = (10, 1_000, 5_000)
TRIALS = 5


def main() -> None:
    """Print a line per size: the file, and seconds before and under the lock."""
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report = clusterbench.run(
            "easy", "emoji", methods=["kmeans"], seeds=2, device="cpu", results=folder / "results"
        )
        first, second = (outcome.run.path for outcome in report.outcomes[:2])
        submit(first, folder / "first.json")
        board = read_leaderboard(folder / "first.json")
        print(
            "seconds  entries   MB  whole  under the lock (CPU)  with another line meanwhile (CPU)"
        )
        for n in sizes:
            path = folder / f"{n}.json"
            write_leaderboard(path, enlarged(board, n))
            alone = [timed(path, second) for _ in range(TRIALS)]
            late = [timed(path, second, meanwhile=True) for _ in range(TRIALS)]
            size = f"{n:7,} {path.stat().st_size / 1e6:4.1f} {median(alone, 0):6.3f}"
            both = [f"{median(times, 1):8.3f} ({median(times, 2):.3f})" for times in (alone, late)]
            print(
                f"{size} {'          '.join(both)}  largest {max(t[1] for t in alone + late):.3f}"
            )


def enlarged(board: Leaderboard, n: int) -> Leaderboard:
    """A board of n entries: copies of its first one with other settings."""
    first = board.entries[0]
    return board.model_copy(update={"entries": tuple(copy(first, x) for x in range(n))})


def copy(entry: Entry, number: int) -> Entry:
    """The entry of another run."""
    params = {**entry.params, "copy": number}
    fields = {
        "manifest_hash": entry.manifest_hash,
        "feature_identity": entry.feature_identity,
        "method": entry.method,
        "version": entry.version,
        "seed": entry.seed,
        "k": entry.k,
    }
    key = run_key(params=params, **fields)  # type: ignore[arg-type]
    return entry.model_copy(update={"params": params, "key": key})


def timed(path: Path, result: Path, meanwhile: bool = False) -> tuple[float, float, float]:
    """Seconds of a submission to a copy of a board, under its lock, and of the CPU under it."""
    module = sys.modules["clusterbench.leaderboard.submissions.submit"]
    trial = path.with_name("trial.json")
    held: list[float] = []

    @contextmanager
    def watched(target: Path) -> Iterator[None]:
        if meanwhile:
            board = read_leaderboard(target)
            more = (*board.entries, copy(board.entries[0], -1))
            write_leaderboard(target, board.model_copy(update={"entries": more}))
        with lock.locked(target):
            began, cpu = time.perf_counter(), time.process_time()
            yield
            held.extend((time.perf_counter() - began, time.process_time() - cpu))

    trial.write_bytes(path.read_bytes())
    module.locked = watched  # type: ignore[attr-defined]
    began = time.perf_counter()
    (found,) = submit(result, trial)
    assert found.status == "added", found
    return time.perf_counter() - began, held[0], held[1]


def median(times: list[tuple[float, float, float]], place: int) -> float:
    """The median of one of the times."""
    return statistics.median(found[place] for found in times)


if __name__ == "__main__":
    main()
