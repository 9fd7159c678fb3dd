"""Given the small world: what `clusterbench run` prints, keeps and answers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.cli.progress_views import BarView, LineView, progress_view
from clusterbench.references import names

RUN = ("run", "-b", "tiny-imbalance", "-d", "tiny", "--device", "cpu")

Cli = Callable[..., tuple[int, str, str]]


def test_without_a_benchmark_the_error_lists_them(cli: Cli) -> None:
    code, out, err = cli("run")
    assert (code, out) == (2, "")
    assert err.startswith("error: --benchmark is missing; choose one of ")
    assert "tiny-imbalance" in err and "granularity" in err


@pytest.mark.slow
def test_a_run_in_a_process_of_its_own(tiny_world: SimpleNamespace) -> None:
    done = tiny_world.command(*RUN, "-m", "modulo,kmeans", "--seeds", "2")
    assert done.returncode == 0, done.stderr
    assert "kmeans" in done.stdout and "random" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    lines = done.stderr.splitlines()
    assert re.match(r"\[1/8\] ratio-1 modulo seed [01]: done in ", lines[0])
    assert len(lines) == 9 and lines[8] == "8 of 8 runs computed; results in results"
    assert "\x1b" not in done.stdout + done.stderr  # no escape codes outside a terminal

    again = tiny_world.command(*RUN, "-m", "modulo", "-m", "kmeans", "--seeds", "2")
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert again.stderr == "8 of 8 runs were there already; nothing to do\n"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_ascii_terminal_still_gets_the_table(tiny_world: SimpleNamespace) -> None:
    done = tiny_world.command(
        *RUN, "-m", "modulo", "--seeds", "1", PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and "modulo" in done.stdout


def test_a_failed_run_is_a_line_and_exit_code_1(cli: Cli) -> None:
    code, out, err = cli(*RUN, "-m", "fails,modulo", "--seeds", "2")
    assert code == 1
    assert "1/2 failed" in out
    lines = err.splitlines()
    assert lines[-2] == "failed: ratio-1 fails seed 1: ValueError: the head collapsed"
    assert lines[-1] == "failed: ratio-4 fails seed 1: ValueError: the head collapsed"


def test_json_is_one_document_on_stdout(cli: Cli) -> None:
    code, out, _ = cli(*RUN, "-m", "fails", "--seeds", "2", "--json")
    document = json.loads(out)
    assert code == 1
    assert document["schema"] == "clusterbench-report/1"
    assert document["counts"] == {
        "planned": 4,
        "computed": 4,
        "reused": 0,
        "to_compute": 4,
        "before": {"missing": 4},
        "now": {"success": 2, "failed": 2},
    }
    row = document["tasks"][0]["methods"][0]
    assert (row["complete"], row["metrics"], row["n_failed"]) == (False, None, 1)
    assert document["runs"][1]["error"] == "the head collapsed"


def test_a_dry_run_shows_the_plan_and_writes_nothing(cli: Cli) -> None:
    code, out, err = cli(*RUN, "-m", "modulo", "--seeds", "1", "--dry-run")
    assert code == 0 and not Path("results").exists()
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "run   missing  results/tiny-imbalance/tiny/blobs/ratio-1/modulo/seed-0-"
    )
    assert err == "2 runs planned, 2 to compute, 0 kept; nothing was computed or written\n"
    cli(*RUN, "-m", "modulo", "--seeds", "1")
    code, out, err = cli(*RUN, "-m", "modulo", "--seeds", "2", "--dry-run", "--json")
    runs = json.loads(out)["runs"]
    assert [(r["before"], r["to_compute"]) for r in runs] == [
        ("success", False),
        ("missing", True),
    ] * 2
    assert len(runs[0]["key"]) == 64


def test_parameters_reach_the_method_and_the_key(cli: Cli) -> None:
    words = (*RUN, "-m", "modulo", "--seeds", "1", "--dry-run", "--json")
    plain = json.loads(cli(*words)[1])["runs"][0]["key"]
    assert json.loads(cli(*words, "-p", "modulo.shift=0")[1])["runs"][0]["key"] == plain
    assert json.loads(cli(*words, "-p", "modulo.shift=1")[1])["runs"][0]["key"] != plain


def test_every_option_is_an_environment_variable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "BENCHMARK": "tiny-imbalance",
        "DATASET": "tiny",
        "ENCODER": "shifted",
        "METHOD": "modulo,kmeans",
        "K": "1.25x",
        "TASK": "ratio-4",
        "PROTOCOL": "train->val",
        "REFERENCES": "1",
        "SEEDS": "7,9",
        "DEVICE": "cpu",
        "RESULTS": "elsewhere",
        "OVERWRITE_STRATEGY": "never",
        "PRESET": "tiny",
        "PARAM": "modulo.shift=2 kmeans.n_init=1",
        "DRY_RUN": "1",
        "JSON": "true",
    }.items():
        monkeypatch.setenv(f"CLUSTERBENCH_{name}", value)
    document = json.loads(cli("run")[1])
    assert document["encoder"] == "shifted" and document["seeds"] == [7, 9]
    assert document["dry_run"] and document["overwrite_strategy"] == "never"
    assert document["results"] == "elsewhere" and len(document["runs"]) == 2 * 2 + len(names())
    assert {run["task"] for run in document["runs"]} == {"ratio-4"}
    assert {run["k"] for run in document["runs"] if not run["reference"]} == {5}
    assert [run["method"] for run in document["runs"] if run["reference"]] == names()
    assert json.loads(cli("run", "--k", "6")[1])["tasks"][0]["k"] == 6  # the option wins


def test_chosen_tasks_alone_are_run(cli: Cli) -> None:
    words = (*RUN, "-m", "modulo", "--seeds", "1", "--json")
    both = json.loads(cli(*words, "--dry-run")[1])["runs"]
    for options in (("-t", "ratio-4"), ("--task", "ratio-4,ratio-4")):
        (run,) = json.loads(cli(*words, *options)[1])["runs"]
        assert run["task"] == "ratio-4" and run["key"] == both[1]["key"]
    twice = json.loads(cli(*words, "-t", "ratio-1", "-t", "ratio-4", "--dry-run")[1])["runs"]
    assert [run["before"] for run in twice] == ["missing", "success"]


def test_the_transductive_protocol(cli: Cli) -> None:
    code, out, _ = cli(*RUN, "-m", "kmeans,modulo", "--protocol", "transductive", "--seeds", "1")
    assert code == 0 and "Percent on the train split (transductive), seed 0" in out
    code, out, _ = cli("submit", "results")
    assert (code, out) == (0, "leaderboard.json: 4 added\n")
    _, out, _ = cli("leaderboard")
    assert "tiny-imbalance / tiny · transductive" in out
    assert "Transductive: fitted and scored on the same training images." in out


def test_references_are_rows_between_the_methods_and_the_floor(cli: Cli) -> None:
    code, out, err = cli(*RUN, "-m", "kmeans", "--references", "--seeds", "2", "-t", "ratio-1")
    assert code == 0 and f"{2 + len(names())} of {2 + len(names())} runs computed" in err
    first = [
        line.replace("4 classes", "").replace("ratio-1", "").split() for line in out.split("\n")
    ]
    rows = [cells[0] for cells in first[4:] if cells]
    assert rows[: 2 + len(names())] == ["kmeans", *(f"{n}*" for n in names()), "random"]
    cli("submit", "results")
    _, out, _ = cli("leaderboard")
    assert "* reference, not ranked: fitted with the training labels, a ceiling." in out


def test_results_of_two_protocols_are_not_compared(cli: Cli) -> None:
    words = (*RUN, "-m", "modulo", "-t", "ratio-1", "--seeds", "1", "--json")
    paths = [
        json.loads(cli(*words, "--protocol", protocol)[1])["runs"][0]["path"]
        for protocol in ("train->val", "transductive")
    ]
    code, _, err = cli("compare", *paths)
    assert code == 2 and "compare two results of one protocol" in err
    code, out, _ = cli("compare", paths[1], paths[1], "--resamples", "20")
    assert code == 0 and "32 samples" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--overwrite-strategy", "allways"), "did you mean always"),
        (("-t", "ratio-5"), "did you mean ratio-"),
        (("-t", ","), "no task chosen"),
        (("--protocol", "transductiv"), "did you mean transductive"),
        (("--protocol", "transductive", "--references"), "fitted with the training labels"),
        (("--k", "2y"), "k='2y'; wanted a whole number >= 1, or a factor"),
        (("--k", "0"), "k=0; wanted"),
        (("--k", "9x"), "k=36 is larger than the 32 training samples"),
        (("-m", "knm"), "did you mean knn"),
        (("--device", "gpu"), "device 'gpu'"),
        (("--seeds", "0"), "seeds=0"),
        (("--k", "33"), "k=33 is larger than the 32 training samples"),
        (("-m", "kmeens"), "did you mean kmeans"),
        (("-p", "modulo.flag=1"), "modulo.flag=1 is a int; wanted bool"),
        (("-p", "shift=1"), "wanted METHOD.NAME=VALUE"),
        (("images",), "a value follows its option's name"),
    ],
)
def test_wrong_values_are_one_line_and_exit_code_2(
    cli: Cli, words: tuple[str, ...], message: str
) -> None:
    code, out, err = cli(*RUN, "-m", "modulo", *words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
    assert not Path("results").exists()


def test_no_method_at_all(cli: Cli) -> None:
    code, _, err = cli(*RUN, "-m", ",")
    assert (code, err) == (2, "error: no method chosen; name at least one\n")


def test_an_unwritable_results_folder_is_one_line_and_exit_code_2(cli: Cli) -> None:
    Path("file").write_text("")
    code, out, err = cli(*RUN, "-m", "modulo", "-r", "file/results")
    assert (code, out) == (2, "")
    assert err.startswith("error: cannot write ") and err.count("\n") == 1


def test_an_interrupt_keeps_what_is_finished(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterbench.runs.pool.n_cores", lambda: 1)  # seed 0 ends before seed 1
    monkeypatch.setattr("os._exit", sys.exit)
    code, out, err = cli(*RUN, "-m", "interrupted", "--seeds", "2")
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == (
        "interrupted: 1 of 4 runs finished and kept; the same command resumes"
    )
    assert len(list(Path("results").rglob("*.json"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_a_killed_command_resumes(tiny_world: SimpleNamespace, number: signal.Signals) -> None:
    words = (*RUN, "-m", "slow", "--seeds", "2")
    started = tiny_world.folder / "started"
    process = subprocess.Popen(
        [sys.executable, "-m", "clusterbench", *words],
        env=tiny_world.environment(TEST_STARTED=str(started)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A test run in the background of a shell ignores SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 60
        done = Path("results")
        while time.monotonic() < deadline:  # seed 0 is finished and seed 1 is under way
            if started.exists() and any(done.rglob("*.json")):
                break
            time.sleep(0.02)
        process.send_signal(number)
        code = process.wait(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    kept = {
        path: path.read_bytes()
        for path in Path("results").rglob("*.*")
        if path.suffix != ".started"  # the mark of the run that was killed
    }
    assert len(kept) == 2  # the first run: its result and its predictions

    resumed = tiny_world.command(*words, TEST_FAST="1")
    assert resumed.returncode == 0, resumed.stderr
    assert "3 of 4 runs computed, 1 were there already" in resumed.stderr
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert not list(Path("results").rglob("*.started"))


class TestProgress:
    def events(self, view: Any) -> None:
        from clusterbench.runs import RunEvent

        run: Any = SimpleNamespace(title="task method seed 0")
        with view:
            view(RunEvent("start", run, 1, 2))
            view(RunEvent("fit", run, 1, 2, done=3, steps=10))
            view(RunEvent("end", run, 1, 2, status="failed", message="ValueError: [no]"))
            view(RunEvent("start", run, 2, 2))
            view(RunEvent("end", run, 2, 2, status="success", seconds=1.25))
        assert (view.finished, view.total) == (2, 2)

    def test_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        view = progress_view()
        assert isinstance(view, LineView)
        self.events(view)
        assert capsys.readouterr().err == (
            "[1/2] task method seed 0: failed: ValueError: [no]\n"
            "[2/2] task method seed 0: done in 1.2 s\n"
        )

    def test_bars(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.events(BarView())
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "task method seed 0: failed: ValueError: [no]" in captured.err
