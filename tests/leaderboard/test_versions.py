"""Files that earlier versions wrote are read for good; tests/data holds real ones of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterbench.errors import InputError
from clusterbench.files import sha256_file
from clusterbench.leaderboard import Leaderboard, rank, read_leaderboard
from clusterbench.leaderboard.board.file import Snapshot, write_leaderboard
from clusterbench.leaderboard.submissions.submission import read_submitted
from clusterbench.results.predictions import read_predictions
from clusterbench.results.record import read_result

DATA = Path(__file__).resolve().parents[1] / "data"
FIRST = DATA / "version-1" / "leaderboard-1.json"
RESULT = DATA / "version-1" / "seed-0-00d5c803acd7.json"


def test_a_leaderboard_of_version_1_is_read_with_all_it_says() -> None:
    written, board = json.loads(FIRST.read_text()), read_leaderboard(FIRST)
    assert written["schema"] == "clusterbench-leaderboard/1" and len(written["entries"]) == 12
    for there, entry in zip(written["entries"], board.entries, strict=True):
        found = entry.to_dict()
        assert {**there, "verified": None} == {name: found.get(name) for name in there}
        assert (entry.status, entry.verified) == ("verified", True)
        assert entry.label_free is (entry.method != "knn")
    assert [b.to_dict() for b in board.benchmarks] == written["benchmarks"]


def test_rows_of_the_literature_of_version_1_are_read(tmp_path: Path) -> None:
    content = json.loads(FIRST.read_text())
    row = {"benchmark": "easy", "method": "m", "backbone": "b", "metrics": {"acc": 0.5}}
    content["published"] = [{**row, "source": "somebody 2020", "verified": False}]
    path = tmp_path / "board.json"
    path.write_text(json.dumps(content))
    (found,) = read_leaderboard(path).published
    assert (found.status, found.metrics, found.dataset) == ("published", {"acc": 0.5}, None)
    content["published"] *= 2
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"board\.json: .*published row .* occurs twice"):
        read_leaderboard(path)
    content["published"] = [{**row, "source": "somebody 2020", "verified": True}]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="verified"):
        read_leaderboard(path)


def test_version_1_written_again_is_version_2_and_ranks_alike(tmp_path: Path) -> None:
    board, path = read_leaderboard(FIRST), tmp_path / "board.json"
    write_leaderboard(path, board)
    assert json.loads(path.read_text())["schema"] == "clusterbench-leaderboard/2"
    assert read_leaderboard(path) == board
    assert [r.to_dict() for r in rank(read_leaderboard(path))] == [r.to_dict() for r in rank(board)]


def test_each_entry_has_a_line_of_its_own(tmp_path: Path) -> None:
    board, path = read_leaderboard(FIRST), tmp_path / "board.json"
    write_leaderboard(path, board)
    lines = path.read_text().splitlines()
    assert lines[0] == '{"schema": "clusterbench-leaderboard/2",'
    for entry in board.entries:
        (line,) = [line for line in lines if line.startswith(f'{{"key": "{entry.key}"')]
        assert json.loads(line.rstrip(",")) == entry.to_dict()
    assert len(lines) == 7 + len(board.benchmarks) + len(board.entries)


@pytest.mark.parametrize("board", [Leaderboard(), read_leaderboard(FIRST)], ids=["empty", "full"])
def test_what_is_written_does_not_depend_on_how_it_was_read(
    board: Leaderboard, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    write_leaderboard(path, board)
    content = path.read_bytes()
    assert Snapshot.read(path).rendered() == content
    path.write_text(json.dumps(json.loads(content), indent=3))
    assert read_leaderboard(path) == board
    assert Snapshot.read(path).rendered() == content


def test_a_result_of_version_1_is_read() -> None:
    record = read_result(RESULT)
    assert record.to_dict() == json.loads(RESULT.read_text())
    assert record.recomputed_key() == record.key and read_submitted(RESULT) == record
    assert record.predictions is not None
    file = RESULT.with_name(record.predictions.file)
    assert sha256_file(file) == record.predictions.sha256
    predictions, _ = read_predictions(file)
    assert len(predictions) == record.task.n_eval and predictions.max() < record.k


def test_a_later_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "board.json"
    path.write_text('{"schema": "clusterbench-leaderboard/3"}')
    with pytest.raises(InputError, match="schema is 'clusterbench-leaderboard/3'; this version"):
        read_leaderboard(path)
