import os
import shutil

import pytest

from clusterbench.benchmarks.difficulty import cross_fitted_probe as probe
from clusterbench.benchmarks.difficulty.class_ranking import RankingSettings
from clusterbench.benchmarks.difficulty.ranking_file import read_ranking

EASY = """
name = "tiny-easy"
title = "Tiny"
question = "Does it run?"
description = "Easy and hard."
[datasets.tiny]
tasks = [
  { name = "easiest", builder = "easy", which = "easiest" },
  { name = "hardest", builder = "easy", which = "hardest" },
]
"""


@pytest.fixture
def home(tiny_world, monkeypatch):
    """A home of one's own, that may be written to."""
    home = tiny_world.folder / "home"
    shutil.copytree(tiny_world.home, home)
    (home / "benchmarks" / "tiny-easy.toml").write_text(EASY)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(home))
    return home


def test_the_ranking_is_kept_where_the_easy_tasks_look_for_it(cli, home):
    code, out, err = cli("rank", "--dataset", "tiny", "--device", "cpu")
    path = home / "features" / "tiny" / "easiness.json"
    assert code == 0, err
    assert "6 of 6 classes, ranked by 20 train images each in blobs\n" in out
    assert f"ranking written to {path}" in err
    assert "blobs: 240 of 240 steps" in err
    assert "\neasiest\n" in out and "\nhardest\n" in out
    assert out.count("class-0") == 2
    ranking = read_ranking(path)
    assert ranking.settings == RankingSettings(seed=0, images_per_class=20, n_neighbors=19)

    from clusterbench.benchmarks import build
    from clusterbench.datasets import registry

    easiest, hardest = build("tiny-easy", registry.load("tiny"))
    assert not set(easiest.class_names) & set(hardest.class_names)
    assert easiest.recipe["notes"]["ranked_by"] == "blobs"
    assert easiest.recipe["encoders"] is None


def test_several_encoders_and_settings(cli, home):
    words = ["--encoder", "blobs,shifted", "--images-per-class", "9", "--folds", "4"]
    code, out, err = cli("rank", "-d", "tiny", *words, "--seed", "5", "--output", "mine.json")
    assert code == 0, err
    ranking = read_ranking("mine.json")
    assert ranking.encoders == ("blobs", "shifted")
    assert ranking.settings == RankingSettings(5, images_per_class=9, folds=4, n_neighbors=8)
    assert "in blobs, shifted" in out
    assert not (home / "features" / "tiny" / "easiness.json").exists()


def test_a_file_is_replaced_on_demand_only(cli, home):
    assert cli("rank", "-d", "tiny", "--output", "mine.json")[0] == 0
    before = (home.parent / "mine.json").read_bytes()
    code, out, err = cli("rank", "-d", "tiny", "--output", "mine.json", "--seed", "1")
    assert (code, out) == (2, "")
    assert err == "error: mine.json is there already; --force replaces it, --output FILE keeps it\n"
    assert (home.parent / "mine.json").read_bytes() == before
    assert cli("rank", "-d", "tiny", "--output", "mine.json", "--seed", "1", "--force")[0] == 0
    assert read_ranking("mine.json").settings.seed == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--dataset is missing; choose one of "),
        (("--dataset", "tiny", "--encoder", "blob"), "unknown encoder 'blob'; did you mean blobs?"),
        (("--dataset", "tinny"), "unknown dataset 'tinny'; did you mean tiny?"),
        (("--dataset", "tiny", "--images-per-class", "21"), "0 of 6 classes have images_per_class"),
        (("--dataset", "tiny", "--folds", "21"), "0 of 6 classes have images_per_class=21"),
        (("--dataset", "tiny", "--images-per-class", "2"), "should be >= folds=3"),
        (("--dataset", "tiny", "--device", "tpu"), "device 'tpu'"),
        (("--dataset", "tiny", "--output", "."), "--output . is a folder; wanted a file"),
        (("--dataset", "tiny", "--encoder", "blobs,blobs"), "encoders blobs, blobs: wanted some"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(cli, home, words, message):
    code, out, err = cli("rank", *words)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("error: ") and message in err.splitlines()[-1]
    assert list(home.parent.iterdir()) == [home]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_set_that_cannot_be_written_needs_an_output(cli, home):
    folder = home / "features" / "tiny"
    folder.chmod(0o555)
    code, _, err = cli("rank", "-d", "tiny")
    folder.chmod(0o755)
    assert code == 2
    assert "cannot be written; give --output FILE" in err


def test_an_interrupt_leaves_nothing(cli, home, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(probe, "gradient", interrupt)
    folder = home / "features" / "tiny"
    before = sorted(folder.iterdir())
    code, out, err = cli("rank", "-d", "tiny")
    assert (code, out) == (130, "")
    assert err.endswith("interrupted\n")
    assert sorted(folder.iterdir()) == before
