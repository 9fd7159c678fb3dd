"""Runs on the same training rows are fitted once and read once, and are recorded as if alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sharing_toys import executed, one_by_one, planned, tasks, timeless

from clusterbench.features.store.store import FeatureStore
from clusterbench.results.predictions import read_predictions, rows_hash
from clusterbench.runs import RunEvent, pool, read_result
from clusterbench.runs.sharing import batches

NAMES = ["all", "other", "half", "merged"]


@pytest.fixture
def fits(tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(rows, seed) of each fit of a method as it happens."""
    from clusterbench.methods import Clusterer

    seen: list[tuple[int, int]] = []
    original = Clusterer.fit

    def counted(self: Any, X: Any, **options: Any) -> Any:
        seen.append((len(X), self.random_state))
        return original(self, X, **options)

    monkeypatch.setattr(Clusterer, "fit", counted)
    return seen


@pytest.mark.parametrize("parallel", [True, False])
def test_each_fit_happens_once(
    fits: list[tuple[int, int]], parallel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "one_core_each", lambda *_: parallel)
    records = executed(planned(NAMES, ["kmeans"], "results"))
    assert sorted(fits) == [(60, 0), (60, 1), (120, 0), (120, 1)]
    assert all(record.status == "success" for record in records)
    times = {(r.task.name, r.seed): r.timings.fit for r in records}
    assert times["all", 0] == times["half", 0] == times["merged", 0] != times["other", 0]


def test_records_and_predictions_are_those_of_separate_fits(tiny_world: SimpleNamespace) -> None:
    chosen = ["kmeans", "modulo", "knn", "linear-probe"]
    together, alone = planned(NAMES, chosen, "a"), planned(NAMES, chosen, "b")
    assert len(together) == 4 * (2 * 2 + 2)
    for first, second, a, b in zip(
        together, alone, executed(together), one_by_one(alone), strict=True
    ):
        assert timeless(a) == timeless(b)
        assert first.predictions_path.read_bytes() == second.predictions_path.read_bytes()
        assert read_result(first.path) == a


def test_what_makes_another_fit(tiny_world: SimpleNamespace) -> None:
    def groups(names: list[str], chosen: list[str], **options: Any) -> list[int]:
        found = batches(planned(names, chosen, "r", **options))
        return [len(fit) for batch in found for fit in batch.fits]

    assert groups(["all", "half", "merged"], ["kmeans"]) == [3, 3]  # one per seed
    assert groups(["all", "other"], ["kmeans"]) == [1, 1, 1, 1]
    assert groups(["all", "half"], ["kmeans", "modulo"], seeds=(0,)) == [2, 2]
    # A reference learns the classes, so other classes are another fit.
    assert groups(["all", "half", "merged"], ["knn"]) == [2, 1]
    runs = planned(["all", "half"], ["kmeans"], "r", seeds=(0,))
    runs += planned(["all", "half"], ["kmeans"], "r", seeds=(0,), k=3)
    assert [len(fit) for batch in batches(runs) for fit in batch.fits] == [2, 2]


def test_every_run_keeps_its_number(tiny_world: SimpleNamespace) -> None:
    runs = planned(NAMES, ["kmeans", "knn"], "r")
    found = [item for batch in batches(runs) for fit in batch.fits for item in fit]
    assert sorted(position for position, _ in found) == list(range(1, len(runs) + 1))
    assert all(runs[position - 1] is run for position, run in found)


