"""The page: whole by itself, small, harmless, the same again; what is missing is said."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from for_reports.big_results import write_many
from for_reports.edited_results import edit, result_files
from PIL import Image

from clusterbench.errors import InputError
from clusterbench.reports import build_report, page_html
from clusterbench.reports.analysis import analyse
from clusterbench.reports.collected import Collected, ReportRun, collect
from clusterbench.reports.content.score_tables import main_table
from clusterbench.reports.page_html import LARGEST_PAGE, MARK
from clusterbench.results.record import read_result

RESULTS, PAGE = Path("results"), Path("report.html")
HOSTILE = "<script>alert(1)</script>\"'&${7*7}{{7*7}}"


class Seen(HTMLParser):
    """Tags with their attributes, ids, and the text outside of script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._quiet = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._quiet += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        self.text += "" if self._quiet else data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(**settings: object) -> str:
    build_report(RESULTS, PAGE, **settings)  # type: ignore[arg-type]
    return PAGE.read_text("utf-8")


def test_a_page_needs_nothing_beside_it_and_is_the_same_again(world: SimpleNamespace) -> None:
    first = page()
    seen = Seen(first)
    assert "https:" not in first and first.count("http:") == first.count("http://www.w3.org/")
    loaded = [a.get("src") or a.get("href") for _, a in seen.tags if "src" in a or "href" in a]
    assert all(where is None or where.startswith(("#", "data:")) for where in loaded)
    assert "default-src 'none'" in first
    ids = [attributes["id"] for _, attributes in seen.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for a in seen.all("a") if str(a.get("href")).startswith("#")}
    assert targets <= set(ids)
    assert page() == first


def test_what_stands_in_it(world: SimpleNamespace) -> None:
    seen = Seen(page())
    for words in (
        "tiny-imbalance on tiny",
        "10 results of 2 methods and 1 reference on 2 tasks",
        "kmeans is best",
        "Most confused classes",
        "Largest, most mixed and smallest clusters",
        "AMI against the imbalance ratio of the training classes",
        "Frequent and rare classes of ratio-4",
        "How to read this",
        "n_init=2",
    ):
        assert words in seen.text, words
    assert len(seen.all("h1")) == 1


def test_failures_and_what_cannot_be_checked_are_shown(world: SimpleNamespace) -> None:
    world.run(methods=["fails"], seeds=2)
    result_files(RESULTS, "modulo", "ratio-1")[0].with_suffix(".npz").unlink()
    result_files(RESULTS, "kmeans", "ratio-1")[0].write_text("{")
    seen = Seen(page())
    assert "2 runs failed" in seen.text and "1 of 2 failed" in seen.text
    assert "ValueError: the head" in seen.text and "collapsed" in seen.text
    assert "its predictions file" in seen.text and "is missing" in seen.text
    assert "1 file or folder could not be read" in seen.text and "not whole JSON" in seen.text
    rows = [a for a in seen.all("tr") if a.get("class") == "incomplete"]
    assert rows


def test_only_failures_make_a_page_too(world: SimpleNamespace) -> None:
    world.run(methods=["fails"], seeds=(1,), results="bad")
    build_report("bad", PAGE)
    text = Seen(PAGE.read_text()).text
    assert "No method has a figure on every task." in text and "Failed runs" in text


def test_hostile_names_are_text(world: SimpleNamespace) -> None:
    for path in result_files(RESULTS, task="ratio-4"):
        edit(path, **{"task.name": HOSTILE, "method.name": f"{HOSTILE} שלום"})
    for path in result_files(RESULTS, "modulo", "ratio-1"):
        edit(
            path,
            dataset=HOSTILE,
            warnings=[f"{HOSTILE}\x1b[31m\u202e"],
            **{"method.params": {"a": f"{HOSTILE}\u202e"}, "environment.device_name": HOSTILE},
        )
    found = page(title=f"{HOSTILE}\u202e")
    seen = Seen(found)
    assert len(seen.all("script")) == 1
    assert "<script>alert" not in found and "alert(1)" in seen.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", found)
    assert r"\x1b[31m\u202e" in seen.text
    assert not any(name.startswith("on") for _, a in seen.tags for name in a)


def test_a_file_of_another_kind_is_kept(world: SimpleNamespace) -> None:
    PAGE.write_text("mine")
    with pytest.raises(InputError, match="a file that is no report"):
        page()
    assert PAGE.read_text() == "mine"
    assert MARK in page(force=True)
    assert MARK in page()
    with pytest.raises(InputError, match="is a folder"):
        build_report(RESULTS, RESULTS)


