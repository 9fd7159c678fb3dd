"""Given a board, when its site is built, every page, link, number and file of it is right."""

from __future__ import annotations

import csv
import html.parser
import io
import re
import statistics
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from for_pages.boards import METRICS, REFERENCE, board, digest, entry
from for_pages.hostile_names import HOSTILE
from PIL import Image

from clusterbench.errors import InputError
from clusterbench.leaderboard import (
    Leaderboard,
    PublishedRow,
    build_site,
    rank,
    read_leaderboard,
)
from clusterbench.leaderboard.site.against_baseline import against_baseline, summarised
from clusterbench.leaderboard.site.contents import site_contents
from clusterbench.leaderboard.site.dataset_page import SIDE, card_html, samples_of
from clusterbench.leaderboard.site.task_views import DatasetView


class Links(html.parser.HTMLParser):
    """Where a page leads, what it loads, its ids, and its headings in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        for name, value in attributes:
            if name in ("href", "src") and not str(value).startswith("data:,"):
                self.links.append(value)
            if name == "id":
                self.ids.append(value)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def pages(site: Path) -> dict[str, str]:
    return {p.relative_to(site).as_posix(): p.read_text("utf-8") for p in site.rglob("*.html")}


def target_of(site: Path, page: str, link: str) -> Path:
    """The file that a link of a page leads to: itself for a place on it, which must be there."""
    path, place = urldefrag(link)
    assert not place or place in Links((site / page).read_text("utf-8")).ids
    return (site / page).parent / unquote(path) if path else site / page


def table_of(site: Path, start: str) -> list[dict[str, str]]:
    (path,) = site.glob(f"downloads/{start}*.csv")
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


@pytest.fixture(scope="module")
def small() -> Leaderboard:
    return board()


@pytest.fixture(scope="module")
def site(small: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    built = build_site(small, out)
    assert built.index == out / "index.html" and built.pages == len(pages(out))
    assert built.files == sum(path.is_file() for path in out.rglob("*"))
    return out


def test_there_is_a_page_of_every_kind(site: Path, small: Leaderboard) -> None:
    found = {path.partition("/")[0] for path in pages(site)}
    assert found == {
        *("index.html", "methods.html", "downloads.html", "submit.html"),
        *("boards", "tasks", "methods", "data-sets"),
    }
    assert len(list(site.glob("tasks/*"))) == sum(len(b.tasks) for b in small.benchmarks)
    assert len(list(site.glob("methods/*"))) == 5 and len(list(site.glob("boards/*"))) == 2


def test_every_link_leads_to_a_file_of_the_site(site: Path) -> None:
    """And every page can be reached from the first one."""
    known = pages(site)
    reached, todo = set(), ["index.html"]
    while todo:
        path = todo.pop()
        if path in reached:
            continue
        reached.add(path)
        for link in Links(known[path]).links:
            assert not re.match(r"[a-z]+:|//", link), link
            target = target_of(site, path, link)
            assert target.is_file(), (path, link)
            if target.suffix == ".html":
                todo.append(target.resolve().relative_to(site.resolve()).as_posix())
    assert reached == set(known)


def test_ids_occur_once_and_headings_leave_no_level_out(site: Path) -> None:
    for path, text in pages(site).items():
        found = Links(text)
        assert len(set(found.ids)) == len(found.ids), path
        assert found.headings[0] == 1 and found.headings.count(1) == 1, path
        steps = zip(found.headings, found.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), path


def test_nothing_is_inline_that_the_policy_of_the_pages_forbids(site: Path) -> None:
    for path, text in pages(site).items():
        found = Links(text)
        assert "style" not in found.tags and "style" not in found.attributes, path
        assert not [name for name in found.attributes if name.startswith("on")], path
        assert found.tags.count("script") == 1, path


def test_the_same_board_gives_the_same_files(
    site: Path, small: Leaderboard, tmp_path: Path
) -> None:
    again = build_site(small, tmp_path / "site").folder
    files = [path.relative_to(site) for path in site.rglob("*") if path.is_file()]
    assert all((again / path).read_bytes() == (site / path).read_bytes() for path in files)


def test_the_numbers_are_those_of_the_board_and_of_the_ranking(
    site: Path, small: Leaderboard
) -> None:
    (ranking,) = rank(small, "imbalanced")
    rows = {row["method"]: row for row in table_of(site, "ranking-imbalanced")}
    assert list(rows) == [row.method for row in ranking.rows]
    for row in ranking.rows:
        shown = rows[row.method]
        assert shown["place"] == ("" if row.place is None else str(row.place))
        tasks = [
            statistics.fmean(
                e.metrics["ami"]
                for e in small.entries
                if (e.benchmark, e.task, e.method) == ("imbalanced", f"task-{i}", row.method)
            )
            for i in range(3)
        ]
        assert float(shown["ami"]) == pytest.approx(statistics.fmean(tasks))
    raw = [row for path in site.glob("downloads/runs-*.csv") for row in _read(path)]
    by_key = {entry.key: entry for entry in small.entries}
    assert {row["key"] for row in raw} == set(by_key) and len(raw) == len(by_key)
    for row in raw:
        for metric in METRICS:
            assert float(row[metric]) == by_key[row["key"]].metrics[metric]
    assert read_leaderboard(site / "downloads" / "leaderboard.json") == small


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


def test_against_k_means_by_hand() -> None:
    """Two benchmarks of different size weigh the same; a task that one lacks does not count."""
    some = board(methods=("kmeans",), benchmarks=("imbalanced", "scale"), n_tasks=2, n_seeds=1)

    def better(benchmark: str, task: str, by: float):
        base = next(e for e in some.entries if (e.benchmark, e.task) == (benchmark, task))
        metrics = {**base.metrics, "ami": base.metrics["ami"] + by}
        return entry(benchmark, "somewhere", task, "temi", 0, metrics=metrics)

    entries = [
        better("imbalanced", "task-0", 0.02),
        better("imbalanced", "task-1", 0.04),
        better("scale", "task-0", -0.1),
    ]
    whole = some.model_copy(update={"entries": (*some.entries, *entries)})
    versus = against_baseline(site_contents(whole, (), {}))
    assert [round(item.difference, 9) for item in versus] == [0.02, 0.04, -0.1]
    (found,) = summarised(versus).values()
    assert found.mean == pytest.approx((0.03 - 0.1) / 2)
    assert (found.n_tasks, found.better) == (3, 2)


def test_features_are_compared_with_k_means_on_the_same_ones() -> None:
    some = board(methods=("kmeans",), benchmarks=("scale",), n_tasks=1, n_seeds=1)
    other = [
        entry("scale", "somewhere", "task-0", method, 0, encoder="other", metrics=metrics)
        for method, metrics in (
            ("kmeans", {"ami": 0.9, "acc": 0.9}),
            ("temi", {"ami": 0.8, "acc": 0.8}),
        )
    ]
    whole = some.model_copy(update={"entries": (*some.entries, *other)})
    (found,) = against_baseline(site_contents(whole, (), {}))
    assert (found.encoder, round(found.difference, 9)) == ("other", -0.1)


def test_incomplete_entrants_and_references_stand_apart(tmp_path: Path) -> None:
    some = board(n_seeds=3)
    fewer = tuple(e for e in some.entries if (e.method, e.seed) != ("temi", 1))
    out = build_site(some.model_copy(update={"entries": fewer}), tmp_path / "site").folder
    (path,) = out.glob("boards/imbalanced-*")
    rows = re.findall(r"<tr( class=\"(\w+)\")?><td.*?<th scope=\"row\".*?</tr>", path.read_text())
    assert [kind for _, kind in rows] == ["", "", "", "incomplete", "reference"]
    shown = {row["method"]: row for row in table_of(out, "ranking-imbalanced")}
    assert shown["temi"]["place"] == shown["temi"]["ami"] == shown[REFERENCE]["place"] == ""
    # No test is made of a reference, so it is not 0 times clearly better.
    overview = {row["method"]: row for row in table_of(out, "overview-methods")}
    assert overview[REFERENCE]["better"] and not overview[REFERENCE]["clearly_better"]
    assert not overview["temi"]["clearly_better"]  # it lacks a seed on every task
    placed = [row for row in overview.values() if row["place"] and row["better"]]
    assert placed and all(row["clearly_better"].isdigit() for row in placed)
    assert "lacks seeds" in path.read_text()


def test_published_rows_are_marked_and_have_no_place(tmp_path: Path) -> None:
    row = PublishedRow(
        benchmark="scale",
        method="Someone's",
        backbone="a network",
        metrics={"acc": 0.9},
        source="Someone, 2025",
    )
    some = board().model_copy(update={"published": (row,)})
    out = build_site(some, tmp_path / "site").folder
    (path,) = out.glob("boards/scale-*")
    assert 'class="published"' in path.read_text() and "Someone, 2025" in path.read_text()
    last = table_of(out, "ranking-scale")[-1]
    assert (last["method"], last["place"], last["acc"]) == ("Someone's", "", "0.9")


@pytest.mark.parametrize("empty", [True, False])
def test_a_board_without_entries_or_without_k_means_has_a_site(tmp_path: Path, empty: bool) -> None:
    some = board(methods=("temi",), n_seeds=1)
    some = some.model_copy(update={"entries": ()}) if empty else some
    out = build_site(some, tmp_path / "site").folder
    assert "<figure" not in (out / "index.html").read_text()
    build_site(Leaderboard(), out)
    assert not list(out.glob("boards/*"))


def test_settings_that_differ_are_two_methods_with_names_that_say_so(tmp_path: Path) -> None:
    runs = [
        entry("scale", "somewhere", "task-0", "kmeans", 0, **more)
        for more in ({}, {"params": {"n_init": 9}}, {"k": 12})
    ]
    some = board(methods=(), benchmarks=("scale",), n_tasks=1)
    out = build_site(some.model_copy(update={"entries": tuple(runs)}), tmp_path / "site").folder
    assert [row["method"] for row in table_of(out, "all-methods")] == [
        "kmeans (K=12, n_init=3)",
        "kmeans (K=none, n_init=3)",
        "kmeans (K=none, n_init=9)",
    ]


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    """The reader of a board refuses most of them; a page would show them as text all the same."""
    some = board(methods=("kmeans", "temi"), benchmarks=("scale",), n_tasks=2, n_seeds=3)
    entries = tuple(
        e.model_copy(
            update={
                "method": f"{name}",
                "encoder": name,
                "key": digest(e.key, name),
                "params": {name: name},
            }
        )
        for name in HOSTILE
        for e in some.entries[:6]
    )
    whole = some.model_copy(update={"entries": (*some.entries, *entries)})
    out = build_site(whole, tmp_path / "site").folder
    for path, text in pages(out).items():
        found = Links(text)
        assert found.tags.count("script") == 1 and "img" not in found.tags, path
        assert not [name for name in found.attributes if name.startswith("on")], path
        assert not set(text) & set("\u202e\u2066\u200b\ufeff\x1b\x07\u2028"), path
        assert len(set(found.ids)) == len(found.ids), path
        for link in found.links:
            assert target_of(out, path, link).is_file(), (path, link)
    for path in out.rglob("*"):
        assert re.fullmatch(r"[a-z0-9.-]+", path.name), path
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", " ".join(pages(out).values()))


def test_a_card_is_read_without_its_html_images_and_outside_files() -> None:
    card = (
        "# Name\n\n## Part\n\n<script>alert(1)</script> [in](../x.md) [out](https://example.org) "
        "[bad](javascript:alert(1))\n\n![x](http://example.org/x.png)\n\n"
        "| a | n |\n|---|---:|\n| b | 1 |\n"
    )
    text = card_html(card)
    found = Links(text)
    assert set(found.tags) <= {
        *["h3", "p", "a", "div", "table", "thead", "tbody", "tr", "th", "td"]
    }
    assert found.links == ["https://example.org"] and found.headings == [3]
    assert "&lt;script&gt;" in text and "style" not in found.attributes


def test_a_folder_that_is_no_site_and_results_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="is no site"):
        build_site(board(), tmp_path / "mine")
    with pytest.raises(InputError, match="no such result"):
        build_site(board(), tmp_path / "site", results=[tmp_path / "absent"])
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.tex"]


def test_samples_are_small_images_of_a_licensed_data_set_whose_folder_is_given(
    tmp_path: Path,
) -> None:
    for number in range(3):
        folder = tmp_path / "images" / f"class-{number}"
        folder.mkdir(parents=True)
        Image.new("RGB", (300, 200), (80 * number, 0, 0)).save(folder / "a.png")
    licensed = DatasetView("d", licence="CC0-1.0", images=tmp_path / "images")
    found = samples_of(licensed)
    assert [sample.label for sample in found] == ["class-0", "class-1", "class-2"]
    for sample in found:
        with Image.open(io.BytesIO(sample.content)) as image:
            assert max(image.size) == SIDE
        assert re.fullmatch(r"images/[0-9a-f]{16}\.png", sample.path)
    assert samples_of(DatasetView("d", images=tmp_path / "images")) == []
    assert samples_of(DatasetView("d", licence="CC0-1.0")) == []
    assert samples_of(DatasetView("d", licence="CC0-1.0", images=tmp_path / "absent")) == []


def test_self_reported_entries_stand_apart_and_compare_with_nothing(tmp_path: Path) -> None:
    some = board(methods=("kmeans",), benchmarks=("scale",), n_tasks=1)
    told = entry(
        "scale",
        "somewhere",
        "task-0",
        "theirs",
        0,
        status="self-reported",
        predictions_sha256=None,
        metrics={"acc": 0.99},
        source="a paper",
        submitter="someone",
    )
    whole = some.model_copy(update={"entries": (*some.entries, told)})
    out = build_site(whole, tmp_path / "site").folder
    (page,) = out.glob("methods/theirs-*")
    assert "a paper" in page.read_text() and "someone" in page.read_text()
    (shown,) = [row for row in table_of(out, "ranking-scale") if row["method"] == "theirs"]
    assert shown["place"] == "" and "self-reported" in next(out.glob("boards/*")).read_text()
    assert against_baseline(site_contents(whole, (), {})) == []


def test_on_several_encoders_there_is_a_ranking_for_each(tmp_path: Path) -> None:
    some = board(methods=("kmeans", "temi"), benchmarks=("scale",), n_tasks=1)
    other = [
        entry("scale", "somewhere", "task-0", method, seed, encoder="other", metrics=metrics)
        for method, metrics in (
            ("kmeans", {"ami": 0.8, "acc": 0.8}),
            ("temi", {"ami": 0.9, "acc": 0.9}),
        )
        for seed in range(3)
    ]
    whole = some.model_copy(update={"entries": (*some.entries, *other)})
    out = build_site(whole, tmp_path / "site").folder
    assert len(table_of_all(out, "ranking-scale")) == 3
    for ranking in rank(whole, by_encoder=True):
        (shown,) = [
            rows
            for rows in table_of_all(out, "ranking-scale")
            if "encoder" not in rows[0]
            and float(rows[0]["ami"]) == pytest.approx(ranking.rows[0].means["ami"])
        ]
        assert [row["method"] for row in shown] == [row.method for row in ranking.rows]
    (page,) = out.glob("boards/*")
    assert "On the same features" in page.read_text()


def table_of_all(site: Path, start: str) -> list[list[dict[str, str]]]:
    return [_read(path) for path in sorted(site.glob(f"downloads/{start}*.csv"))]
