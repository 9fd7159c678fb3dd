"""A method that ends its process takes neither the run's record nor the other runs with it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.errors import ClusterbenchError
from clusterbench.runs import apart, read_result
from clusterbench.runs.marks import Marks, died, mark_path

TASK = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-t", "ratio-1")
RUN = (*TASK, "-m", "dies,modulo", "-s", "2", "--device", "cpu")


def results() -> dict[str, str]:
    """`<task> <method> <seed>` -> status, of all result files."""
    found = {}
    for path in Path("results").rglob("seed-*.json"):
        record = read_result(path)
        found[f"{record.task.name} {record.method.name} {record.seed}"] = record.status
    return found


def marks() -> list[Path]:
    return list(Path("results").rglob("*.started"))


def test_what_died_is_repeated_apart_and_its_death_recorded(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DEATH", "abort")
    request = {"methods": ["dies", "modulo"], "tasks": "ratio-1", "seeds": 2}
    for outcome in tiny_world.run(dry_run=True, **request).outcomes:
        if outcome.run.method.name == "dies" and outcome.run.seed == 1:
            mark_path(outcome.run).parent.mkdir(parents=True)
            mark_path(outcome.run).touch()
    before = marks()
    tiny_world.run(dry_run=True, **request)
    assert marks() == before and len(before) == 1  # a dry run leaves it alone
    told: list[Any] = []
    report = tiny_world.run(**request, progress=told.append)
    (failure,) = report.failures
    assert failure.failure == (
        "ratio-1 dies seed 1: ProcessDiedError: the process died while fitting: SIGABRT; "
        "its last words: native code gives up"
    )
    assert report.n_computed == 4 and len(results()) == 4 and not marks()
    assert told[-1].position == told[-1].total == 4  # after all others
    assert apart.needed(failure.run, failure.record)  # and so the next time


@pytest.mark.slow
def test_the_next_call_records_how_the_process_died(tiny_world: SimpleNamespace) -> None:
    first = tiny_world.command(*RUN, TEST_DEATH="abort")
    assert first.returncode == -signal.SIGABRT  # nothing can be said then
    assert marks() and "failed" not in results().values()
    kept = results()
    second = tiny_world.command(*RUN, TEST_DEATH="abort")
    assert second.returncode == 1, second.stderr
    assert (
        "failed: ratio-1 dies seed 1: ProcessDiedError: the process died while fitting: "
        "SIGABRT; its last words: native code gives up" in second.stderr
    )
    found = results()
    assert kept.items() <= found.items() and not marks()
    assert found == {
        "ratio-1 dies 0": "success",
        "ratio-1 dies 1": "failed",
        "ratio-1 modulo 0": "success",
        "ratio-1 modulo 1": "success",
    }


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        pytest.param(
            "kill", -signal.SIGKILL, "SIGKILL (perhaps out of memory); its last words",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            "exit", 7, "it ended with exit code 7; its last words", marks=pytest.mark.exhaustive
        ),
    ],
)  # fmt: skip
def test_each_call_repeats_it_apart(
    tiny_world: SimpleNamespace, how: str, code: int, words: str
) -> None:
    assert tiny_world.command(*RUN, TEST_DEATH=how).returncode == code
    for _ in range(2):
        repeated = tiny_world.command(*RUN, TEST_DEATH=how)
        assert repeated.returncode == 1 and words in repeated.stderr
        assert len(results()) == 4 and not marks()
    mended = tiny_world.command(*RUN)
    assert mended.returncode == 0 and set(results().values()) == {"success"} and not marks()


@pytest.mark.slow
def test_a_run_that_was_killed_from_outside_ends_with_its_result(
    tiny_world: SimpleNamespace,
) -> None:
    request = {"methods": ["modulo"], "tasks": "ratio-1"}
    run = tiny_world.run(dry_run=True, **request).outcomes[0].run
    mark_path(run).parent.mkdir(parents=True)
    mark_path(run).touch()
    report = tiny_world.run(**request)
    assert report.ok and report.n_computed == 3 and not marks()
    before = {path: path.read_bytes() for path in Path("results").rglob("*.npz")}
    assert len(before) == 3
    tiny_world.run(**request, overwrite_strategy="always")
    assert before == {path: path.read_bytes() for path in Path("results").rglob("*.npz")}


def test_sys_exit_in_a_method_is_a_failure_of_its_run(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DEATH", "sys.exit")
    report = tiny_world.run(methods=["dies", "modulo"], seeds=2)
    assert {o.run.method.name for o in report.failures} == {"dies"} and len(report.failures) == 2
    assert report.n_computed == 8 and not marks()
    assert report.failures[0].record.error.message == "the method called sys.exit(3)"


@pytest.mark.parametrize("method", ["fails", "nans", "interrupted"])
def test_no_other_end_leaves_a_mark(tiny_world: SimpleNamespace, method: str) -> None:
    if method == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            tiny_world.run(methods=[method], seeds=2)
    else:
        tiny_world.run(methods=[method], seeds=2)
    assert not marks()


class TestMarks:
    @pytest.fixture
    def run(self, tiny_world: SimpleNamespace) -> Any:
        return tiny_world.run(dry_run=True).outcomes[0].run

    def test_a_run_under_way_elsewhere_has_not_died(self, run: Any) -> None:
        code = (
            "import fcntl, sys\n"
            "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('held', flush=True); sys.stdin.read()"
        )
        path = mark_path(run)
        path.parent.mkdir(parents=True)
        words = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            assert not died(run)
            with Marks() as ours:  # computed here as well, unmarked
                ours.start([run])
            assert path.exists()
            other.communicate("")
        assert died(run) and apart.needed(run, None)

    def test_a_mark_is_held_until_its_end(self, run: Any) -> None:
        with Marks() as ours:
            ours.start([run])
            assert mark_path(run).exists() and not died(run)
            ours.end(run)
            assert not mark_path(run).exists()
            ours.start([run])
        assert not mark_path(run).exists() and not died(run)

    def test_a_finished_run_loses_the_mark_of_one_that_was_killed(
        self, tiny_world: SimpleNamespace
    ) -> None:
        first, second = (outcome.run for outcome in tiny_world.run(seeds=2).outcomes[:2])
        mark_path(first).write_text("somewhere 1\n")
        with Marks() as other:
            other.start([second])
            tiny_world.run(seeds=2, dry_run=True)
            assert sorted(marks()) == sorted([mark_path(first), mark_path(second)])
            tiny_world.run(seeds=2)
            assert marks() == [mark_path(second)]

    def test_marks_that_cannot_be_made_are_done_without(
        self, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_locks(*_: Any) -> None:
            raise OSError("no locks available")

        monkeypatch.setattr(fcntl, "flock", no_locks)
        with Marks() as ours:
            ours.start([run])
            assert not died(run)
        assert not mark_path(run).exists()


def test_a_process_that_says_nothing_and_leaves_nothing_is_a_failure(
    tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_CHILD", "")
    run = tiny_world.run(dry_run=True).outcomes[0].run
    path = mark_path(run)
    path.parent.mkdir(parents=True)
    path.touch()
    report = tiny_world.run()
    assert len(report.failures) == 1
    assert "died while fitting: it ended with exit code 0" in report.failures[0].failure
    assert issubclass(apart.ProcessDiedError, ClusterbenchError)


def test_a_mark_never_goes_through_a_link(tiny_world: SimpleNamespace, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    targets = (precious, tmp_path / "new.txt", Path("/dev/null"))
    request = {"methods": ["modulo"], "tasks": "ratio-1", "seeds": 4}
    runs = [outcome.run for outcome in tiny_world.run(dry_run=True, **request).outcomes]
    mark_path(runs[0]).parent.mkdir(parents=True)
    for run, target in zip(runs, targets, strict=False):
        mark_path(run).symlink_to(target)
    os.mkfifo(mark_path(runs[3]))
    assert tiny_world.run(**request).n_computed == 4
    assert precious.read_text() == "precious" and not (tmp_path / "new.txt").exists()
