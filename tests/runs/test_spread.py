"""`clusterbench run` started by torchrun: all processes share a fit, and one of them reports."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clusterbench.methods import TEMI
from clusterbench.results.record import ResultRecord, read_result

pytestmark = pytest.mark.slow

RUN = ["run", "-b", "tiny-imbalance", "-d", "tiny", "--device", "cpu", "-s", "2"]


def torchrun(
    world: SimpleNamespace, processes: int, *words: str, restarts: int = 0, **extra: str
) -> tuple[int, str, str]:
    """Exit code, stdout, and what processes (not torchrun) said on stderr."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    launch += ["--master-port", str(port), "--max-restarts", str(restarts)]
    run = subprocess.Popen(
        [sys.executable, *launch, "-m", "clusterbench", *RUN, *words],
        env=world.environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = run.communicate(timeout=240)
    finally:
        if run.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGTERM)  # torchrun ends its processes then
            run.wait()
    return run.returncode, out, err


def records(folder: str) -> dict[str, ResultRecord]:
    found = [read_result(path) for path in sorted(Path(folder).rglob("*.json"))]
    return {f"{r.task.name} {r.method.name} {r.seed}": r for r in found}


def errors(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith(("error:", "failed:"))]


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.exhaustive)])
def test_any_number_of_processes_gives_the_same_results(
    tiny_world: SimpleNamespace, processes: int
) -> None:
    methods = ["kmeans", "modulo"]
    tiny_world.run(methods=methods, seeds=2, results="one")
    code, out, err = torchrun(tiny_world, processes, "-m", ",".join(methods), "-r", "many")
    assert code == 0, err
    assert out.count("kmeans") == out.count("modulo") > 0  # one table
    assert err.count("8 of 8 runs computed") == 1
    assert err.count("[8/8]") == 1 and err.count("[1/8]") == 1
    one, many = records("one"), records("many")
    assert set(one) == set(many) and len(one) == 8
    for name, record in one.items():
        other = many[name]
        assert other.key == record.key
        assert other.predictions == record.predictions  # the hash of every cluster
        assert other.train_scores == record.train_scores
        work = {"products_share", "exact_share"}  # what was saved, not what was found
        for fact in record.diagnostics.keys() - work:
            assert other.diagnostics[fact] == record.diagnostics[fact]
        shared = record.method.name == "kmeans"
        assert other.environment.processes == (processes if shared else 1)
    left = {path.suffix for path in Path("many").rglob("*") if path.is_file()}
    assert left == {".json", ".npz"}
    again, _, err = torchrun(tiny_world, processes, "-m", ",".join(methods), "-r", "many")
    assert again == 0 and err.count("8 of 8 runs were there already") == 1


@pytest.mark.exhaustive
def test_a_fit_that_fails_in_all_is_a_failed_run_and_the_rest_goes_on(
    tiny_world: SimpleNamespace,
) -> None:
    code, _, err = torchrun(tiny_world, 2, "-m", "shared,modulo", TEST_SHARED="all")
    assert code == 1
    assert len(errors(err)) == 4  # those of one process
    found = records("results")
    assert len(found) == 8
    for name, record in found.items():
        assert record.status == ("failed" if "shared" in name else "success")


@pytest.mark.exhaustive
def test_a_fit_that_fails_in_one_ends_the_job_with_its_error(tiny_world: SimpleNamespace) -> None:
    code, _, err = torchrun(tiny_world, 2, "-m", "shared", TEST_SHARED="only 1")
    assert code == 1
    assert len(errors(err)) == 1
    assert records("results") == {}


@pytest.mark.exhaustive
def test_a_killed_process_is_restarted_and_the_run_ends(tiny_world: SimpleNamespace) -> None:
    tiny_world.run(methods=["shared"], seeds=2, results="one")
    words = ["-m", "shared", "-r", "many"]
    code, _, err = torchrun(tiny_world, 2, *words, restarts=1, TEST_SHARED="killed")
    assert code == 0, err
    # torchrun says it too, and may end the other process before that has spoken.
    assert len(errors(err)) <= 1
    for line in errors(err):
        assert line.startswith("error: another of the 2 processes has ended")
    one, many = records("one"), records("many")
    assert {name: r.predictions for name, r in one.items()} == {
        name: r.predictions for name, r in many.items()
    }


def test_heads_are_shared_and_go_on_after_a_kill(
    tiny_world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOLD", str(tmp_path / "told"))
    words = ["-m", "watched", "-t", "ratio-1"]
    assert tiny_world.run(methods=["watched"], tasks="ratio-1", seeds=2, results="one").ok
    code, _, err = torchrun(tiny_world, 2, *words, "-r", "many", restarts=1, TEST_DIES="9 0")
    assert code == 0, err
    one, many = records("one"), records("many")
    assert set(one) == set(many) and len(one) == 2
    for name, record in one.items():
        other = many[name]
        assert (other.key, other.k) == (record.key, record.k)
        assert other.predictions == record.predictions  # the hash of every cluster
        assert other.environment.processes == 2
        for fact in ("head", "head_clusters_used", "features_held"):
            assert other.diagnostics[fact] == record.diagnostics[fact]
        assert other.diagnostics["head_losses"] == pytest.approx(
            record.diagnostics["head_losses"], 1e-5
        )
    # Seed 0 was stopped by the kill after its ninth epoch, of four steps, and went on.
    (resumed,) = [r for r in many.values() if "steps_before_resumption" in r.diagnostics]
    assert resumed.seed == 0 and resumed.diagnostics["steps_before_resumption"] >= 32
    left = {path.suffix for path in Path("many").rglob("seed-*")}
    assert left == {".json", ".npz"}


def test_a_fit_is_shared_where_each_process_has_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert [TEMI(n_heads=n).shares_fit for n in (1, 2, 3, 4)] == [False, False, True, True]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert [TEMI(n_heads=n).shares_fit for n in (1, 2, 3, 4)] == [False, True, True, True]


def test_an_error_before_the_fits_is_said_once(tiny_world: SimpleNamespace) -> None:
    code, _, err = torchrun(tiny_world, 2, "-m", "kmeens")
    assert code == 1  # torchrun's own
    (line,) = errors(err)
    assert "kmeens" in line and "kmeans" in line
