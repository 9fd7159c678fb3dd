"""The files that a leaderboard's repository starts with say commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

import clusterbench
from clusterbench.cli.main import app
from clusterbench.leaderboard import read_leaderboard, start_repository

yaml = pytest.importorskip("yaml")

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository") / "board"
    start_repository(folder)
    return folder


def workflow(repository: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(
        (repository / ".github" / "workflows" / "validate.yml").read_text()
    )
    return content


def commands(repository: Path) -> list[list[str]]:
    """Each call of the command in the workflow and in the texts."""
    steps = workflow(repository)["jobs"]["leaderboard"]["steps"]
    texts = [step["run"] for step in steps if "run" in step]
    for path in repository.rglob("*.md"):
        texts += re.findall(r"`([^`\n]+)`|```bash\n(.*?)```", path.read_text(), re.DOTALL)
    lines = "\n".join(t if isinstance(t, str) else "\n".join(t) for t in texts)
    joined = lines.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in joined if line.startswith("clusterbench ")]


def test_the_workflow_runs_the_checks_and_nothing_of_a_pull_request(repository: Path) -> None:
    content = workflow(repository)
    assert "pull_request" in content[True]  # YAML reads `on` so
    assert content["permissions"] == {"contents": "read"}
    steps = content["jobs"]["leaderboard"]["steps"]
    assert steps[0]["with"] == {"persist-credentials": False}
    runs = [step["run"] for step in steps if "run" in step]
    assert f"clusterbench=={clusterbench.__version__}" in runs[0]
    assert all("${{" not in run for run in runs)  # no text of somebody else in a shell
    said = [run.split(" --")[0] for run in runs[1:] if run.startswith("clusterbench ")]
    assert said[:2] == ["clusterbench validate submissions", "clusterbench submit submissions"]
    assert runs[1].startswith("rm -rf leaderboard.json ")  # an edited one is not built upon


def test_each_command_and_option_is_one_that_there_is(repository: Path) -> None:
    group: Any = typer.main.get_command(app)
    found = commands(repository)
    assert len(found) > 8
    for words in found:
        command, rest = group, words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command, rest = command.commands[rest[0]], rest[1:]
        assert command is not group, words
        command.make_context(command.name, list(rest), resilient_parsing=True)
        known = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, words


def test_no_mark_is_left_and_nothing_is_overwritten(repository: Path, cli: Cli) -> None:
    files = [path for path in repository.rglob("*") if path.is_file()]
    assert len(files) == 6 and not any("@VERSION@" in path.read_text() for path in files)
    before = {path: path.read_bytes() for path in files}
    (repository / "README.md").write_text("mine")
    (repository / ".gitattributes").unlink()
    code, out, err = cli("leaderboard", "init", str(repository))
    assert code == 2 and out == "" and "is there already" in err
    assert (repository / "README.md").read_text() == "mine"
    assert not (repository / ".gitattributes").exists()
    for path, content in before.items():
        path.write_bytes(content)


def test_the_workflows_steps_on_submissions(tiny_world: SimpleNamespace, cli: Cli) -> None:
    code, out, _ = cli("leaderboard", "init", ".")
    assert code == 0 and len(out.splitlines()) == 6
    tiny_world.run(results="submissions")
    for step in workflow(Path())["jobs"]["leaderboard"]["steps"]:
        if step.get("if") == "hashFiles('submissions/**/*.json') != ''":
            code, out, err = cli(*shlex.split(step["run"])[1:])
            assert code == 0, err
    assert len(read_leaderboard(Path("leaderboard.json")).entries) == 6
