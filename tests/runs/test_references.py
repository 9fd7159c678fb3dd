"""References in a run: fitted with labels that no method sees, one run each, marked, unranked."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusterbench import methods, references
from clusterbench.errors import InputError
from clusterbench.leaderboard import rank, read_leaderboard, submit
from clusterbench.metrics import score
from clusterbench.results.predictions import read_predictions
from clusterbench.runs import read_result

BOARD = Path("leaderboard.json")


def edit(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text())
    content["method"].update(changes.pop("method", {}))
    path.write_text(json.dumps({**content, **changes}))
    path.write_text(json.dumps({**content, **changes, "key": read_result(path).recomputed_key()}))


def test_all_references_follow_the_methods_with_one_run_each(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["knn", "kmeans"], references=True, seeds=(4, 7))
    assert report.ok
    others = [r for r in references.REFERENCES if r.name != "knn"]
    planned = [(o.run.task.name, o.run.method.name, o.run.seed) for o in report.outcomes]
    for task in ("ratio-1", "ratio-4"):
        assert [run[1:] for run in planned if run[0] == task] == [
            ("kmeans", 4),
            ("kmeans", 7),
            ("knn", 0),  # named, so first; of the others each one run if no seed changes it
            *((r.name, s) for r in others for s in ((4, 7) if r.seeded else (0,))),
        ]
    again = tiny_world.run(methods=["kmeans"], references=True, seeds=(4, 7))
    assert again.n_computed == 0


def test_a_record_is_marked_and_holds_accuracy_beside_the_scores(
    tiny_world: SimpleNamespace,
) -> None:
    for outcome in tiny_world.run(methods=["knn", "linear-probe", "nearest-mean"]).outcomes:
        run, record = outcome.run, read_result(outcome.run.path)
        assert record.method.reference is True and record.seed == 0
        predictions, _ = read_predictions(run.predictions_path)
        targets = run.task.eval_targets
        assert record.diagnostics["accuracy"] == np.mean(predictions == targets)
        again = score(targets, predictions, n_classes=4, n_clusters=4)
        assert record.scores is not None
        assert record.scores.metrics["acc"] == again.acc >= record.diagnostics["accuracy"]
        assert record.train_scores is None  # of rows whose classes it was told
    method = tiny_world.run(methods=["modulo"], seeds=1).outcomes[0].record
    assert method.method.reference is False and "accuracy" not in method.diagnostics


@pytest.mark.parametrize("k", [2, "2x", None])
def test_a_reference_has_as_many_clusters_as_classes(
    tiny_world: SimpleNamespace, k: int | str | None
) -> None:
    report = tiny_world.run(methods=["kmeans", "knn"], seeds=1, k=k)
    wanted = {2: 2, "2x": 8, None: 4}[k]
    assert {(o.run.method.name, o.record.k) for o in report.outcomes} == {
        ("kmeans", wanted),
        ("knn", 4),
    }
    assert report.to_dict()["tasks"][0]["k"] == wanted


def test_settings_are_checked_and_enter_the_key(tiny_world: SimpleNamespace) -> None:
    def key(**params: Any) -> str:
        report = tiny_world.run(methods=["knn"], params={"knn": params}, dry_run=True)
        return str(report.outcomes[0].run.key)

    assert key() == key(n_neighbors=20) != key(n_neighbors=5)
    for params, message in (
        ({"knn": {"n_neighbours": 5}}, "did you mean n_neighbors"),
        ({"knn": {"n_classes": 5}}, "is not a setting"),
        ({"linear-probe": {}}, "not among the methods to run"),
    ):
        with pytest.raises(InputError, match=message):
            tiny_world.run(methods=["knn"], params=params)
    with pytest.raises(InputError, match="did you mean linear-probe"):
        tiny_world.run(methods=["linear-prob"])


def test_a_reference_that_fails_is_a_failure_record(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no classes today")

    monkeypatch.setattr(references.get("knn"), "_fit", fail)
    report = tiny_world.run(methods=["modulo", "knn"], seeds=1)
    assert [o.failure for o in report.failures] == [
        "ratio-1 knn seed 0: ValueError: no classes today",
        "ratio-4 knn seed 0: ValueError: no classes today",
    ]
    record = report.failures[0].record
    assert record.method.reference and record.error.stage == "fit"


def test_only_references_are_given_targets(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What methods and references are handed in one run of both."""
    given: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    for base in (methods.Clusterer, references.Reference):
        original = base.fit

        def fit(self: Any, *args: Any, _original: Any = original, **options: Any) -> Any:
            given.append((self.name, args, options))
            return _original(self, *args, **options)

        monkeypatch.setattr(base, "fit", fit)
    report = tiny_world.run(methods=["kmeans"], references=True, seeds=1)
    assert report.ok and len(given) == 2 * (1 + len(references.names()))
    for name, arguments, options in given:
        assert set(options) == {"progress"}
        assert len(arguments) == (1 if name == "kmeans" else 2)


