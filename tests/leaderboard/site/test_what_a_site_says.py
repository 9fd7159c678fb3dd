"""Given a board that is not whole, its site says which numbers are of what, and what is missing."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from for_pages.boards import REFERENCE, board, entry

from clusterbench.cli.board_table import row_labels
from clusterbench.errors import InputError
from clusterbench.leaderboard import Leaderboard, PublishedRow, build_site, rank, rank_tasks
from clusterbench.leaderboard.site.board_page import board_page
from clusterbench.leaderboard.site.contents import site_contents
from clusterbench.leaderboard.site.overview_page import overview_page
from clusterbench.leaderboard.site.ranking_table import interval_text
from clusterbench.leaderboard.site.task_page import _number, task_page


def built(some: Leaderboard, folder: Path) -> Path:
    return build_site(some, folder / "site").folder


def rows_of(site: Path, start: str) -> list[dict[str, str]]:
    (path,) = site.glob(f"downloads/{start}*.csv")
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def claimed(task: str, **more: Any) -> Any:
    word = {"status": "self-reported", "predictions_sha256": None}
    return entry("scale", "somewhere", task, "theirs", 0, **word, **more)


def test_a_claim_is_drawn_and_written_as_one(tmp_path: Path) -> None:
    some = board(methods=("kmeans", "temi"), benchmarks=("scale",), n_tasks=1)
    whole = some.model_copy(
        update={"entries": (*some.entries, claimed("task-0", metrics={"ami": 0.9}))}
    )
    contents = site_contents(whole, (), {})
    task = contents.task_views["scale", "somewhere", "task-0"]
    chart = task_page(contents, task, rank_tasks(whole)[0]).context["scores"]
    assert [row.label for row in chart.rows][-1] == "theirs"
    assert len({row.group for row in chart.rows}) == 2 and "not checked" in chart.series[-1]
    of_claims = {row.label for row in chart.rows if row.values[-1] is not None}
    assert of_claims == {"theirs"} and chart.rows[-1].values[:-1] == (None, None)

    site = built(whole, tmp_path)
    for start in ("overview-methods", "ranking-scale", "scores-of-scale", "by-task-scale"):
        status = {row["method"]: row["status"] for row in rows_of(site, start)}
        assert status["theirs"] == "self-reported" and status["temi"] == "verified", start
    (row,) = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*theirs.*?</tr>", _overview(site), re.DOTALL)
    assert 'class="aside"' in row and "self-reported</span>" in row


def _overview(site: Path) -> str:
    return (site / "index.html").read_text().partition("All methods</h2>")[2]


def test_headings_say_over_how_many_tasks_a_column_is(tmp_path: Path) -> None:
    """Of two benchmarks one counts; k-means ran on five of six tasks."""
    some = board(methods=("kmeans", "temi"), n_tasks=3)
    fewer = [
        e for e in some.entries if (e.benchmark, e.task, e.method) != ("scale", "task-2", "kmeans")
    ]
    whole = some.model_copy(update={"entries": tuple(fewer)})
    (table,) = overview_page(site_contents(whole, (), {})).tables
    labels = {column.key: column.label for column in table.columns}
    assert (labels["place"], labels["ami"]) == ("Place (3 tasks)", "AMI (3 tasks)")
    assert labels["difference"] == "Against k-means (5 tasks)"
    (table,) = overview_page(site_contents(some, (), {})).tables
    labels = {column.key: column.label for column in table.columns}
    assert (labels["ami"], labels["difference"]) == ("AMI", "Against k-means")


def test_the_best_head_is_none_that_lacks_a_task() -> None:
    """Whichever of two heads is ahead: once it lacks the other's third task, it is not named."""
    some = board(methods=("kmeans", "temi", "scan"), benchmarks=("scale",), n_tasks=3)

    def named(entries: Any) -> str:
        whole = some.model_copy(update={"entries": tuple(entries)})
        answer = " ".join(overview_page(site_contents(whole, (), {})).context["answer"])
        return answer.partition("The best of them, ")[2].partition(",")[0]

    ahead = named(some.entries)
    other = {"temi": "scan", "scan": "temi"}[ahead]
    lacks = [e for e in some.entries if (e.method, e.task) != (ahead, "task-2")]
    assert named(lacks) == other


