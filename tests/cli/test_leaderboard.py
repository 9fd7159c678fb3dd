"""Given boards by hand: what the table of a ranking shows, and which one is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boards.by_hand import benchmark, board, marked, runs, wobble

from clusterbench.cli.board_table import render_ranking
from clusterbench.cli.console import print_table
from clusterbench.leaderboard import Leaderboard, rank

Cli = Callable[..., tuple[int, str, str]]


def tied(method: str, ami: float, seed: int, **changes: Any) -> list[Any]:
    scores = {"t1": [ami] * 3, "t2": [ami] * 3}
    return runs(method, scores, deviations=wobble(seed, 0.01), **changes)


def shown(given: Leaderboard, capsys: pytest.CaptureFixture[str]) -> str:
    for ranking in rank(given):
        print_table(render_ranking(ranking))
    return capsys.readouterr().out


def test_shared_places_ranges_and_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [tied("a", 0.556, 1), tied("b", 0.53, 2), tied("c", 0.504, 3), tied("d", 0.2, 4)]
    out = shown(board([benchmark()], *groups), capsys)
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["b", "/", "d", "·", "e"]
    assert lines[2] == ["#", "method", "AMI", "±", "ACC", "places", "first", "tasks", "seeds"]
    assert [row[:2] for row in lines[4:8]] == [["1=", "a"], ["1=", "b"], ["3", "c"], ["4", "d"]]
    # 1.972 of Student's distribution with 199 degrees of freedom, times one.
    assert lines[4][2:6] == ["55.6", "2.0", "27.8", "1–2"]
    assert [row[5] for row in lines[4:8]] == ["1–2", "1–3", "2–3", "4"]
    assert lines[8] == ["random", "0.0", "10.0"]
    assert "± 95% over images and seeds." in out
    assert "=: those with one place cannot be told apart." in out


def test_long_names_and_several_encoders_fit_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    groups = [
        tied("a-method-with-a-very-long-name", 0.5, 1, encoder="an-encoder-with-a-long-name-too"),
        tied("b", 0.9, 2, encoder="b-encoder-with-a-long-name-too"),
        tied("c" * 100, 0.1, 3, params={"x": 1}),
        tied("c" * 100, 0.11, 3),
    ]
    out = shown(board([benchmark()], *groups), capsys)
    assert max(map(len, out.splitlines())) <= 80
    rows = [line.split() for line in out.splitlines()[4:8]]
    assert [row[1] for row in rows][:2] == ["b", "a-method-with-a…"]
    assert [row[2] for row in rows][:2] == ["b-encoder-with-…", "an-encoder-with…"]
    # Two settings of one method keep what tells them apart, however long its name is.
    assert {len(row[1]) for row in rows[2:]} == {11} and len({row[2] for row in rows[2:]}) == 2
    assert [row[3:6] for row in rows][:2] == [["90.0", "2.0", "45.0"], ["50.0", "2.0", "25.0"]]


def test_names_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    odd = [marked(e, method="\x1b[31mred\n[b]") for e in tied("a", 0.5, 1)]
    flagged = [marked(e, metrics={"ami": 1.0, "acc": 1.0}) for e in odd]
    out = shown(board([benchmark()], flagged), capsys)
    assert "\x1b" not in out and "\\x1b[31mred" in out
    assert "Its clusters are the classes in every row" in out


def test_marks_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    told = [marked(e, status="self-reported") for e in tied("told", 0.9, 1)]
    taught = [marked(e, label_free=False) for e in tied("taught", 0.5, 2)]
    older = runs("older", {"t1": [0.4] * 3, "t2": [0.4] * 3})
    out = " ".join(shown(board([benchmark()], told, taught, older), capsys).split())
    assert "Self-reported, not scored here, so not ranked: told." in out
    assert "Not label-free, as submitted: taught." in out
    assert "± 95% over seeds." in out and "their differences are over seeds alone" in out
    assert "Every row is verified" not in out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    on_x = benchmark("b", "x")
    entries = [
        *tied("a", 0.5, 1),
        *tied("b", 0.9, 2),
        *tied("a", 0.7, 3, encoder="large"),
        *tied("a", 0.4, 4, dataset="x"),
        *tied("b", 0.3, 5, dataset="x"),
    ]
    path = tmp_path / "board.json"
    content = {"benchmarks": (benchmark(), on_x), "entries": tuple(entries)}
    path.write_text(json.dumps(Leaderboard(**content).to_dict()))
    return path


def headings(out: str) -> list[str]:
    """Lines that stand alone."""
    return [block for block in out.strip("\n").split("\n\n") if "\n" not in block]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), ["b / d", "b / x · e"]),
        (("--by", "encoder"), ["b / d · e", "b / d · large", "b / x · e"]),
        (("--task", "t2"), ["b / d / t2", "b / x / t2 · e"]),
        (("--overall",), ["d / all benchmarks", "x / all benchmarks · e", "all data sets"]),
    ],
)
def test_which_ranking(cli: Cli, file: Path, words: tuple[str, ...], wanted: list[str]) -> None:
    code, out, err = cli("leaderboard", "-l", str(file), *words)
    assert (code, err) == (0, "")
    assert headings(out) == wanted
    assert max(map(len, out.splitlines())) <= 80
    document = json.loads(cli("leaderboard", "-l", str(file), *words, "--json")[1])
    assert document["schema"] == "clusterbench-ranking/2"
    assert len(document["rankings"]) == len(wanted)


def test_over_data_sets_the_features_are_named(cli: Cli, file: Path) -> None:
    out = " ".join(cli("leaderboard", "-l", str(file), "--overall")[1].split())
    assert "On the features that most methods were run on: d: e, x: e." in out
    assert "rank: the mean over tasks of its rank by AMI, weighed alike." in out
    # Over both data sets b is first in d and second in x, a the other way round.
    assert "1 b 60.0 1.5 30.0 1.5 1" in out and "2 a 45.0 1.4 22.5 1.5 2" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--by", "encodr"), "unknown kind of ranking 'encodr'; did you mean encoder"),
        (("--task", "t3"), "'t3'; did you mean"),
        (("--overall", "-b", "b"), "leave out --benchmark and --task"),
        (("--overall", "-t", "t1"), "leave out --benchmark and --task"),
    ],
)
def test_what_is_no_ranking(cli: Cli, file: Path, words: tuple[str, ...], message: str) -> None:
    code, out, err = cli("leaderboard", "-l", str(file), *words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-b", "easy", "build"), "--benchmark stands before 'build'; build has no such option"),
        (("--overall", "check"), "check has no such option"),
        (("--json", "init"), "init has no such option"),
        (
            ("-l", "b.json", "build"),
            "--leaderboard stands before 'build'; give it after, as in "
            "clusterbench leaderboard build --leaderboard ...",
        ),
        (("--json", "merge"), "give it after, as in clusterbench leaderboard merge --json"),
    ],
)
def test_options_before_a_subcommand(cli: Cli, words: tuple[str, ...], message: str) -> None:
    code, out, err = cli("leaderboard", *words)
    assert (code, out) == (2, "") and message in err
