"""Given the small world: what a run computes, records and leaves alone."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clusterbench.datasets import registry
from clusterbench.errors import InputError, StorageError
from clusterbench.features.store.store import FeatureStore
from clusterbench.metrics import score
from clusterbench.results import scoring
from clusterbench.results.predictions import read_predictions, rows_hash
from clusterbench.runs import RunEvent, read_result
from clusterbench.runs.survey import survey


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: its modification time and content."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_run_leaves_a_result_and_its_predictions(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["modulo", "kmeans"], seeds=2)
    assert report.ok
    assert (len(report.outcomes), report.n_computed, report.n_reused) == (8, 8, 0)
    for outcome in report.outcomes:
        run, record = outcome.run, read_result(outcome.run.path)
        assert record == outcome.record
        predictions, rows = read_predictions(run.predictions_path)
        assert rows == rows_hash(run.task.eval_rows)
        again = score(run.task.eval_targets, predictions, n_classes=4, n_clusters=4)
        assert record.scores is not None
        assert record.scores.metrics["ami"] == again.ami
        assert record.scores.clusters["n_empty"] == again.clusters.n_empty
    assert not list(Path("results").rglob(".*"))  # no probe and no temporary file is left


def test_a_record_says_what_was_run_and_with_what(tiny_world: SimpleNamespace) -> None:
    outcome = tiny_world.run(seeds=1).outcomes[0]
    record = outcome.record
    assert record.index_hash == registry.load("tiny").index.hash
    assert record.features.identity == registry.load("tiny").store().identity
    assert (record.features.encoder, record.features.dim) == ("blobs", 8)
    assert record.method.params == {"shift": 0, "flag": False}
    assert record.task.factors["imbalance_ratio"] == 1
    assert record.diagnostics == {"chosen_head": 3, "losses": [1.0, "nan"]}
    assert record.timings.fit >= 0 and record.timings.score >= 0
    assert record.environment.device == "cpu" and record.environment.threads >= 1
    assert record.environment.packages["numpy"] == np.__version__
    assert record.scores.n == 20 and record.train_scores.n == 32
    assert 0.3 < record.random_floor["acc"] < 0.6


def test_the_same_request_again_computes_nothing(tiny_world: SimpleNamespace) -> None:
    tiny_world.run()
    before = files(Path("results"))
    report = tiny_world.run()
    assert (report.n_computed, report.n_reused) == (0, 6)
    assert files(Path("results")) == before


def test_more_seeds_compute_only_the_new_ones(tiny_world: SimpleNamespace) -> None:
    tiny_world.run(seeds=1)
    report = tiny_world.run(seeds=3)
    assert (report.n_computed, report.n_reused) == (4, 2)


def test_a_run_repeated_elsewhere_gives_the_same_predictions(tiny_world: SimpleNamespace) -> None:
    first = tiny_world.run(methods=["kmeans"], results="one")
    second = tiny_world.run(methods=["kmeans"], results="two")
    for a, b in zip(first.outcomes, second.outcomes, strict=True):
        assert a.run.key == b.run.key
        assert a.record.predictions == b.record.predictions


def test_one_failure_is_recorded_and_the_rest_goes_on(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["fails", "modulo"])
    assert [o.failure for o in report.failures] == [
        "ratio-1 fails seed 1: ValueError: the head collapsed",
        "ratio-4 fails seed 1: ValueError: the head collapsed",
    ]
    record = read_result(report.failures[0].run.path)
    assert record.status == "failed" and record.scores is None and record.error is not None
    assert record.error.stage == "fit"
    assert record.error.where.startswith("clusterbench_test_methods.py:")
    assert not report.failures[0].run.predictions_path.exists()
    assert sum(o.status == "success" for o in report.outcomes) == 10


def test_clusters_that_are_not_numbers_are_a_failure(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["nans"], seeds=1)
    assert "NaN or infinity as a cluster" in report.failures[0].failure


def test_a_failure_after_a_success_takes_the_old_predictions_away(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_FAILING_SEED", "99")
    path = tiny_world.run(methods=["fails"]).outcomes[1].run.predictions_path
    assert path.exists()
    monkeypatch.setenv("TEST_FAILING_SEED", "1")
    tiny_world.run(methods=["fails"], overwrite_strategy="always")
    assert not path.exists()


class TestStrategies:
    @pytest.fixture
    def worn(self, tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Of three seeds on two tasks: one failed, one truncated, one without predictions."""
        report = tiny_world.run(methods=["fails"])
        monkeypatch.setenv("TEST_FAILING_SEED", "99")
        truncated, robbed = report.outcomes[0].run, report.outcomes[2].run
        truncated.path.write_bytes(truncated.path.read_bytes()[:100])
        robbed.predictions_path.unlink()
        assert [survey(o.run)[0] for o in report.outcomes] == [
            "partial",
            "failed",
            "partial",
            "success",
            "failed",
            "success",
        ]
        return report

    def test_never_touches_no_file(self, tiny_world: SimpleNamespace, worn: Any) -> None:
        before = files(Path("results"))
        report = tiny_world.run(methods=["fails"], overwrite_strategy="never")
        assert report.n_computed == 0 and not report.ok
        assert files(Path("results")) == before
        report = tiny_world.run(methods=["fails"], overwrite_strategy="never", seeds=4)
        assert report.n_computed == 2
        assert files(Path("results")).items() >= before.items()

    def test_only_missing_repeats_what_is_not_whole(
        self, tiny_world: SimpleNamespace, worn: Any
    ) -> None:
        report = tiny_world.run(methods=["fails"])
        assert [o.computed for o in report.outcomes] == [True, True, True, False, True, False]
        assert report.ok

    def test_always_computes_everything(self, tiny_world: SimpleNamespace, worn: Any) -> None:
        report = tiny_world.run(methods=["fails"], overwrite_strategy="always")
        assert report.n_computed == 6 and report.ok

    def test_an_unknown_strategy_is_an_input_error(self, tiny_world: SimpleNamespace) -> None:
        with pytest.raises(InputError, match="did you mean only-missing"):
            tiny_world.run(overwrite_strategy="only_missing")