def test_features_of_the_same_rows_are_read_once(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    original = FeatureStore.read

    def counted(self: FeatureStore, rows: Any = None, **options: Any) -> np.ndarray:
        reads.append(len(rows))
        return original(self, rows, **options)

    monkeypatch.setattr(FeatureStore, "read", counted)
    executed(planned(NAMES, ["modulo", "knn"], "results"))
    # Training and both evaluation rows of the first batch, then the other training rows alone.
    assert reads == [120, 30, 15, 60]


def test_predictions_belong_to_the_rows_of_their_own_task(tiny_world: SimpleNamespace) -> None:
    runs = planned(["all", "half"], ["kmeans"], "results", seeds=(0,))
    executed(runs)
    whole, half = (read_predictions(run.predictions_path) for run in runs)
    assert whole[1] == rows_hash(tasks()["all"].eval_rows)
    assert half[1] == rows_hash(tasks()["half"].eval_rows)
    np.testing.assert_array_equal(whole[0][::2], half[0])


def test_events_count_runs_and_progress_is_told_of_the_first(tiny_world: SimpleNamespace) -> None:
    events: list[RunEvent] = []
    executed(planned(["all", "half", "merged"], ["modulo"], "r", seeds=(0,)), events)
    assert {event.total for event in events} == {3}
    assert [(e.kind, e.position, e.done) for e in events] == [
        ("start", 1, 0),
        ("fit", 1, 1),
        ("fit", 1, 2),
        ("end", 1, 0),
        ("start", 2, 0),
        ("end", 2, 0),
        ("start", 3, 0),
        ("end", 3, 0),
    ]


def test_a_fit_that_fails_fails_each_of_its_runs(fits: list[tuple[int, int]]) -> None:
    records = executed(planned(["all", "half"], ["fails"], "results"))
    assert [(r.seed, r.status) for r in records] == [(0, "success"), (1, "failed")] * 2
    failed = [record for record in records if record.error]
    assert {r.task.name for r in failed} == {"all", "half"}
    assert all(r.error and r.error.stage == "fit" for r in failed)
    assert sorted(fits) == [(120, 0), (120, 1)]  # not tried again for the second task


def test_a_prediction_that_fails_fails_its_run_alone(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clusterbench.methods import Clusterer

    original = Clusterer.predict

    def predict(self: Any, X: Any) -> np.ndarray:
        self.diagnostics_["seen"] = self.diagnostics_.get("seen", 0) + 1
        if len(X) == 15:
            raise ValueError("half is not enough")
        return original(self, X)

    monkeypatch.setattr(Clusterer, "predict", predict)
    runs = planned(["half", "all", "merged"], ["modulo"], "results", seeds=(0,))
    half, whole, merged = executed(runs)
    assert half.error is not None and half.error.stage == "predict"
    assert half.timings.fit is not None and half.timings.predict is None
    assert (whole.status, merged.status) == ("success", "success")
    assert whole.diagnostics["seen"] == merged.diagnostics["seen"] == 1  # not what others left


def test_a_score_that_fails_fails_its_run_alone(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clusterbench.runs import one_run as module

    original = module._split_scores

    def scores(run: Any, predicted: Any) -> Any:
        if run.task.name == "half":
            raise ValueError("no")
        return original(run, predicted)

    monkeypatch.setattr(module, "_split_scores", scores)
    records = executed(planned(["all", "half", "merged"], ["modulo"], "results", seeds=(0,)))
    assert [record.status for record in records] == ["success", "failed", "success"]


def test_an_interrupt_keeps_the_runs_of_the_fit_that_are_finished(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clusterbench.methods import Clusterer

    original = Clusterer.predict

    def predict(self: Any, X: Any) -> np.ndarray:
        if len(X) == 15:
            raise KeyboardInterrupt
        return original(self, X)

    monkeypatch.setattr(Clusterer, "predict", predict)
    runs = planned(["all", "half", "merged"], ["modulo"], "results", seeds=(0,))
    with pytest.raises(KeyboardInterrupt):
        executed(runs)
    assert [run.path.exists() for run in runs] == [True, False, False]
    assert read_result(runs[0].path).status == "success"
    assert not list(Path("results").rglob(".*"))


def test_a_missing_run_is_computed_alone(fits: list[tuple[int, int]]) -> None:
    """Of runs that share a fit, one that is missing later needs the fit again, and only it."""
    runs = planned(["all", "half"], ["kmeans"], "results", seeds=(0,))
    first = executed(runs)
    kept = runs[0].path.read_bytes()
    runs[1].path.unlink()
    (again,) = executed([runs[1]])
    assert timeless(again) == timeless(first[1])
    assert runs[0].path.read_bytes() == kept and len(fits) == 2


def test_nothing_like_a_label_reaches_a_method_that_serves_several_tasks(
    tiny_world: SimpleNamespace,
) -> None:
    executed(planned(["all", "half", "merged"], ["spy"], "results", seeds=(0,)))
    from clusterbench_test_methods import Spy  # type: ignore[import-not-found]

    assert [kind for kind, _, _ in Spy.seen] == ["fit", "predict", "predict", "predict"]
    for _, arguments, options in Spy.seen:
        (features,) = arguments
        assert features.dtype == np.float32 and features.shape[1] == 8
        assert set(options) <= {"progress"}
    Spy.seen.clear()
