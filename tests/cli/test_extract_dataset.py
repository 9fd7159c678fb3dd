"""Own images end in a benchmark: `extract --dataset` declares them, `run` finds them."""

import json

import numpy as np
import pytest
from extraction_toys import make_images

from clusterbench import FeatureStore
from clusterbench.cli.extraction_progress import ExtractionLines, duration
from clusterbench.datasets import registry
from clusterbench.features.extract.pipeline import ExtractionProgress

RECIPE = """
library = "python"
model = "extraction_toys:Flat"
dim = 12
[preprocessing]
size = 8
"""


@pytest.fixture
def extract(cli, monkeypatch, tmp_path):
    """`clusterbench extract --source birds` of 240 images with the recipes `flat` and `flat2`."""
    (tmp_path / "home" / "features").mkdir(parents=True)
    for name in ("flat", "flat2"):
        (tmp_path / "home" / "features" / f"{name}.toml").write_text(RECIPE)
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))
    make_images(tmp_path / "birds", n=240)
    words = ("extract", "--source", "birds", "--workers", "0", "--device", "cpu")
    return lambda *more: cli(*words, *map(str, more))


def test_two_commands_from_images_to_a_table(extract, cli, tmp_path):
    code, out, err = extract("--encoder", "flat", "--dataset", "birds")
    assert code == 0
    assert err.startswith("no image is val: of each class, 20% by a hash of the id are; --val-frac")
    last = out.splitlines()[-1]
    assert last == "clusterbench run --benchmark imbalanced --dataset birds"
    home = tmp_path / "home" / "features" / "birds"
    assert registry.load("birds").store("flat").path == home / "flat"
    assert "Features of the images in birds" in (home / "dataset.toml").read_text()

    words = ("--method", "kmeans", "--seeds", "1", "--task", "ratio-1", "--device", "cpu")
    code, out, err = cli(*last.split()[1:], *words)
    assert code == 0, err
    assert "ratio-1" in out


def test_the_same_command_again_finds_everything(extract):
    words = ("--encoder", "flat", "--dataset", "birds", "--json")
    first, again = json.loads(extract(*words)[1]), json.loads(extract(*words)[1])
    assert first["new"] == 240 and again["new"] == 0
    assert first["benchmarks"][0] == "imbalanced" and first["tree"] is None
    assert {k: first[k] for k in ("identity", "dataset", "benchmarks", "train", "val")} == {
        k: again[k] for k in ("identity", "dataset", "benchmarks", "train", "val")
    }


def test_a_repair_knows_the_val_images_that_were_chosen(extract, cli, tmp_path):
    extract("--encoder", "flat", "--dataset", "birds")
    store = tmp_path / "home" / "features" / "birds" / "flat"
    (store / "shard-00000.h5").unlink()
    code, _, err = cli("cache", "repair", str(store))
    assert code == 0, err
    assert FeatureStore.open(store).verify() == []


def test_a_second_encoder_joins_the_data_set(extract, tmp_path):
    assert extract("--encoder", "flat", "--dataset", "birds")[0] == 0
    path = tmp_path / "home" / "features" / "birds" / "dataset.toml"
    path.write_text(path.read_text() + "# a note of mine\n")
    assert extract("--encoder", "flat2", "--dataset", "birds")[0] == 0
    dataset = registry.load("birds")
    assert dict(dataset.stores) == {n: path.parent / n for n in ("flat", "flat2")}
    assert dataset.default_encoder == "flat" and "# a note of mine" in path.read_text()
    assert dataset.store("flat2").index.hash == dataset.index.hash


def test_other_samples_do_not_join(extract, tmp_path):
    extract("--encoder", "flat", "--dataset", "birds")
    path = tmp_path / "home" / "features" / "birds" / "dataset.toml"
    before = path.read_text()
    code, _, err = extract("--encoder", "flat2", "--dataset", "birds", "--val-fraction", 0.5)
    assert code == 2 and "not the same ones: tasks name rows" in err
    (tmp_path / "birds" / "c9").mkdir()
    for image in (tmp_path / "birds" / "c0").iterdir():
        (tmp_path / "birds" / "c9" / image.name).write_bytes(image.read_bytes())
    code, _, err = extract("--encoder", "flat2", "--dataset", "birds", "--output", "elsewhere")
    assert code == 2 and "with 4 classes; these features have 5" in err
    assert not (tmp_path / "elsewhere").exists() and path.read_text() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "a/b"], "--dataset 'a/b'; wanted letters, digits, - and _ only"),
        (["--dataset", "emoji"], "comes with clusterbench; choose another name"),
        (["--tree", "wordnet"], "--tree 'wordnet' without --dataset"),
        (["--dataset", "birds", "--tree", "wordnett"], "did you mean wordnet"),
    ],
)
def test_a_name_or_a_tree_that_will_not_do_is_refused_before_the_work(
    extract, tmp_path, words, message
):
    before = sorted(tmp_path.rglob("*"))
    code, _, err = extract("--encoder", "flat", *words)
    assert code == 2 and message in err.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_val_split_of_the_source_is_taken(extract, tmp_path):
    for name in ("c0", "c1", "c2", "c3"):
        for number, old in enumerate(sorted((tmp_path / "birds" / name).iterdir())):
            new = tmp_path / "birds" / ("train" if number < 50 else "val") / name / old.name
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
        (tmp_path / "birds" / name).rmdir()
    code, out, err = extract("--encoder", "flat", "--dataset", "birds")
    assert (code, err) == (0, "") and "200 train and 40 val" in out


def test_dry_run_declares_nothing(extract, tmp_path):
    code, out, _ = extract("--encoder", "flat", "--dataset", "birds", "--dry-run")
    assert code == 0 and str(tmp_path / "home" / "features" / "birds" / "flat") in out
    assert not (tmp_path / "home" / "features" / "birds").exists()


def test_lines_begin_with_the_first_batch_and_say_how_long_it_will_take(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    written = []
    lines = ExtractionLines(written.append)
    lines(ExtractionProgress(1_000, 50_000, 0.0, 256))  # of an earlier run
    assert written == []
    now = 4.0
    lines(ExtractionProgress(1_256, 50_000, 0.1, 256))
    assert written == [
        "1,256 of 50,000 images, 64/s, 13 min left, 10% of the time waiting for data\n"
    ]
    now = 8.0
    lines(ExtractionProgress(1_512, 50_000, 0.1, 256))
    assert len(written) == 1
    now = 35.0
    lines(ExtractionProgress(3_000, 50_000, 0.1, 256))
    assert len(written) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (100, "2 min"), (5_000, "83 min"), (12_000, "3 h 20 min")],
)
def test_durations(seconds, text):
    assert duration(np.float64(seconds)) == text


@pytest.mark.parametrize(
    ("n", "last"),
    [
        (60, "clusterbench run --benchmark imbalanced --dataset few"),
        (4, "says what is missing"),
    ],
)
def test_only_benchmarks_that_can_be_built_are_named(extract, cli, tmp_path, n, last):
    make_images(tmp_path / "few", n=n)
    words = ("--source", "few", "--encoder", "flat", "--dataset", "few", "--val-fraction", 0.4)
    code, out, _ = extract(*words)
    assert code == 0 and out.splitlines()[-1].endswith(last)
    if last.startswith("clusterbench"):
        more = ("--method", "kmeans", "--seeds", "1", "--device", "cpu")
        assert cli(*out.splitlines()[-1].split()[1:], *more)[0] == 0
    else:
        command = out.splitlines()[-1].split("`")[1]
        code, _, err = cli(*command.split()[1:])
        assert code == 2 and err.startswith("error: ")