def test_another_run_in_the_file_does_not_count(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(seeds=2)
    first, second = (o.run for o in report.outcomes[:2])
    first.path.write_bytes(second.path.read_bytes())
    assert survey(first)[0] == "partial"
    content = json.loads(second.path.read_text())
    content["method"]["params"]["shift"] = 1
    second.path.write_text(json.dumps(content))
    assert survey(second)[0] == "partial"


def test_methods_see_features_k_and_seed_but_no_labels(tiny_world: SimpleNamespace) -> None:
    report = tiny_world.run(methods=["spy"], seeds=2)
    from clusterbench_test_methods import Spy  # type: ignore[import-not-found]

    store = registry.load("tiny").store()
    kinds = [kind for kind, _, _ in Spy.seen]  # task by task, the two seeds side by side
    assert [sorted(kinds[:4]), sorted(kinds[4:])] == [["fit", "fit", "predict", "predict"]] * 2
    for (kind, arguments, options), outcome in zip(
        Spy.seen, [o for o in report.outcomes for _ in range(2)], strict=True
    ):
        task = outcome.run.task
        (features,) = arguments
        rows = task.train_rows if kind == "fit" else task.eval_rows
        np.testing.assert_array_equal(features, store.read(rows))
        assert not features.flags.writeable  # nor can a method spoil them for the next
        assert set(options) <= {"progress"}
        reachable = _closure(options.get("progress"))
        assert not any(value is task.train_targets for value in reachable)
    Spy.seen.clear()


def _closure(function: Any) -> list[Any]:
    return [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]


def test_features_of_the_same_rows_are_read_once(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    original = FeatureStore.read

    def counted(self: FeatureStore, rows: Any = None, **options: Any) -> np.ndarray:
        reads.append(len(rows))
        return original(self, rows, **options)

    monkeypatch.setattr(FeatureStore, "read", counted)
    tiny_world.run(methods=["modulo", "kmeans"], seeds=3)
    assert reads == [32, 20, 32]  # both tasks are evaluated on the same rows


def test_events_tell_the_course_of_each_run(tiny_world: SimpleNamespace) -> None:
    events: list[RunEvent] = []
    tiny_world.run(methods=["fails"], seeds=2, progress=events.append)
    # Runs go side by side, so each is followed by its own number.
    told = {
        position: [(e.kind, e.done, e.steps, e.status) for e in events if e.position == position]
        for position in (1, 2)
    }
    assert told == {
        1: [
            ("start", 0, 0, None),
            ("fit", 1, 2, None),
            ("fit", 2, 2, None),
            ("end", 0, 0, "success"),
        ],
        2: [("start", 0, 0, None), ("end", 0, 0, "failed")],
    }
    assert {e.total for e in events} == {4}
    (failure,) = (e.message for e in events if e.position == 2 and e.kind == "end")
    assert failure == "ValueError: the head collapsed"


class TestBeforeAnythingRuns:
    """Wrong requests leave no trace, not even the results folder."""

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"benchmark": "tiny-imbalanse"}, "did you mean tiny-imbalance"),
            ({"dataset": "tyni"}, "unknown dataset"),
            ({"encoder": "blob"}, "did you mean blobs"),
            ({"methods": ["kmeens"]}, "did you mean kmeans"),
            ({"methods": []}, "no method"),
            ({"k": 33}, "k=33 is larger than the 32 training samples"),
            ({"k": 0}, "k=0; wanted a whole number >= 1"),
            ({"seeds": 0}, "seeds=0"),
            ({"device": "gpu"}, "device 'gpu'"),
            ({"device": "1"}, "device"),
            ({"preset": "huge"}, "preset"),
            ({"params": {"modulo": {"shfit": 1}}}, "did you mean shift"),
        ],
    )
    def test_wrong_requests(
        self, tiny_world: SimpleNamespace, settings: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            tiny_world.run(**settings)
        assert not Path("results").exists()

    def test_a_dry_run_plans_and_writes_nothing(self, tiny_world: SimpleNamespace) -> None:
        report = tiny_world.run(dry_run=True)
        assert [o.to_compute for o in report.outcomes] == [True] * 6
        assert report.n_computed == 0 and not Path("results").exists()

    def test_a_results_folder_below_a_file_is_one_error(self, tiny_world: SimpleNamespace) -> None:
        Path("file").write_text("")
        computed: list[RunEvent] = []
        with pytest.raises(StorageError, match="a file stands where a folder is needed"):
            tiny_world.run(results="file/results", progress=computed.append)
        assert computed == []

    def test_a_read_only_results_folder_is_one_error(
        self, tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr("clusterbench.files.tempfile.mkstemp", refuse)
        computed: list[RunEvent] = []
        with pytest.raises(StorageError, match=r"cannot write .*Read-only file system"):
            tiny_world.run(progress=computed.append)
        assert computed == []

    def test_a_read_only_folder_that_holds_everything_is_enough(
        self, tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tiny_world.run()
        monkeypatch.setattr("clusterbench.files.tempfile.mkstemp", None)
        assert tiny_world.run().n_reused == 6


def test_a_full_disk_stops_with_one_error_and_leaves_nothing_half_written(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up in the middle of the third run's predictions."""
    monkeypatch.setattr("clusterbench.runs.pool.n_cores", lambda: 1)  # one run after another
    original = Path.open

    def full(self: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if ".npz." in self.name and "w" in mode and len(list(self.parent.glob("*.json"))) == 2:
            with original(self, mode) as handle:
                handle.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match="no space left on the disk"):
        tiny_world.run()
    left = sorted(path.suffix for path in Path("results").rglob("*") if path.is_file())
    assert left == [".json", ".json", ".npz", ".npz"]
    monkeypatch.setattr(Path, "open", original)
    report = tiny_world.run()
    assert report.ok and report.n_reused == 2


def test_warnings_of_a_method_are_recorded(tiny_world: SimpleNamespace) -> None:
    record = tiny_world.run(seeds=1).outcomes[0].record
    assert record.warnings == ()


def test_k_may_differ_from_the_number_of_classes(tiny_world: SimpleNamespace) -> None:
    record = tiny_world.run(k=7, seeds=1).outcomes[0].record
    assert (record.k, record.scores.n_clusters, record.scores.n_classes) == (7, 7, 4)


def test_a_result_holds_bands_of_the_training_frequencies_and_intervals_over_samples(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterbench.runs.one_run.INTERVALS", scoring.INTERVALS)
    report = tiny_world.run(seeds=1)
    scores = {o.run.task.name: o.record.scores for o in report.outcomes}
    train = {o.run.task.name: o.record.train_scores for o in report.outcomes}
    assert scores["ratio-1"].bands["middle"].n_classes == 4  # equal training frequencies
    assert scores["ratio-4"].bands["head"].n_classes >= 1
    assert scores["ratio-4"].bands["tail"].n_classes >= 1
    for split in scores.values():
        assert split.intervals.n_resamples == 400
        assert set(split.intervals.metrics) == set(split.metrics)
        for name, interval in split.intervals.metrics.items():
            assert interval.low <= split.metrics[name] <= interval.high
    assert all(split.intervals is None for split in train.values())
