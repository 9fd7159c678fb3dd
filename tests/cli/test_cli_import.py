import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))
from import_toys import DIM, N, X, Y, check, clip, temi, write

from clusterbench import FeatureStore

BENCHMARK = """
name = "mine"
title = "Mine"
question = "Does it run?"
description = "One task."

[datasets.blobs]
tasks = [{ name = "even", builder = "ratio", ratio = 1 }]

[datasets.blobs.defaults.ratio]
series = [1]
n_classes = 4
images_per_class = 3
"""


@pytest.fixture
def world(cli, monkeypatch, tmp_path):
    """`clusterbench import` in a folder with x.npy and y.npy, and a home of its own."""
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path / "home"))
    np.save("y.npy", Y)
    write(tmp_path / "x.npy")
    return lambda *words: cli("import", *map(str, words))


PAIR = ("x.npy", "--labels", "y.npy", "--name", "enc")


def test_a_store_is_made_and_the_second_time_it_is_there(world, tmp_path):
    code, out, err = world(*PAIR, "--output", "st")
    assert (code, err) == (0, "")
    head = "st: 60 x 7 float32 features of enc, 5 classes, 60 train and 0 val: "
    assert out.startswith(head + "written\n")
    assert "features: x.npy, SHA-256 " in out and "labels: y.npy, SHA-256 " in out
    assert "not known from the files: weights, preprocessing, which images" in out
    check(FeatureStore.open("st"))
    code, out, _ = world(*PAIR, "--output", "st")
    assert code == 0 and out.startswith(head + "is there already\n")


def test_json_is_one_document(world):
    code, out, _ = world(*PAIR, "--output", "st", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["rows"], document["dim"], document["classes"]) == (N, DIM, 5)
    assert (document["state"], document["unlabelled"]) == ("written", 0)
    assert document["identity"] == FeatureStore.open("st").identity
    assert json.loads(world(*PAIR, "--output", "st", "--json")[1])["state"] == "is there already"


@pytest.mark.parametrize("target", [("--output", "st"), ("--dataset", "blobs")])
def test_dry_run_shows_the_import_and_writes_nothing(world, tmp_path, target):
    before = sorted(tmp_path.rglob("*"))
    code, out, _ = world(*PAIR, *target, "--dry-run")
    assert code == 0 and "60 x 7 float32 features of enc" in out and "would be written" in out
    assert sorted(tmp_path.rglob("*")) == before


def test_dry_run_finds_what_is_there(world):
    world(*PAIR, "--output", "st")
    assert "is there already" in world(*PAIR, "--output", "st", "--dry-run")[1]
    code, _, err = world(*PAIR, "--output", "st", "--dry-run", "--dtype", "float16")
    assert code == 2 and "dtype: found float32, wanted float16" in err


def test_samples_without_labels_are_said_to_have_none(world):
    out = world("x.npy", "--name", "enc", "--output", "st")[1]
    assert "60 samples have no label: they are the class 'unlabelled'" in out


def test_a_folder_of_temi_needs_no_more_options(world, tmp_path):
    temi(tmp_path)
    code, out, _ = world("IN1K-dino_vitb16", "--output", "st")
    assert code == 0
    assert out.startswith("st: 60 x 7 float32 features of dino_vitb16, 5 classes, 40 train and 20")
    assert "train-features: embeddings.pt" in out and "test-labels: label-test.pt" in out


def test_pieces_of_clip_benchmark_come_with_a_note(world, tmp_path):
    clip(tmp_path / "m", "train", X, Y, 0)
    out = world("m", "--output", "st")[1]
    assert "note: train is in pieces (1)" in out
    assert "note: neither features_val.pt nor features_test.pt" in out


def test_options_can_be_environment_variables(world, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_IMPORT_LABELS", "y.npy")
    monkeypatch.setenv("CLUSTERBENCH_IMPORT_NAME", "other")
    monkeypatch.setenv("CLUSTERBENCH_IMPORT_OUTPUT", "st")
    monkeypatch.setenv("CLUSTERBENCH_DATASET", "emoji")  # of `run`
    assert world("x.npy")[0] == 0
    assert FeatureStore.open("st").encoder == "other"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (PAIR, "--output is missing"),
        (("x.npy", "--output", "st"), "--name is missing"),
        (("absent.npy", "--name", "e", "--output", "st"), "absent.npy: no such file"),
        ((*PAIR, "--output", "st", "--dtype", "int8"), "--dtype 'int8'"),
        ((*PAIR, "--output", "st", "--val-labels", "y.npy"), "without --val-features"),
        ((*PAIR, "--dataset", "a/b"), "--dataset 'a/b'; wanted letters"),
        ((), "Missing argument 'FEATURES'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(world, words, message):
    code, out, err = world(*words)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1


def test_an_unwritable_output_is_exit_code_2(world, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = world(*PAIR, "--output", "file/st")
    assert code == 2 and "file" in err and err.count("\n") == 1


def test_a_dataset_runs_on_a_benchmark_that_has_tasks_for_it(world, cli, tmp_path):
    split = np.arange(N) % 2
    np.save("s.npy", split)
    code, out, _ = world(*PAIR, "--split", "s.npy", "--dataset", "blobs")
    assert code == 0
    assert "no benchmark has tasks for it yet: declare them under [datasets.blobs]" in out
    (tmp_path / "home" / "benchmarks").mkdir()
    (tmp_path / "home" / "benchmarks" / "mine.toml").write_text(BENCHMARK)
    code, out, _ = world(*PAIR, "--split", "s.npy", "--dataset", "blobs")
    assert code == 0 and out.endswith("clusterbench run --benchmark mine --dataset blobs\n")
    words = ("--benchmark", "mine", "--dataset", "blobs", "--method", "kmeans", "--seeds", "1")
    code, out, err = cli("run", *words, "--device", "cpu", "--json")
    assert code == 0, err
    assert "blobs" in [entry["name"] for entry in json.loads(cli("list", "datasets", "--json")[1])]


def test_a_dataset_of_another_store_is_not_changed(world, tmp_path):
    assert world(*PAIR, "--dataset", "blobs", "--output", "a b")[0] == 0
    declaration = tmp_path / "home" / "features" / "blobs" / "dataset.toml"
    before = declaration.read_text()
    assert world(*PAIR, "--dataset", "blobs", "--output", "a b")[0] == 0
    code, _, err = world(*PAIR, "--dataset", "blobs", "--output", "other")
    assert code == 2 and "does not list this store" in err and "under [stores]" in err
    assert declaration.read_text() == before and not (tmp_path / "other").exists()
