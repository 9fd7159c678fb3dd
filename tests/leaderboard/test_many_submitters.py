"""Many at once, and some of them killed: no entry is lost, none is there twice, nobody waits."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from signing import write_signed

from clusterbench.leaderboard import read_leaderboard, recheck, submit
from clusterbench.leaderboard.board import lock
from clusterbench.leaderboard.board.file import Snapshot

PROGRAM = str(Path(__file__).with_name("submitters.py"))


def copies(tiny_world: SimpleNamespace, n: int) -> Path:
    """A folder of n results, seed-0.json and so on: one run under other seeds."""
    (path, *_) = (outcome.run.path for outcome in tiny_world.run(seeds=1).outcomes)
    folder = Path("copies")
    folder.mkdir()
    content = json.loads(path.read_text())
    shutil.copy(path.with_suffix(".npz"), folder / "predictions.npz")
    content["predictions"]["file"] = "predictions.npz"
    for seed in range(n):
        write_signed(folder / f"seed-{seed}.json", {**content, "seed": seed})
    return folder


def run(tiny_world: SimpleNamespace, *words: str | Path) -> str:
    """What `submitters` says; it ends well, or this fails with what it said."""
    found = subprocess.run(
        [sys.executable, PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        env=tiny_world.environment(),
        timeout=580,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stdout


@pytest.mark.parametrize(
    ("processes", "each"),
    [
        pytest.param(4, 3, marks=pytest.mark.slow),
        pytest.param(32, 20, marks=pytest.mark.exhaustive),
    ],
)
def test_processes_that_submit_at_once_lose_and_duplicate_none(
    tiny_world: SimpleNamespace, processes: int, each: int
) -> None:
    n, board = processes * each, Path("boards/board.json")
    run(tiny_world, "at-once", copies(tiny_world, n), board, str(processes), str(each))
    entries = read_leaderboard(board).entries
    assert [entry.seed for entry in entries] == list(range(n))
    left = {path.name for path in board.parent.iterdir()}
    assert left == {"board.json", "board.json.lock", "board.json.predictions"}
    (kept,) = (board.parent / "board.json.predictions").iterdir()
    assert kept.stem == entries[0].predictions_sha256
    assert Snapshot.read(board).rendered() == board.read_bytes()
    assert recheck(read_leaderboard(board), kept_beside=board).n_same == n


@pytest.mark.parametrize(
    ("trials", "each"),
    [
        pytest.param(12, 3, marks=pytest.mark.slow),
        pytest.param(200, 3, marks=pytest.mark.exhaustive),
    ],
)
def test_whoever_is_killed_leaves_a_whole_board_with_all_that_was_finished(
    tiny_world: SimpleNamespace, trials: int, each: int
) -> None:
    folder, board = copies(tiny_world, trials * each), Path("boards/board.json")
    board.parent.mkdir()
    told = run(tiny_world, "killed", folder, board, str(trials), str(each))
    form = rf"(\d+) entries after {trials} kills, (\d+) while files were written"
    found = re.search(form, told)
    assert found is not None, told
    entered, writing = map(int, found.groups())
    assert entered >= trials // 4 and writing >= trials // 4  # some at each kind of moment
    submit(folder, board)
    assert len(read_leaderboard(board).entries) == trials * each
    assert not list(board.parent.glob("*.tmp")) + list(board.parent.glob(".*.tmp"))


def test_the_lock_of_a_process_that_was_killed_holds_nobody_up(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, *_) = (outcome.run.path for outcome in tiny_world.run(seeds=1).outcomes)
    board = Path("board.json").resolve()
    holder = (
        "import sys, time; from pathlib import Path\n"
        "from clusterbench.leaderboard.board.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(board)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert os.path.lexists(f"{board}.lock")
    monkeypatch.setattr(lock, "LOCK_TIMEOUT", 1.0)  # more than nobody needs
    assert [found.status for found in submit(path, board)] == ["added"]