def test_less_is_shown_until_the_page_is_small_enough(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = page()
    for share in (0.8, 0.5, 0.35):
        limit = int(share * len(whole.encode()))
        monkeypatch.setattr(page_html, "LARGEST_PAGE", limit)
        smaller = page()
        assert len(smaller.encode()) < limit
        assert "kmeans is best" in Seen(smaller).text
    assert "are left out" in Seen(smaller).text


@pytest.mark.slow
def test_more_than_any_page_holds(world: SimpleNamespace) -> None:
    """60 tasks, 60 methods, long names and texts, on three data sets: 10,800 results."""
    path = result_files(RESULTS, "modulo", "ratio-1")[0]
    record = read_result(path)
    long = "x" * 150
    runs = []
    for number in range(3 * 60 * 60):
        dataset, task, method = number // 3_600, number // 60 % 60, number % 60
        content = record.model_copy(
            update={
                "dataset": f"{long} {dataset}",
                "task": record.task.model_copy(
                    update={"name": f"{long} {task}", "manifest_hash": f"{task:064x}"}
                ),
                "method": record.method.model_copy(update={"name": f"{long} {method}"}),
                "warnings": (long,),
            }
        )
        runs.append(ReportRun(path, content, {"ami": method / 60}, fault=long))
    found = page_html.report_page(analyse(Collected(tuple(runs), (), 0)))
    assert len(found.encode()) < LARGEST_PAGE
    assert "means and places are those of all" in Seen(found).text


class TestImages:
    def folder(self, suffix: str = ".png") -> Path:
        rng = np.random.default_rng(0)
        for name in (f"class-{n // 25}/{n:03d}" for n in range(150)):
            path = Path("images") / f"{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (90, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return Path("images")

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".BMP"])
    def test_thumbnails_are_small_and_in_the_page(
        self, world: SimpleNamespace, suffix: str
    ) -> None:
        seen = Seen(page(images=self.folder(suffix.lower())))
        images = seen.all("img")
        assert images
        for image in images:
            assert str(image["src"]).startswith("data:image/")
            assert re.fullmatch(r"class-\d: class-\d/\d{3}", str(image["alt"]))
            assert max(int(str(image["width"])), int(str(image["height"]))) <= 56
        assert "Images of tiny: CC0-1.0" in seen.text

    def test_broken_and_missing_images_are_left_out(self, world: SimpleNamespace) -> None:
        folder = self.folder()
        files = sorted(folder.rglob("*.png"))
        for path in files[::3]:
            path.write_bytes(b"no image")
        for path in files[1::3]:
            path.unlink()
        assert len(Seen(page(images=folder)).all("img")) > 0

    def test_no_folder_is_an_error_and_an_empty_one_is_a_page(self, world: SimpleNamespace) -> None:
        with pytest.raises(InputError, match="no such folder of images"):
            page(images="nowhere")
        Path("empty").mkdir()
        assert not Seen(page(images="empty")).all("img")


@pytest.mark.slow
def test_200_results_of_1000_classes_stay_below_the_limit(
    tiny_world: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten methods with five seeds on four tasks of 1,000 unequal classes, all with long names."""
    home = tmp_path / "home"
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))
    write_many(home, tmp_path / "many")
    built = build_report(tmp_path / "many", tmp_path / "big.html")
    assert (built.n_runs, built.n_unchecked) == (200, 0)
    assert built.n_bytes < LARGEST_PAGE
    seen = Seen((tmp_path / "big.html").read_text())
    assert "Most confused classes" in seen.text
    assert "A point is the mean of classes of about one size" in seen.text


class TestVerdicts:
    def test_one_method_with_one_seed_is_neither_best_nor_first(
        self, tiny_world: SimpleNamespace
    ) -> None:
        tiny_world.run(methods=["modulo", "nearest-mean"], seeds=1)
        found = analyse(collect([RESULTS])).sections[0]
        said = Seen(page()).text
        assert re.search(r"modulo is the only method \(AMI −?\d+\.\d, one seed\); nearest", said)
        assert "is best" not in said and "Best:" not in said
        assert "over images; there is one seed" in said and "other seeds" not in said
        assert found.overall_places == {}
        assert [row.cells[0].value for row in main_table(found).rows] == [None, None]

    def test_the_only_whole_method_is_not_best_either(self, world: SimpleNamespace) -> None:
        result_files(RESULTS, "kmeans", "ratio-4")[0].unlink()
        result_files(RESULTS, "kmeans", "ratio-4")[0].unlink()
        assert "modulo is the only method with a figure on every task (AMI" in Seen(page()).text

    def test_without_errors_over_images_nobody_is_best(self, world: SimpleNamespace) -> None:
        for path in result_files(RESULTS):
            edit(path, **{"scores.intervals": None})
            path.with_suffix(".npz").unlink()
        assert "kmeans has the highest mean (AMI" in Seen(page()).text

    def test_shared_places_are_written_as_on_a_board(self, world: SimpleNamespace) -> None:
        world.run(methods=["modulo"], seeds=2, params={"modulo": {"shift": 4}})
        table = main_table(analyse(collect([RESULTS])).sections[0])
        assert [row.cells[0].text for row in table.rows] == ["1", "2 =", "2 =", None]


def test_shares_have_their_unit_in_the_heading(world: SimpleNamespace) -> None:
    """Whatever a note says of scores; those are named with their × 100 in caption or note."""
    seen = Seen(page()).text
    for heading in ("Clusters used (%)", "Largest (%)", "Together (%)", "Within a class (%)"):
        assert heading in seen, heading
