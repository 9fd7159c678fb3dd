"""`clusterbench report`: what it answers, what it refuses, and the files it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from for_reports.edited_results import result_files

import clusterbench as cb

Cli = Callable[..., tuple[int, str, str]]


def test_a_page_and_a_line_about_it(world: SimpleNamespace, cli: Cli) -> None:
    code, out, err = cli("report", "results")
    assert (code, err) == (0, "")
    assert out.startswith("report.html: 10 results, 0.") and out.endswith(" MB\n")
    assert Path("report.html").read_text().startswith("<!doctype html>")


@pytest.mark.slow
def test_json_and_figures(world: SimpleNamespace, cli: Cli) -> None:
    world.run(methods=["fails"], seeds=2)
    result_files(Path("results"), "kmeans", "ratio-1")[0].write_text("{")
    code, out, err = cli("report", "results", "-o", "a/b.html", "--figures", "figures", "--json")
    document = json.loads(out)
    assert code == 0 and err.startswith("not read: results/") and err.count("\n") == 1
    assert (document["results"], document["failed"], document["not_checked"]) == (13, 2, 0)
    assert document["bytes"] == Path("a/b.html").stat().st_size
    assert len(document["unreadable"]) == 1
    there = sorted(str(path) for path in Path("figures").iterdir())
    assert sorted([*document["figures"], "figures/figures.json"]) == there


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("report", "nowhere"), "nowhere: no such result file or folder"),
        (("report", "empty"), "empty: holds no results"),
        (("report", "results", "-o", "empty"), "empty: is a folder"),
        (("report", "results", "-o", "mine.html"), "a file that is no report"),
        (("report", "results", "--images", "nowhere"), "nowhere: no such folder of images"),
        (("report", "results", "--figures", "mine.html"), "mine.html: is no folder"),
    ],
)
def test_what_is_refused(
    world: SimpleNamespace, cli: Cli, words: tuple[str, ...], message: str
) -> None:
    Path("empty").mkdir()
    Path("mine.html").write_text("mine")
    code, out, err = cli(*words)
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert Path("mine.html").read_text() == "mine"


def test_the_door_in_python(world: SimpleNamespace) -> None:
    assert cb.report("results", "page.html").n_runs == 10
