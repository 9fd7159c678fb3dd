"""Given results: what `submit`, `leaderboard` and `list` answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import pytest

Cli = Callable[..., tuple[int, str, str]]


def test_from_results_to_the_ranking(tiny_world: SimpleNamespace, cli: Cli) -> None:
    tiny_world.run(methods=["kmeans", "modulo"])
    tiny_world.run(methods=["modulo"], seeds=2, params={"modulo": {"shift": 1}})
    code, out, err = cli("submit", "results")
    assert (code, out) == (0, "leaderboard.json: 16 added\n")
    # What no check decides: k-means finds these blobs, and `modulo` shifts its clusters in circles.
    assert {line.split(": ")[0] for line in err.splitlines()} == {"note"}
    assert "its clusters are the classes in every row" in err
    # A line for each note, however many files it is of.
    assert " more: its predictions are those of this method with seed 0" in err
    notes = [line.split(": ", 2)[2] for line in err.splitlines()]
    assert len(notes) == len(set(notes))
    assert cli("submit", "results")[1] == "leaderboard.json: 16 unchanged\n"

    code, out, _ = cli("leaderboard")
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80
    assert lines[0] == "tiny-imbalance / tiny · blobs"
    ranked = [line.split() for line in lines[4:7]]
    assert [row[0] for row in ranked] == ["1", "2", "–"]
    assert ranked[0][1] == "kmeans" and ranked[1][1] == "modulo"
    assert ranked[2].count("–") == 3  # no rank and no mean for who lacks a seed
    assert "Its clusters are the classes in every row: kmeans." in out
    assert "Incomplete, not ranked: modulo" in out and "lacks seeds (ratio-1: 2" in out

    document = json.loads(cli("leaderboard", "--json")[1])
    assert document["schema"] == "clusterbench-ranking/2"
    (ranking,) = document["rankings"]
    assert [row["complete"] for row in ranking["rows"]] == [True, True, False]
    assert ranking["rows"][2]["means"] is None


def test_refused_results_are_lines_and_exit_code_1(tiny_world: SimpleNamespace, cli: Cli) -> None:
    tiny_world.run(methods=["fails"], seeds=2)
    code, out, err = cli("submit", "results", "-l", "board.json")
    assert (code, out) == (1, "board.json: 2 added, 2 refused\n")
    assert err.count("\n") == 2 and err.startswith("refused: results/tiny-imbalance/")
    code, out, _ = cli("submit", "results", "-l", "board.json", "--json")
    assert code == 1
    assert json.loads(out)["counts"] == {"added": 0, "replaced": 0, "unchanged": 2, "refused": 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("submit", "nowhere"), "no such result file or folder"),
        (("leaderboard",), "leaderboard.json: no such file"),
        (("leaderboard", "-l", "nowhere.json"), "nowhere.json: no such file"),
    ],
)
def test_files_that_are_not_there(cli: Cli, words: tuple[str, ...], message: str) -> None:
    code, out, err = cli(*words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1


def test_a_benchmark_that_is_not_on_the_board(tiny_world: SimpleNamespace, cli: Cli) -> None:
    tiny_world.run(seeds=1)
    cli("submit", "results")
    code, _, err = cli("leaderboard", "-b", "tiny")
    assert code == 2 and "known: tiny-imbalance" in err


class TestList:
    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("benchmarks", "tiny-imbalance"),
            ("methods", "kmeans"),
            ("methods", "modulo"),
            ("methods", "linear-probe"),
            ("datasets", "tiny"),
            ("encoders", "efficientnet-lite0"),
            ("metrics", "ami"),
            ("metrics", "top_n_acc"),
        ],
    )
    def test_names_with_a_line_about_each(self, cli: Cli, kind: str, name: str) -> None:
        code, out, _ = cli("list", kind)
        assert code == 0
        (line,) = [line for line in out.splitlines() if line.split()[0] == name]
        assert len(line.split()) > 2
        listed = {entry["name"]: entry for entry in json.loads(cli("list", kind, "--json")[1])}
        assert listed[name]["about"]

    def test_methods_and_references_are_told_apart(self, cli: Cli) -> None:
        listed = {entry["name"]: entry for entry in json.loads(cli("list", "methods", "--json")[1])}
        assert listed["kmeans"]["kind"] == "method" and listed["knn"]["kind"] == "reference"
        lines = {
            line.split()[0]: line.split()[1] for line in cli("list", "methods")[1].splitlines()
        }
        assert lines["temi"] == "method" and lines["nearest-mean"] == "reference"

    def test_a_metric_lists_its_declaration(self, cli: Cli) -> None:
        listed = {entry["name"]: entry for entry in json.loads(cli("list", "metrics", "--json")[1])}
        assert listed["ari"]["range"] == [-0.5, 1.0]
        assert [listed[name]["chance"] for name in ("ari", "nmi", "acc")] == [
            0.0,
            "formula",
            "simulated",
        ]
        assert listed["lca_acc"]["needs"] == "class tree"

    def test_a_benchmark_lists_its_tasks(self, cli: Cli) -> None:
        listed = json.loads(cli("list", "benchmarks", "--json")[1])
        (tiny,) = [entry for entry in listed if entry["name"] == "tiny-imbalance"]
        assert tiny["datasets"] == {"tiny": ["ratio-1", "ratio-4"]}
