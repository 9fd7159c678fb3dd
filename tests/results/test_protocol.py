"""The transductive protocol: fitted and scored on the same rows, and never mixed with the other."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clusterbench.errors import InputError
from clusterbench.features.store.store import FeatureStore
from clusterbench.leaderboard import rank, read_leaderboard, submit
from clusterbench.metrics import random_floor, score
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.predictions import read_predictions, rows_hash
from clusterbench.runs import read_result

BOARD = Path("leaderboard.json")


def test_the_clusters_of_the_fit_are_what_is_scored(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["kmeans"], seeds=1, protocol="transductive")
    assert report.ok and report.to_dict()["protocol"] == "transductive"
    for outcome in report.outcomes:
        task, record = outcome.run.task, read_result(outcome.run.path)
        assert record.protocol == "transductive"
        predictions, rows = read_predictions(outcome.run.predictions_path)
        assert rows == rows_hash(task.train_rows) and len(predictions) == len(task.train_rows)
        assert record.scores is not None and record.scores == record.train_scores
        again = score(task.train_targets, predictions, n_classes=4, n_clusters=4)
        assert record.scores.metrics["ami"] == again.ami
        assert record.scores.n == record.task.n_train == 32 and record.task.n_eval == 20
        assert record.scores.intervals is not None
        floor = random_floor(task.train_targets, 4, n_repeats=10, seed=0)
        assert record.random_floor["acc"] == floor.acc
        assert record.timings.fit is not None and record.timings.predict is None


def test_they_are_the_clusters_of_the_training_rows_under_the_other_protocol(
    tiny_world: SimpleNamespace,
) -> None:
    inductive = tiny_world.run(methods=["kmeans"], seeds=1)
    transductive = tiny_world.run(methods=["kmeans"], seeds=1, protocol="transductive")
    for a, b in zip(inductive.outcomes, transductive.outcomes, strict=True):
        assert a.run.key != b.run.key and a.run.path != b.run.path
        assert a.record.train_scores.metrics == b.record.scores.metrics
    assert tiny_world.run(methods=["kmeans"], seeds=1).n_reused == 2


def test_neither_predict_is_called_nor_are_evaluation_rows_read(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    original = FeatureStore.read

    def counted(self: FeatureStore, rows: np.ndarray, **options: object) -> np.ndarray:
        reads.append(len(rows))
        return original(self, rows, **options)

    monkeypatch.setattr(FeatureStore, "read", counted)
    tiny_world.run(methods=["spy"], seeds=1, protocol="transductive")
    from clusterbench_test_methods import Spy  # type: ignore[import-not-found]

    assert [kind for kind, _, _ in Spy.seen] == ["fit", "fit"]
    assert reads == [32, 32]
    Spy.seen.clear()


@pytest.mark.parametrize("protocol", ["transductiv", "train-val", "", "TRANSDUCTIVE"])
def test_unknown_protocols_are_refused(tiny_world: SimpleNamespace, protocol: str) -> None:
    with pytest.raises(InputError, match="unknown protocol"):
        tiny_world.run(protocol=protocol)
    assert not Path("results").exists()


def test_references_are_refused(tiny_world: SimpleNamespace) -> None:
    with pytest.raises(InputError, match="knn: a reference is fitted with the training labels"):
        tiny_world.run(methods=["kmeans", "knn"], protocol="transductive")
    assert not Path("results").exists()


class TestOnTheLeaderboard:
    @pytest.fixture
    def paths(self, tiny_world: SimpleNamespace) -> list[Path]:
        for protocol in ("train->val", "transductive"):
            tiny_world.run(methods=["kmeans", "modulo"], protocol=protocol)
        return sorted(Path("results").rglob("seed-*.json"))

    def test_each_protocol_has_its_own_ranking(self, paths: list[Path]) -> None:
        assert {s.status for s in submit(paths, BOARD)} == {"added"}
        rankings = rank(read_leaderboard(BOARD))
        assert [r.protocol for r in rankings] == ["train->val", "transductive"]
        for ranking in rankings:
            assert [(row.method, row.rank) for row in ranking.rows] == [
                ("kmeans", 1),
                ("modulo", 2),
            ]
        entrants = [row.entrant for ranking in rankings for row in ranking.rows]
        assert len(set(entrants)) == 4
        inductive, transductive = rankings
        assert transductive.floor.keys() == {"ami", "acc"}
        assert transductive.floor != inductive.floor
        assert transductive.to_dict()["protocol"] == "transductive"

    def test_both_do_not_make_an_entrant_complete(self, paths: list[Path]) -> None:
        """Two tasks by three seeds are there, but not under one protocol."""
        chosen = [
            path
            for path in paths
            if read_result(path).method.name == "kmeans"
            and (read_result(path).protocol == "transductive") == (read_result(path).seed == 2)
        ]
        assert len(chosen) == 6
        submit(chosen, BOARD)
        for ranking in rank(read_leaderboard(BOARD)):
            (row,) = ranking.rows
            assert row.rank is None and not row.complete and "seeds" in row.missing

    def test_a_board_from_before_protocols_is_read_and_goes_on(self, paths: list[Path]) -> None:
        inductive = [path for path in paths if read_result(path).protocol == "train->val"]
        submit(inductive, BOARD)
        content = json.loads(BOARD.read_text())
        for entry in content["entries"]:
            del entry["protocol"], entry["reference"]
        for task in content["benchmarks"][0]["tasks"]:
            del task["train_floor"]
        before = rank(read_leaderboard(BOARD))
        BOARD.write_text(json.dumps(content))
        assert rank(read_leaderboard(BOARD)) == before
        assert {s.status for s in submit(inductive, BOARD)} == {"unchanged"}
        submit(paths, BOARD)
        after = rank(read_leaderboard(BOARD))
        assert after[0] == before[0] and after[1].floor["acc"] > 0

    def test_a_protocol_that_was_edited_is_refused(self, paths: list[Path]) -> None:
        (path, *_) = (p for p in paths if read_result(p).protocol == "transductive")
        content = json.loads(path.read_text())
        content["protocol"] = "train->val"
        path.write_text(json.dumps(content))
        (submission,) = submit([path], BOARD)
        assert "the file was edited" in submission.message
        content["key"] = read_result(path).recomputed_key()
        path.write_text(json.dumps(content))
        (submission,) = submit([path], BOARD)
        assert "scores.n is 32; wanted 20" in submission.message
        content["scores"]["n"] = 20
        path.write_text(json.dumps(content))
        (submission,) = submit([path], BOARD)
        assert "32 predictions; the task has 20 rows" in submission.message

    def test_a_score_of_the_training_rows_is_computed_again(self, paths: list[Path]) -> None:
        (path, *_) = (p for p in paths if read_result(p).protocol == "transductive")
        content = json.loads(path.read_text())
        content["scores"]["metrics"]["ami"] += 1e-6
        path.write_text(json.dumps(content))
        (submission,) = submit([path], BOARD)
        assert "ami is recorded as" in submission.message


def test_evidence_has_the_classes_of_the_scored_rows(tiny_world: SimpleNamespace) -> None:
    outcome = tiny_world.run(seeds=1, protocol="transductive").outcomes[0]
    evidence = EvidenceReader().read(outcome.run.path)
    np.testing.assert_array_equal(evidence.targets, outcome.run.task.train_targets)
