"""Given a leaderboard, what `leaderboard build` makes of it and says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

Cli = Callable[..., tuple[int, str, str]]


def test_from_runs_to_a_site_with_what_only_results_know(
    tiny_world: SimpleNamespace, cli: Cli
) -> None:
    tiny_world.run(methods=["kmeans", "modulo"], seeds=3)
    assert cli("submit", "results")[0] == 0
    code, out, err = cli("leaderboard", "build")
    assert (code, err) == (0, "") and out.startswith("site/index.html: ")
    (page,) = Path("site").glob("methods/modulo-*")
    assert "Where it ran" not in page.read_text()

    code, out, _ = cli("leaderboard", "build", "--results", "results", "--json")
    document = json.loads(out)
    assert code == 0 and document["site"] == "site" and document["pages"] > 8
    (page,) = Path("site").glob("methods/modulo-*")
    assert "Where it ran" in page.read_text() and "Sizes of its clusters" in page.read_text()
    (task,) = Path("site").glob("tasks/*-ratio-4-*")
    assert "AMI against the time of a fit" in task.read_text()
    (board,) = Path("site").glob("boards/*")
    assert "AMI by imbalance ratio" in board.read_text()  # the tasks were built here
    (card,) = Path("site").glob("data-sets/*")
    assert "CC0-1.0" in card.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-l", "nowhere.json"), "nowhere.json: no such file"),
        (("--out", "mine"), "mine: is no site of a leaderboard"),
        (("--results", "nowhere"), "nowhere: no such result file or folder"),
        (("--images", "tiny"), "wanted NAME=DIR"),
    ],
)
def test_what_cannot_be_built_is_one_line(
    tiny_world: SimpleNamespace, cli: Cli, words: tuple[str, ...], message: str
) -> None:
    Path("leaderboard.json").write_text('{"schema": "clusterbench-leaderboard/2"}')
    Path("mine").mkdir()
    Path("mine", "thesis.tex").write_text("years of work")
    code, out, err = cli("leaderboard", "build", *words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert sorted(path.name for path in Path("mine").iterdir()) == ["thesis.tex"]
    assert not Path("site").exists()


def test_results_that_do_not_say_more_are_named(tiny_world: SimpleNamespace, cli: Cli) -> None:
    """A broken one, one with other scores, and runs that are not on the board."""
    tiny_world.run(methods=["kmeans"], seeds=3)
    assert cli("submit", "results")[0] == 0
    tiny_world.run(methods=["modulo"], seeds=1)
    first, second, *_ = sorted(Path("results").rglob("kmeans*/**/seed-*.json"))
    first.write_text("{")
    content = json.loads(second.read_text())
    content["scores"]["metrics"]["ami"] /= 2
    second.write_text(json.dumps(content))
    code, out, err = cli("leaderboard", "build", "--results", "results", "--json")
    assert code == 0 and json.loads(out)["notes"] == err.splitlines()
    said = {
        name: [line for line in err.splitlines() if str(name) in line] for name in (first, second)
    }
    assert said[first][0].startswith("not read: ") and "ami" in said[second][0]
    assert "not on the board" in err and len(err.splitlines()) == 3


@pytest.mark.parametrize(
    ("images", "message"),
    [("tiny=nowhere", "nowhere is no folder"), ("tinny=mine", "did you mean tiny?")],
)
def test_images_that_cannot_be_shown(
    tiny_world: SimpleNamespace, cli: Cli, images: str, message: str
) -> None:
    tiny_world.run(methods=["kmeans"], seeds=1)
    assert cli("submit", "results")[0] == 0
    Path("mine").mkdir()
    code, out, err = cli("leaderboard", "build", "--images", images)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
