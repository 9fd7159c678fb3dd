"""Predictions of entries are kept beside their board, and show whether it was edited."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.errors import StorageError
from clusterbench.leaderboard import read_leaderboard, recheck, submit

Cli = Callable[..., tuple[int, str, str]]
BOARD, KEPT = Path("board.json"), Path("board.json.predictions")


@pytest.fixture
def results(tiny_world: SimpleNamespace) -> list[Path]:
    return [outcome.run.path for outcome in tiny_world.run(seeds=2).outcomes]


def test_each_entry_finds_its_predictions(results: list[Path]) -> None:
    submit(results, BOARD)
    entries = read_leaderboard(BOARD).entries
    names = {path.name for path in KEPT.iterdir()}
    assert names == {f"{entry.predictions_sha256}.npz" for entry in entries}
    contents = {path.with_suffix(".npz").read_bytes() for path in results}
    assert {path.read_bytes() for path in KEPT.iterdir()} == contents


def test_what_is_refused_leaves_nothing(results: list[Path]) -> None:
    content = json.loads(results[0].read_text())
    content["scores"]["metrics"]["ami"] = 0.99
    results[0].write_text(json.dumps(content))
    submit(results[:1], BOARD)
    assert not KEPT.exists() and not BOARD.exists()


def test_a_board_from_before_gets_them_when_the_results_come_again(results: list[Path]) -> None:
    submit(results, BOARD)
    before = BOARD.read_bytes()
    for path in KEPT.iterdir():
        path.unlink()
    assert recheck(read_leaderboard(BOARD), kept_beside=BOARD).n_without == 4
    assert {one.status for one in submit(results, BOARD)} == {"unchanged"}
    assert BOARD.read_bytes() == before
    assert recheck(read_leaderboard(BOARD), kept_beside=BOARD).n_same == 4


def test_a_file_that_is_not_what_its_name_says_is_written_again(results: list[Path]) -> None:
    submit(results, BOARD)
    (first, *_) = sorted(KEPT.iterdir())
    whole = first.read_bytes()
    first.write_bytes(b"something else")
    submit(results, BOARD)
    assert first.read_bytes() == whole


def test_edits_of_the_board_and_of_the_predictions_are_found(results: list[Path], cli: Cli) -> None:
    submit(results, BOARD)
    content = json.loads(BOARD.read_text())
    content["entries"][0]["metrics"]["ami"] = 0.123
    BOARD.write_text(json.dumps(content))
    entries = read_leaderboard(BOARD).entries
    first = entries[0].predictions_sha256
    changed = next(e for e in entries if e.predictions_sha256 != first)
    (KEPT / f"{changed.predictions_sha256}.npz").write_bytes(b"something else")
    code, out, err = cli("leaderboard", "check", "-l", "board.json")
    same = sum(e.predictions_sha256 != changed.predictions_sha256 for e in entries[1:])
    assert code == 1 and f"4 entries, {same} same, {4 - same} different" in out
    assert "the leaderboard has another ami (0.123; its predictions give" in err
    assert "is not the file whose hash" in err
    document = json.loads(cli("leaderboard", "check", "-l", "board.json", "--json")[1])
    assert len(document["faults"]) == document["different"] == 4 - same


def test_entries_with_the_same_predictions_are_told_apart(results: list[Path], cli: Cli) -> None:
    submit(results, BOARD)
    content = json.loads(BOARD.read_text())
    for entry in content["entries"]:
        entry["metrics"]["ami"] = 0.123
    BOARD.write_text(json.dumps(content))
    code, _, err = cli("leaderboard", "check", "-l", "board.json")
    lines = err.splitlines()
    assert code == 1 and len(set(lines)) == len(lines) == 4
    for entry in read_leaderboard(BOARD).entries:
        name = f"tiny-imbalance/tiny/{entry.task}, modulo on blobs, seed {entry.seed} (run "
        assert sum(line.startswith(f"different: {name}") for line in lines) == 1


def test_a_check_of_nothing_is_no_success(results: list[Path], cli: Cli) -> None:
    submit(results, BOARD)
    for path in sorted(KEPT.iterdir())[1:]:
        path.unlink()
    assert cli("leaderboard", "check", "-l", "board.json")[0] == 0
    shutil.rmtree(KEPT)
    code, out, err = cli("leaderboard", "check", "-l", "board.json")
    assert code == 1 and "4 entries, 0 same, 0 different, 4 without result" in out
    assert err.startswith("nothing checked: no entry") and "kept beside it" in err
    assert cli("leaderboard", "check", "-l", "board.json", "--json")[0] == 1
    submit(results[:1], Path("one.json"))
    code, _, err = cli("leaderboard", "check", "-l", "one.json", str(results[1]))
    assert code == 1 and "from the results named" in err
    assert cli("leaderboard", "-l", "one.json", "--check", str(results[1]))[0] == 1
    assert cli("leaderboard", "check", "-l", "one.json", str(results[0]))[0] == 0
    Path("empty.json").write_text('{"schema": "clusterbench-leaderboard/2"}')
    assert cli("leaderboard", "check", "-l", "empty.json")[0] == 0


def test_something_else_in_their_place_is_said_before_the_work(results: list[Path]) -> None:
    KEPT.write_text("precious")
    with pytest.raises(StorageError, match="predictions are kept in a folder"):
        submit(results, BOARD)
    assert KEPT.read_text() == "precious" and not BOARD.exists()