@pytest.mark.parametrize("name", methods.names())
def test_no_method_has_a_parameter_that_could_take_labels(name: str) -> None:
    found = methods.get(name)
    for hook in ("_fit", "_predict", "_predict_top"):
        names = set(inspect.signature(getattr(found, hook)).parameters)
        assert names <= {"self", "features", "progress", "n"}, hook
    # The y of scikit-learn's pipelines ends at the sealed public methods, which drop it unread.
    paths = {"checkpoint", "log", "tensorboard"}
    known = {"self", "X", "y", "sample_weight", "progress", *paths}
    assert set(inspect.signature(found.fit).parameters) <= known
    assert found.fit is methods.Clusterer.fit or "del y" in inspect.getsource(found.fit)
    assert found.fit_predict is methods.Clusterer.fit_predict
    assert not issubclass(found, references.Reference)
    source = inspect.getsource(inspect.getmodule(found))  # type: ignore[arg-type]
    assert "references" not in source and "targets" not in source


class TestOnTheLeaderboard:
    @pytest.fixture
    def paths(self, tiny_world: SimpleNamespace) -> list[Path]:
        report = tiny_world.run(methods=["kmeans"], references=True)
        return [outcome.run.path for outcome in report.outcomes]

    def test_references_are_listed_unranked_with_their_means(self, paths: list[Path]) -> None:
        assert {s.status for s in submit(paths, BOARD)} == {"added"}
        board = read_leaderboard(BOARD)
        marked = {entry.method: entry.reference for entry in board.entries}
        assert marked == {"kmeans": False, **dict.fromkeys(references.names(), True)}
        (ranking,) = rank(board)
        first, *others = ranking.rows
        assert (first.method, first.rank, first.complete) == ("kmeans", 1, True)
        assert [row.method for row in others] == references.names()
        for row in others:
            assert (row.rank, row.complete, row.reference, row.missing) == (None, False, True, "")
            assert row.means["acc"] > first.means["acc"] / 2
            assert row.to_dict()["reference"] is True

    def test_a_reference_that_lacks_a_task_has_no_mean(self, paths: list[Path]) -> None:
        chosen = [path for path in paths if "ratio-1/knn" in path.as_posix()]
        submit(chosen, BOARD)
        ((row,),) = (ranking.rows for ranking in rank(read_leaderboard(BOARD)))
        assert (row.rank, row.means) == (None, {}) and "1 of 2 tasks" in row.missing

    @pytest.mark.parametrize(
        ("method", "changes", "message"),
        [
            ("knn", {"method": {"reference": False}}, "but 'knn' is a reference"),
            ("kmeans", {"method": {"reference": True}}, "but 'kmeans' is no reference"),
            ("knn", {"k": 5}, "reference 'knn' with k=5"),
        ],
    )
    def test_a_false_mark_is_refused(
        self, paths: list[Path], method: str, changes: dict[str, Any], message: str
    ) -> None:
        (path, *_) = (path for path in paths if f"/{method}/" in path.as_posix())
        scores = json.loads(path.read_text())["scores"]  # which a method has of both splits
        scores["n_clusters"] = changes.get("k", scores["n_clusters"])
        edit(path, scores=scores, train_scores={**scores, "n": 32}, **changes)
        (submission,) = submit([path], BOARD)
        assert submission.status == "refused" and message in submission.message
