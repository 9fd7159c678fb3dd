"""Given results of the small world: what enters a leaderboard, what is refused and why."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from clusterbench.errors import InputError, StorageError
from clusterbench.files import sha256_file
from clusterbench.leaderboard import Submission, read_leaderboard, submit
from clusterbench.results.predictions import read_predictions, write_predictions
from clusterbench.results.record import read_result

BOARD = Path("leaderboard.json")


@pytest.fixture
def results(tiny_world: SimpleNamespace) -> list[Path]:
    """Result files of two tasks with two seeds each, in the order of the plan."""
    return [outcome.run.path for outcome in tiny_world.run(seeds=2).outcomes]


def statuses(submissions: list[Submission]) -> list[str]:
    return [submission.status for submission in submissions]


def edit(path: Path, **changes: Any) -> None:
    """Change fields of a result; a dotted name is written with double underscores."""
    content = json.loads(path.read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    path.write_text(json.dumps(content))


def repredict(path: Path, predictions: np.ndarray, rows: np.ndarray | None = None) -> None:
    """Other predictions beside a result, with their right hash in it."""
    file = path.with_suffix(".npz")
    if rows is None:
        rows = np.array([])
    write_predictions(file, predictions, rows)
    edit(path, predictions__sha256=sha256_file(file))


def test_results_enter_with_their_scores_computed_again(results: list[Path]) -> None:
    assert statuses(submit(results, BOARD)) == ["added"] * 4
    board = read_leaderboard(BOARD)
    assert len(board.entries) == 4
    for entry in board.entries:
        (path,) = [path for path in results if read_result(path).key == entry.key]
        record = read_result(path)
        assert record.scores is not None
        assert entry.metrics == record.scores.metrics
        assert entry.verified is True and entry.encoder == "blobs"
    (known,) = board.benchmarks
    assert [task.name for task in known.tasks] == ["ratio-1", "ratio-4"]


def test_a_folder_is_searched(results: list[Path]) -> None:
    assert statuses(submit(Path("results"), BOARD)) == ["added"] * 4


def test_the_same_again_changes_nothing(results: list[Path]) -> None:
    submit(results, BOARD)
    before = BOARD.read_bytes(), BOARD.stat().st_mtime_ns
    assert statuses(submit(results, BOARD)) == ["unchanged"] * 4
    assert (BOARD.read_bytes(), BOARD.stat().st_mtime_ns) == before


def test_the_order_of_submissions_does_not_matter(results: list[Path]) -> None:
    submit(results, Path("a.json"))
    for path in reversed(results):
        submit([path], Path("b.json"))

    def keys(path: str) -> list[str]:
        return [entry.key for entry in read_leaderboard(Path(path)).entries]

    assert keys("a.json") == keys("b.json")


def test_other_predictions_for_a_run_are_refused_unless_replaced(
    tiny_world: SimpleNamespace, results: list[Path]
) -> None:
    submit(results, BOARD)
    task = tiny_world.run(seeds=2, dry_run=True).outcomes[0].run.task
    flipped = (np.arange(20) // 5).astype(np.int32)
    repredict(results[0], flipped, task.eval_rows)
    from clusterbench.results.scoring import split_scores

    scores = split_scores(task.eval_targets, flipped, 4, 4)
    edit(results[0], scores=scores.to_dict())
    (submission,) = submit([results[0]], BOARD)
    assert submission.status == "refused" and "use --replace" in submission.message
    assert statuses(submit([results[0]], BOARD, replace=True)) == ["replaced"]
    entry = next(e for e in read_leaderboard(BOARD).entries if e.key == read_result(results[0]).key)
    assert entry.metrics == scores.metrics


class TestRefused:
    def reason(self, path: Path) -> str:
        (submission,) = submit([path], BOARD)
        assert submission.status == "refused"
        assert not BOARD.exists()
        assert str(path.parent) in submission.message
        return submission.message

    def test_a_score_that_its_predictions_do_not_give(self, results: list[Path]) -> None:
        record = read_result(results[0])
        assert record.scores is not None
        edit(results[0], scores__metrics__ami=record.scores.metrics["ami"] + 1e-8)
        assert "ami is recorded as" in self.reason(results[0])

    def test_a_random_floor_that_is_not_the_tasks(self, results: list[Path]) -> None:
        edit(results[0], random_floor__acc=0.999)
        assert "random_floor acc is recorded as 0.999" in self.reason(results[0])

    def test_a_result_from_before_a_metric_existed_passes(self, results: list[Path]) -> None:
        record = read_result(results[0])
        assert record.scores is not None
        older = {"acc": record.scores.metrics["acc"], "ami": record.scores.metrics["ami"]}
        edit(results[0], scores__metrics=older, random_floor={"acc": record.random_floor["acc"]})
        assert statuses(submit([results[0]], BOARD)) == ["added"]
        (entry,) = read_leaderboard(BOARD).entries
        assert entry.metrics == record.scores.metrics  # as computed again from the predictions

    def test_a_score_within_rounding_passes(self, results: list[Path]) -> None:
        record = read_result(results[0])
        assert record.scores is not None
        edit(results[0], scores__metrics__ami=record.scores.metrics["ami"] + 1e-12)
        assert statuses(submit([results[0]], BOARD)) == ["added"]

    def test_a_failed_run_of_many_words_takes_a_short_line(self, results: list[Path]) -> None:
        error = {"stage": "fit", "type": "ValueError", "message": "x" * 9_000, "where": "here"}
        failed = {"status": "failed", "error": error, "scores": None, "train_scores": None}
        edit(results[0], **failed, ranked=None, predictions=None)
        reason = self.reason(results[0])
        assert "the run failed (xxx" in reason and "(9,000 characters)" in reason
        assert len(reason) < len(str(results[0])) + 300

    def test_changed_predictions(self, results: list[Path]) -> None:
        predictions, _ = read_predictions(results[0].with_suffix(".npz"))
        write_predictions(results[0].with_suffix(".npz"), predictions[::-1], np.arange(3))
        assert "is not the file whose hash" in self.reason(results[0])

    def test_missing_predictions(self, results: list[Path]) -> None:
        results[0].with_suffix(".npz").unlink()
        assert "is missing" in self.reason(results[0])

    def test_predictions_of_other_rows(self, results: list[Path]) -> None:
        repredict(results[0], np.zeros(20, np.int32), np.arange(20))
        assert "predicts other rows" in self.reason(results[0])

    @pytest.mark.parametrize(
        ("predictions", "message"),
        [
            (np.zeros(19, np.int32), "19 predictions; the task has 20 rows"),
            (np.full(20, 4, np.int32), "clusters 4..4; wanted 0..3"),
            (np.full(20, -1, np.int32), "clusters -1..-1; wanted 0..3"),
        ],
    )
    def test_predictions_that_do_not_fit(
        self,
        tiny_world: SimpleNamespace,
        results: list[Path],
        predictions: np.ndarray,
        message: str,
    ) -> None:
        rows = tiny_world.run(seeds=2, dry_run=True).outcomes[0].run.task.eval_rows
        repredict(results[0], predictions, rows)
        assert message in self.reason(results[0])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"seed": 5}, "the file was edited"),
            ({"method__params__shift": 3}, "the file was edited"),
            ({"benchmark": "nonsense"}, "unknown benchmark"),
            ({"dataset": "nonsense"}, "unknown dataset"),
            ({"task__name": "ratio-9"}, "has no task 'ratio-9'; it has ratio-1, ratio-4"),
            ({"index_hash": "b" * 64}, "made on index bbbbbbbbbbbb"),
            ({"surplus": 1}, "surplus"),
        ],
    )
    def test_edited_fields(
        self, results: list[Path], changes: dict[str, Any], message: str
    ) -> None:
        edit(results[0], **changes)
        assert message in self.reason(results[0])

    @pytest.mark.parametrize(
        ("field", "message"),
        [
            ("task__manifest_hash", "had manifest cccccccccccc"),
            ("features__identity", "features cccccccccccc, but the data set's 'blobs'"),
        ],
    )
    def test_other_inputs_under_a_key_that_fits(
        self, results: list[Path], field: str, message: str
    ) -> None:
        edit(results[0], **{field: "c" * 64})
        edit(results[0], key=read_result(results[0]).recomputed_key())
        assert message in self.reason(results[0])

    def test_a_truncated_result(self, results: list[Path]) -> None:
        results[0].write_bytes(results[0].read_bytes()[:200])
        assert "not whole JSON" in self.reason(results[0])

    def test_a_failed_run(self, tiny_world: SimpleNamespace) -> None:
        path = tiny_world.run(methods=["fails"], seeds=(1,)).outcomes[0].run.path
        assert "the run failed (the head collapsed)" in self.reason(path)

    def test_one_of_several_does_not_stop_the_others(self, results: list[Path]) -> None:
        edit(results[1], seed=9)
        assert statuses(submit(results, BOARD)) == ["added", "refused", "added", "added"]


class TestFiles:
    def test_paths_that_are_not_there(self, tiny_world: SimpleNamespace) -> None:
        with pytest.raises(InputError, match="no such result file or folder"):
            submit(Path("nowhere"), BOARD)
        Path("empty").mkdir()
        with pytest.raises(InputError, match="holds no results"):
            submit(Path("empty"), BOARD)

    def test_a_damaged_leaderboard_is_kept_and_named(self, results: list[Path]) -> None:
        submit(results, BOARD)
        BOARD.write_bytes(half := BOARD.read_bytes()[:300])
        with pytest.raises(InputError, match=r"leaderboard\.json: not whole JSON"):
            submit(results, BOARD)
        assert BOARD.read_bytes() == half

    def test_another_definition_of_a_task_is_refused(self, results: list[Path]) -> None:
        submit(results[:1], BOARD)
        content = json.loads(BOARD.read_text())
        content["benchmarks"][0]["tasks"][1]["manifest_hash"] = "d" * 64
        BOARD.write_text(json.dumps(content))
        before = BOARD.read_bytes()
        for submission in submit(results[:1], BOARD):
            assert submission.status == "refused"
            assert "another definition" in submission.message
            assert "(differing tasks: ratio-4)" in submission.message
        assert BOARD.read_bytes() == before

    def test_a_folder_that_cannot_be_made(self, results: list[Path]) -> None:
        Path("file").write_text("")
        with pytest.raises(StorageError, match="cannot write"):
            submit(results, Path("file/leaderboard.json"))

    def test_a_lock_that_stays_is_one_error(
        self, results: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        module = sys.modules["clusterbench.leaderboard.board.lock"]
        monkeypatch.setattr(module, "LOCK_TIMEOUT", 0.05)
        with (
            FileLock(f"{BOARD}.lock"),
            pytest.raises(StorageError, match="another submission holds"),
        ):
            submit(results, BOARD)
        assert not BOARD.exists()

    def test_submissions_at_the_same_time_all_enter(self, results: list[Path]) -> None:
        threads = [threading.Thread(target=submit, args=([path], BOARD)) for path in results]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(read_leaderboard(BOARD).entries) == 4
