"""Processes that submit to one leaderboard: all at once, or killed at random points.

A program of its own, since it forks: python submitters.py (at-once | killed) FOLDER BOARD N M
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from clusterbench.leaderboard import read_leaderboard, submit

Answer = dict[str, object]


def at_once(results: list[Path], board: Path, pace: float, processes: int, each: int) -> None:
    """So many processes, each with results of its own, one after the other."""
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            mine = results[number * each : (number + 1) * each]
            statuses = [submit(path, board)[0].status for path in mine]
            os._exit(0 if statuses == ["added"] * each else 1)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * processes, codes


def killed(results: list[Path], board: Path, pace: float, trials: int, each: int) -> None:
    """So many times a process that is killed while it submits; after each the board is read.

    Half of them are killed as soon as they write something, or a moment later, the others within
    the time that all their submissions may take. pace: seconds of one.
    """
    draws, within = random.Random(0), 0
    finished: set[str] = set()
    for trial in range(trials):
        mine = results[trial * each : (trial + 1) * each]
        reading, writing = os.pipe()
        left = set(_unfinished(board))
        child = os.fork()
        if child == 0:
            for path in mine:
                found = submit(path, board)[0].status
                os.write(writing, f"{path.name} {found}\n".encode())
            os._exit(0)
        os.close(writing)
        if trial % 2:
            within += _writes(board, left, child)
            time.sleep(draws.uniform(0, pace / 4))
        else:
            time.sleep(draws.uniform(0, each * pace))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading) as pipe:
            told = [line.split() for line in pipe]
        assert all(status == "added" for _, status in told), told
        finished |= {name for name, _ in told}
        entries = read_leaderboard(board).entries if board.exists() else ()
        there = {f"seed-{entry.seed}.json" for entry in entries}
        assert finished <= there, finished - there
        assert len(there) == len(entries) and there <= {r.name for r in results}
        finished = there
    print(f"{len(finished)} entries after {trials} kills, {within} while files were written")


def _writes(board: Path, left: set[Path], child: int) -> bool:
    """Wait until it writes a temporary file that others did not leave, or is at its end."""
    while True:
        if not left.issuperset(_unfinished(board)):
            return True
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return False


def _unfinished(board: Path) -> list[Path]:
    return [path for path in board.parent.rglob(".*") if path.suffix == ".tmp"]


def main() -> None:
    """See the head of the file."""
    what, folder, board, *numbers = sys.argv[1:]
    results = sorted(Path(folder).glob("seed-*.json"), key=lambda p: int(p.stem[5:]))
    scratch = Path(folder) / "warm" / "board.json"
    submit(results[-1], scratch)  # what it compiles is there then
    began = time.monotonic()
    for path in results[-5:]:
        submit(path, scratch)
    pace = (time.monotonic() - began) / 5
    {"at-once": at_once, "killed": killed}[what](results, Path(board), pace, *map(int, numbers))


if __name__ == "__main__":
    main()
