"""`~` is the user's folder in every path of every verb, however the path is given."""

from __future__ import annotations

import inspect
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from clusterbench.cli.home_paths import expanded, path_parameters
from clusterbench.cli.main import app
from clusterbench.errors import InputError


def verbs() -> Iterator[tuple[str, Callable[..., None]]]:
    """Every verb as the command line calls it."""
    groups = [(group.name, group.typer_instance) for group in app.registered_groups]
    for prefix, typer_app in [("", app), *groups]:
        assert typer_app is not None
        if prefix:  # a group without a subcommand
            assert typer_app.registered_callback is not None
            assert typer_app.registered_callback.callback is not None
            yield str(prefix), typer_app.registered_callback.callback
        for command in typer_app.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            yield f"{prefix} {name}".strip(), command.callback


def paths() -> list[Any]:
    return [
        pytest.param(verb, name, id=f"{label} {name}")
        for label, verb in verbs()
        for name, _ in path_parameters(verb)
    ]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(("verb", "name"), paths())
def test_every_path_of_every_verb(
    verb: Any, name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    cell = next(c for c in verb.__closure__ if c.cell_contents is verb.__wrapped__)
    monkeypatch.setattr(cell, "cell_contents", lambda **values: given.update(values))
    verb(**{name: Path("~/x/y.npy")})
    verb(**{f"{name}s": None, name: [Path("~/x/y.npy"), Path("z")]})
    assert given[name] == [home / "x" / "y.npy", Path("z")]
    verb(**{name: "~/x"})
    assert given[name] == str(home / "x")
    verb(**{name: None})
    assert given[name] is None


def test_no_path_is_left_out() -> None:
    """Whatever a verb's help calls a file, a folder or a source is among them."""
    found = {f"{label} {name}" for label, verb in verbs() for name, _ in path_parameters(verb)}
    for label, verb in verbs():
        assert inspect.signature(verb).parameters, label
    for wanted in (
        *("run results", "build output", "show task", "verify paths", "extract source"),
        *("extract output", "extract weights", "extract root", "extract class_names"),
        *("extract tree", "index source", "index output", "import features", "import output"),
        *("import labels", "import ids", "import split", "import tree", "rank output"),
        *("score targets", "score predictions", "score tree", "score per_class", "compare a"),
        *("compare b", "compare targets", "submit results", "submit leaderboard"),
        *("leaderboard path", "cache list folders", "cache pack output"),
    ):
        assert wanted in found, wanted
    command: Any = typer.main.get_command(app)
    assert {label.split()[0] for label in found} <= set(command.commands)


def test_other_users_and_files_that_are_called_so(home: Path) -> None:
    me = pwd.getpwuid(os.getuid())
    assert expanded(f"~{me.pw_name}/x") == f"{me.pw_dir}/x"
    assert expanded("~") == str(home)
    assert expanded("onnx:~/m.onnx") == f"onnx:{home}/m.onnx"
    for same in ("x~", "a/~/b", "./~", "hf:owner/name", "onnx:m.onnx", ""):
        assert expanded(same) == same
    Path("~backup.npy").touch()
    assert expanded("~backup.npy") == "~backup.npy"
    with pytest.raises(InputError, match=r"no user 'nobody-here'; .* write \./~nobody-here/x"):
        expanded("~nobody-here/x")


def test_options_and_variables_reach_the_users_folder(
    cli: Any, tiny_world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tiny_world.folder / "me"))
    words = ("run", "-b", "tiny-imbalance", "-d", "tiny", "-m", "modulo", "-s", "1")
    assert cli(*words, "--results=~/r")[0] == 0
    assert (tiny_world.folder / "me" / "r").is_dir()
    monkeypatch.setenv("CLUSTERBENCH_RESULTS", "~/variable")
    assert cli(*words)[0] == 0
    assert (tiny_world.folder / "me" / "variable").is_dir()
    assert not (tiny_world.folder / "~").exists()
