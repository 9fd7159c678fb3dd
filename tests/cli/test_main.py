"""Given the command itself: help at once, one line per error, the exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

import clusterbench
from clusterbench.cli import main as cli_main
from clusterbench.cli.verbs.leaderboard.show import show
from clusterbench.errors import InputError, StorageError

#: Modules that `--help` must not load.
HEAVY = ("faiss", "h5py", "numba", "numpy", "pydantic", "rich", "scipy", "sklearn", "torch")


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["clusterbench", *words])
    with pytest.raises(SystemExit) as exit_info:
        cli_main.main()
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_names_every_verb(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *words) == 0
    out = capsys.readouterr().out
    for verb in ("run", "extract", "score", "compare", "submit", "leaderboard", "list"):
        assert f"  {verb} " in out
    assert "..." not in out.partition("Commands:")[2]  # no description is cut


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"clusterbench {clusterbench.__version__}\n"


@pytest.mark.parametrize(
    "verb", ["run", "extract", "score", "compare", "submit", "leaderboard", "list"]
)
def test_help_of_a_verb_fits_eighty_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call(monkeypatch, verb, "--help") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_help_loads_nothing_heavy_and_answers_at_once() -> None:
    code = (
        "import sys\n"
        "from clusterbench.cli.main import _guarded\n"
        "sys.argv = ['clusterbench', '--help']\n"
        "_guarded()\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)\n"
    )
    said, used = processor_seconds(code)
    assert said == "[]"
    # Beside what the parser of options takes alone: a slow machine does not fail the test.
    _, parser = processor_seconds("import typer")
    assert used < 4 * parser


def processor_seconds(code: str) -> tuple[str, float]:
    """What code says on stderr in a process of its own, and its processor time: the least of 3."""
    times = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        after = os.times()
        used = after.children_user + after.children_system
        times.append(used - before.children_user - before.children_system)
    return done.stderr.strip(), min(times)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("runn",), "No such command 'runn'"),
        (("run", "--sedes", "3"), "--sedes"),
        (("run", "--benchmark", "easy", "--k", "many"), "k='many'; wanted a whole number"),
        (("run", "--benchmark", "easy", "--k", "0"), "k=0; wanted a whole number"),
        (("list", "things"), "Invalid value for 'kind': 'things' is not one of"),
        (("list",), "Missing argument"),
        (("score", "only-one.npy"), "Missing argument 'PREDICTIONS'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("k=9; wanted\n fewer"), 2, "error: k=9; wanted fewer\n"),
        (StorageError("disk full"), 2, "error: disk full\n"),
        (clusterbench.ClusterbenchError("no"), 1, "error: no\n"),
        (
            KeyError("x"),
            1,
            "error: unexpected KeyError: 'x' (set CLUSTERBENCH_TRACEBACK=1 to see the traceback)\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_errors_become_one_line_and_a_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli_main, "app", fail)
    assert call(monkeypatch) == code
    assert capsys.readouterr().err == line


def test_an_example_to_copy_stands_below_the_line_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(b"an image, until it is opened")
    model = tmp_path / "a.onnx"
    words = ["extract", "--source", str(tmp_path), "--encoder", f"onnx:{model}"]
    assert call(monkeypatch, *words) == 2
    line, blank, *example = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and line.endswith("--encoder ./mine.toml") and blank == ""
    assert example[:2] == ['library = "onnx"', f'model = "{model}"']


def test_the_traceback_is_there_for_the_asking(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(cli_main, "app", fail)
    monkeypatch.setenv("CLUSTERBENCH_TRACEBACK", "1")
    assert call(monkeypatch) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(tiny_world: SimpleNamespace) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "clusterbench", "list", "benchmarks"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=tiny_world.environment(PYTHONUNBUFFERED="1"),
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 1


def test_options_before_a_subcommand_of_leaderboard_are_refused() -> None:
    """They would change nothing there."""
    app = typer.Typer()
    app.callback(invoke_without_command=True)(show)
    app.command("other")(lambda: typer.echo("other"))
    runner = CliRunner()
    assert runner.invoke(app, ["other"]).output == "other\n"
    refused = runner.invoke(app, ["-l", "board.json", "other"])
    assert refused.exit_code == 2
    assert "stands before 'other'" in " ".join(refused.output.split())
