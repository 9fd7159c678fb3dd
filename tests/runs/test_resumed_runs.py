"""A run whose process was killed while heads were trained goes on, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.results.record import ResultRecord, read_result
from clusterbench.runs.marks import Marks, checkpoint_path

RUN = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-t", "ratio-1", "-m", "watched")
RUN = (*RUN, "--device", "cpu", "-s", "1")


def records(folder: str) -> dict[str, ResultRecord]:
    found = [read_result(path) for path in sorted(Path(folder).rglob("*.json"))]
    return {f"{r.task.name} {r.method.name} {r.seed}": r for r in found}


def left(folder: str = "results") -> set[str]:
    """Kinds of what is in a results folder."""
    return {path.suffix for path in Path(folder).rglob("seed-*")}


def epochs(told: Path, seed: int = 0) -> list[int]:
    """The epochs that fits of a seed said they had ended, 0 left out."""
    lines = [line.split() for line in told.read_text().splitlines()]
    return [int(done) for s, done in lines if int(s) == seed and done != "0"]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "told"
    path.touch()
    monkeypatch.setenv("TEST_TOLD", str(path))
    return path


@pytest.fixture
def undisturbed(tiny_world: SimpleNamespace, told: Path) -> dict[str, ResultRecord]:
    report = tiny_world.run(methods=["watched"], seeds=2, results="one")
    assert report.ok, [outcome.record.error for outcome in report.outcomes]
    assert left("one") == {".json", ".npz"}
    assert epochs(told) == 2 * list(range(1, 17))
    told.write_text("")
    return records("one")


def predictions(found: dict[str, ResultRecord]) -> dict[str, Any]:
    return {name: record.predictions for name, record in found.items()}


def stopped(world: SimpleNamespace, at: int, **request: Any) -> None:
    """A call that is interrupted when a fit has ended an epoch; nothing is tidied up but marks."""

    def interrupt(event: Any) -> None:
        if event.kind == "fit" and event.done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.run(methods=["watched"], progress=interrupt, **request)


class TestCheckpoints:
    @pytest.fixture(autouse=True)
    def one_after_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("clusterbench.runs.pool.SMALL", 0)

    def test_an_interrupted_run_goes_on(
        self, tiny_world: SimpleNamespace, undisturbed: dict[str, ResultRecord], told: Path
    ) -> None:
        stopped(tiny_world, 10, seeds=2)
        assert left() == {".checkpoint"}
        report = tiny_world.run(methods=["watched"], seeds=2)
        assert report.ok and report.n_computed == 4
        assert epochs(told)[:16] == [*range(1, 11), *range(10, 16)]  # the tenth is ended again
        assert predictions(records("results")) == predictions(undisturbed)
        assert left() == {".json", ".npz"}
        (first,) = [o for o in report.outcomes if "steps_before_resumption" in o.record.diagnostics]
        assert first.record.diagnostics["steps_before_resumption"] == 39  # of four in each epoch

    def test_a_failed_fit_leaves_none(
        self, tiny_world: SimpleNamespace, told: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TEST_BROKEN_AT", "5")
        report = tiny_world.run(methods=["watched"], seeds=1)
        assert [o.failure.split(": ", 1)[1] for o in report.failures] == 2 * [
            "ValueError: broken off"
        ]
        assert left() == {".json"}
        monkeypatch.delenv("TEST_BROKEN_AT")
        told.write_text("")
        assert tiny_world.run(methods=["watched"], seeds=1).ok
        assert epochs(told) == 2 * list(range(1, 17))  # from the beginning

    @pytest.mark.parametrize("what", ["another fit", "file", "link"])
    def test_what_is_no_checkpoint_of_the_fit_gives_way(
        self,
        tiny_world: SimpleNamespace,
        told: Path,
        what: str,
    ) -> None:
        request = {"seeds": 1, "tasks": "ratio-1"}
        wanted = tiny_world.run(methods=["watched"], results="one", **request).outcomes[0].record
        run = tiny_world.run(methods=["watched"], dry_run=True, **request).outcomes[0].run
        place = checkpoint_path(run)
        place.parent.mkdir(parents=True)
        if what == "another fit":
            stopped(tiny_world, 5, seeds=(1,), tasks="ratio-1", results="other")
            (other,) = Path("other").rglob("*.checkpoint")
            other.rename(place)
        elif what == "file":
            place.write_text("something")
        else:
            place.symlink_to(told)
        report = tiny_world.run(methods=["watched"], **request)
        assert report.ok, report.failures
        assert report.outcomes[0].record.predictions == wanted.predictions
        assert left() == {".json", ".npz"} and told.exists()

    def test_a_leftover_beside_a_result_goes_unless_it_is_being_computed(
        self, tiny_world: SimpleNamespace
    ) -> None:
        report = tiny_world.run(seeds=2, tasks="ratio-1")
        runs = [outcome.run for outcome in report.outcomes]
        for run in runs:
            checkpoint_path(run).mkdir()
            (checkpoint_path(run) / "step-000000001-heads-0-1.safetensors").write_bytes(b"x")
        before = {path: path.read_bytes() for path in Path("results").rglob("seed-*.json")}
        again = tiny_world.run(seeds=2, tasks="ratio-1", dry_run=True)
        assert again.n_reused == 2 and left() == {".json", ".npz", ".checkpoint"}
        with Marks() as other:
            other.start([runs[1]])
            again = tiny_world.run(seeds=2, tasks="ratio-1")
        assert again.n_reused == 2 and again.n_computed == 0
        assert [checkpoint_path(run).exists() for run in runs] == [False, True]
        assert before == {path: path.read_bytes() for path in Path("results").rglob("*.json")}

    def test_two_that_fit_the_same_keep_out_of_each_others_way(
        self, tiny_world: SimpleNamespace, told: Path
    ) -> None:
        request: dict[str, Any] = {"methods": ["watched"], "seeds": 1, "tasks": "ratio-1"}
        run = tiny_world.run(dry_run=True, **request).outcomes[0].run
        with Marks() as other:
            other.start([run])
            place = checkpoint_path(run)
            place.mkdir()
            (place / "step-000000001-heads-0-1.safetensors").write_bytes(b"theirs")
            assert tiny_world.run(**request).ok
            assert [path.read_bytes() for path in place.iterdir()] == [b"theirs"]
        assert epochs(told) == list(range(1, 17))


def test_fits_side_by_side_go_on_too(
    tiny_world: SimpleNamespace, undisturbed: dict[str, ResultRecord], told: Path
) -> None:
    stopped(tiny_world, 10, seeds=2)
    before = len(list(Path("results").rglob("*.checkpoint")))
    assert before >= 1
    report = tiny_world.run(methods=["watched"], seeds=2)
    assert report.ok
    resumed = [o for o in report.outcomes if "steps_before_resumption" in o.record.diagnostics]
    assert len(resumed) >= 1
    assert predictions(records("results")) == predictions(undisturbed)
    assert left() == {".json", ".npz"}


@pytest.fixture
def killed(tiny_world: SimpleNamespace, told: Path) -> Iterator[Path]:
    """A call in a process of its own, killed in the middle of its fit: the checkpoint it left."""
    with subprocess.Popen(
        [sys.executable, "-m", "clusterbench", *RUN],
        env=tiny_world.environment(TEST_PAUSE="0.1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as run:
        while len(epochs(told)) < 5 and run.poll() is None:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    (found,) = Path("results").rglob("*.checkpoint")
    yield found


@pytest.mark.slow
def test_a_killed_call_goes_on_in_the_next(
    tiny_world: SimpleNamespace, killed: Path, told: Path
) -> None:
    assert left() == {".checkpoint", ".started"}
    first = epochs(told)
    assert first == list(range(1, len(first) + 1)) and 5 <= len(first) < 16
    nothing = tiny_world.command("verify", "results")
    assert nothing.returncode == 2 and "holds no" in nothing.stderr
    done = tiny_world.command(*RUN)
    assert done.returncode == 0, done.stderr
    second = epochs(told)[len(first) :]
    assert second[0] >= len(first) - 1 and second == list(range(second[0], 17))
    assert left() == {".json", ".npz"}
    alone = tiny_world.run(methods=["watched"], seeds=1, tasks="ratio-1", results="one")
    (record,) = records("results").values()
    wanted = alone.outcomes[0].record
    assert record.predictions == wanted.predictions
    assert record.scores is not None and record.scores.metrics == wanted.scores.metrics
    said = dict(record.diagnostics)
    assert said.pop("steps_before_resumption") >= 4 * 4
    assert said == dict(wanted.diagnostics)