def test_files_hold_both_ends_of_what_is_shown_as_one(tmp_path: Path) -> None:
    some = board(methods=("kmeans", "m" * 120), benchmarks=("scale",), n_tasks=2)
    (ranking,) = rank(some)
    site = built(some, tmp_path)
    (path,) = site.glob("downloads/ranking-scale*.json")
    shown = json.loads(path.read_text())["rows"]
    for row, of in zip(shown, ranking.rows, strict=True):
        assert (row["method"], row["entrant"]) == (of.method, of.entrant)
        assert (row["interval_low"], row["interval_high"]) == (of.interval.low, of.interval.high)
        assert (row["could_be_low"], row["could_be_high"]) == of.places
        assert (row["tasks"], row["of_tasks"], row["sharing"]) == (2, 2, of.n_sharing)
        assert "interval" not in row and "could_be" not in row
    assert "interval_low" not in next(site.glob("boards/*.html")).read_text()
    assert "Status" not in next(site.glob("downloads/ranking-scale*.md")).read_text()


def test_rows_of_the_literature_stand_beside_no_features_but_their_own(tmp_path: Path) -> None:
    encoders = ("one", "two")
    runs = [
        entry("scale", "somewhere", "task-0", m, s, encoder=e)
        for m in ("kmeans", "temi")
        for s in range(3)
        for e in encoders
    ]
    published = tuple(
        PublishedRow(
            benchmark="scale", method=name, backbone=name, metrics={"acc": 0.9}, source="x"
        )
        for name in ("two", "another network")
    )
    some = board(methods=(), benchmarks=("scale",), n_tasks=1)
    whole = some.model_copy(update={"entries": tuple(runs), "published": published})
    contents = site_contents(whole, (), {})
    page = board_page(contents, contents.benchmarks[0], contents.rankings[0])
    beside = [{r.cells[1].value for r in t.rows} - {"kmeans", "temi"} for t in page.context["same"]]
    assert beside == [set(), {"two"}]
    assert {r.cells[1].value for r in page.context["ranked"].rows} >= {"two", "another network"}


def test_what_deserves_a_look_is_a_line_for_each_task(tmp_path: Path) -> None:
    some = board(methods=(), benchmarks=("scale",), n_tasks=2)
    runs = [
        entry("scale", "somewhere", f"task-{t}", m, s, predictions_sha256=f"{t:064x}")
        for t in range(2)
        for m in ("kmeans", "temi")
        for s in range(5)
    ]
    site = built(some.model_copy(update={"entries": tuple(runs)}), tmp_path)
    text = next(site.glob("methods/kmeans-*")).read_text()
    lines = re.findall(
        "<li>(.*?)</li>", text.partition("deserves a look</h2>")[2].partition("</ul>")[0]
    )
    assert len(lines) == 2
    for place, line in enumerate(lines):
        assert line.startswith(f"scale / somewhere / task-{place}: ") and "seeds 0–4" in line
        assert line.count("temi") == 1 or "more" in line


def test_where_nobody_is_complete_pages_say_so_and_show_no_empty_table(tmp_path: Path) -> None:
    some = board(methods=("kmeans", "temi", REFERENCE), benchmarks=("scale",), n_tasks=3)
    fewer = tuple(e for e in some.entries if e.task != "task-1")
    site = built(some.model_copy(update={"entries": fewer}), tmp_path)
    text = next(site.glob("data-sets/*")).read_text()
    assert "<tbody>\n</tbody>" not in text and "at least two methods are complete" in text
    assert "No method is complete here" in next(site.glob("boards/*")).read_text()
    (empty,) = site.glob("tasks/scale-*-task-1-*")
    assert "<table" not in empty.read_text() and "No runs yet" in empty.read_text()
    assert "0 tasks" not in (site / "index.html").read_text()
    # and a reference is still one, in the table of the first page
    (row,) = re.findall(r'<tr class="reference">(?:(?!</tr>).)*</tr>', _overview(site), re.DOTALL)
    assert REFERENCE in row and 'class="tag">reference' in row


def test_an_empty_board_and_one_of_one(tmp_path: Path) -> None:
    site = built(Leaderboard(), tmp_path)
    text = (site / "index.html").read_text()
    assert "no entries yet" in text and "<table" not in text and "Data set" not in text
    assert not list(site.glob("downloads/overview*"))
    some = board(methods=("spectral", "kmeans"), benchmarks=("scale",), n_tasks=1, n_seeds=1)
    one = tuple(e for e in some.entries if e.method == "spectral")
    text = (built(some.model_copy(update={"entries": one}), tmp_path) / "index.html").read_text()
    assert "1 run of 1 method on 1 task;" in text and "1 method;" in text
    text = (built(some, tmp_path) / "index.html").read_text()
    assert "best trained head" not in text.partition("<table")[0]
    assert '<ul class="legend">' in text and "other clusterers</span>" in text


def test_features_that_share_a_name_are_told_apart(tmp_path: Path) -> None:
    """Two people's, described differently: two rows, two names, two methods."""
    some = board(methods=("kmeans",), benchmarks=("scale",), n_tasks=1)
    theirs = [_other_features(mark) for mark in "ab"]
    whole = some.model_copy(update={"entries": (*some.entries, *theirs)})
    site = built(whole, tmp_path)
    features = {
        row["encoder"] for row in rows_of(site, "scores-of-scale") if row["method"][0] == "x"
    }
    assert features == {"mine aaaaaa", "mine bbbbbb"}
    names = [row["method"] for row in rows_of(site, "overview-methods") if row["method"][0] == "x"]
    assert len(set(names)) == 2 and len(list(site.glob("methods/x-*"))) == 2
    contents = site_contents(whole, (), {})
    task = contents.task_views["scale", "somewhere", "task-0"]
    chart = task_page(contents, task, rank_tasks(whole)[0]).context["scores"]
    assert len({row.label for row in chart.rows}) == len(chart.rows)


def _other_features(mark: str) -> Any:
    one = entry("scale", "somewhere", "task-0", "x", 0, encoder="mine")
    return one.model_copy(update={"feature_identity": mark * 64, "key": mark * 64})


def test_methods_of_one_name_have_the_hash_that_the_terminal_shows(tmp_path: Path) -> None:
    long = [{"a_setting_with_a_long_name": f"{'v' * 40}{i}", "another": i} for i in range(2)]
    runs = [
        entry("scale", "somewhere", "task-0", "kmeans", s, params=params)
        for params in long
        for s in range(3)
    ]
    some = board(methods=(), benchmarks=("scale",), n_tasks=1)
    whole = some.model_copy(update={"entries": tuple(runs)})
    (ranking,) = rank(whole)
    contents = site_contents(whole, (), {})
    terminal = row_labels(ranking)
    assert len(set(terminal.values())) == 2
    for row in ranking.rows:
        assert contents.view(row).label == terminal[row.entrant] == f"kmeans {row.entrant[:4]}"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"somewhere": "absent"}, "absent is no folder"),
        ({"elsewhere": "."}, "did you mean somewhere|elsewhere"),
    ],
)
def test_images_that_can_not_be_shown_are_refused(
    tmp_path: Path, images: dict[str, str], message: str
) -> None:
    given = {name: tmp_path / folder for name, folder in images.items()}
    with pytest.raises(InputError, match=message):
        build_site(board(), tmp_path / "site", images=given)
    assert not (tmp_path / "site").exists()
    notes = build_site(board(), tmp_path / "site", images={"somewhere": tmp_path}).notes
    assert len(notes) == 1 and "licence" in notes[0]


def test_numbers_have_no_ending_noughts_and_intervals_a_true_minus() -> None:
    values = {150.0000004: "150", 0.602: "0.602", 2100.0: "2,100", -0.25: "−0.25", 1e-5: "1e-05"}
    assert {value: _number(value) for value in values} == values
    assert interval_text(-0.004, 0.006) == "−0.4 to 0.6"
