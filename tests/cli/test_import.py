import json
from pathlib import Path

import numpy as np
import pytest
from import_toys import DIM, N, X, Y, check, clip, temi, write

from clusterbench import FeatureStore
from clusterbench.datasets import registry

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


def test_the_columns_taken_and_left_out_are_named(world):
    import pyarrow as pa
    from pyarrow import parquet

    table = {f"f{i}": X[:, i] for i in range(DIM)} | {"label": Y / 1.0, "width": X[:, 0]}
    parquet.write_table(pa.table(table), "wide.parquet")
    code, out, err = world("wide.parquet", "--name", "e", "--output", "w")
    assert (code, err) == (0, "")
    assert out.startswith("w: 60 x 7 float32 features of e, 5 classes")
    assert "\n  features: wide.parquet, f0 to f6 (7 columns), SHA-256 " in out
    assert "\n  labels: wide.parquet (label), SHA-256 " in out
    assert "\n  left out of features: width\n" in out
    document = json.loads(world("wide.parquet", "--name", "e", "--output", "w", "--json")[1])
    assert document["columns"] == {"features": "f0 to f6 (7 columns)"}
    assert document["left_out"] == {"features": ["width"]}


def test_odd_features_are_noted_on_stderr(world):
    np.save("x.npy", np.r_[X[:50], np.zeros((10, DIM), np.float32)])
    code, out, err = world(*PAIR, "--output", "st")
    assert code == 0 and out.startswith("st: 60 x 7")
    assert err.splitlines()[0].startswith("note: x.npy: 10 of 60 rows are all zeros, the last 10")


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
        ((*PAIR, "--output", "st", "--tree", "imagenet1k"), "'imagenet1k' without --dataset"),
        ((*PAIR, "--dataset", "b", "--tree", "imagenet21kp"), "did you mean imagenet21k-p"),
        ((*PAIR, "--dataset", "b", "--tree", "imagenet1k"), "5 of 5 classes of the features are"),
        ((*PAIR, "--dataset", "b", "--tree", "y.npy"), "y.npy: not UTF-8 text"),
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
    assert out.endswith("clusterbench run --benchmark imbalanced --dataset blobs\n")
    (tmp_path / "home" / "benchmarks").mkdir()
    (tmp_path / "home" / "benchmarks" / "mine.toml").write_text(BENCHMARK)
    code, out, _ = world(*PAIR, "--split", "s.npy", "--dataset", "blobs")
    assert code == 0 and out.endswith("clusterbench run --benchmark mine --dataset blobs\n")
    words = ("--benchmark", "mine", "--dataset", "blobs", "--method", "kmeans", "--seeds", "1")
    code, out, err = cli("run", *words, "--device", "cpu", "--json")
    assert code == 0, err
    assert "blobs" in [entry["name"] for entry in json.loads(cli("list", "datasets", "--json")[1])]


def test_a_shipped_data_set_is_not_replaced(world, tmp_path):
    code, _, err = world(*PAIR, "--dataset", "emoji")
    assert code == 2 and "'emoji' comes with clusterbench; choose another name" in err
    assert not (tmp_path / "home" / "features" / "emoji").exists()


def test_a_dataset_of_another_store_is_not_changed(world, tmp_path):
    assert world(*PAIR, "--dataset", "blobs", "--output", "a b")[0] == 0
    declaration = tmp_path / "home" / "features" / "blobs" / "dataset.toml"
    before = declaration.read_text()
    assert world(*PAIR, "--dataset", "blobs", "--output", "a b")[0] == 0
    code, _, err = world(*PAIR, "--dataset", "blobs", "--output", "other")
    assert code == 2 and "is there, with other features of '" in err
    assert declaration.read_text() == before and not (tmp_path / "other").exists()


@pytest.fixture
def wnids():
    """y.npy and a file of class names that are ImageNet's: two of all lists, three of fewer."""
    names = ["n01440764", "n01443537", "n02084071", "n00005787", "n01772222"]
    Path("names.txt").write_text("\n".join(names))
    return (*PAIR, "--class-names", "names.txt", "--dataset", "blobs")


def tree_of(name):
    dataset = registry.load(name)
    return dataset.tree_path or dataset.tree_name


def test_classes_of_imagenet_get_their_tree_and_a_line_says_so(world, wnids):
    said = "class tree imagenet21k-p: it has all 5 classes; --tree takes another\n"
    code, _, err = world(*wnids, "--dry-run")
    assert (code, err) == (0, said)
    code, out, err = world(*wnids, "--json")
    assert (code, err) == (0, said)
    assert json.loads(out)["tree"] == tree_of("blobs") == "imagenet21k-p"
    assert len(registry.load("blobs").tree) == 10450
    assert world(*wnids, "--json")[2] == ""  # it is declared already


def test_other_classes_get_no_tree(world):
    code, out, err = world(*PAIR, "--dataset", "blobs", "--json")
    assert (code, err, json.loads(out)["tree"]) == (0, "", None)
    assert registry.load("blobs").tree is None


def test_a_tree_can_be_named(world, wnids):
    code, out, err = world(*wnids, "--tree", "wordnet", "--json")
    assert (code, err, json.loads(out)["tree"]) == (0, "", "wordnet")
    assert tree_of("blobs") == "wordnet"


def test_a_tree_can_be_a_file(world, tmp_path):
    names = json.loads(world(*PAIR, "--output", "st", "--json")[1])["classes"]
    store = FeatureStore.open("st")
    lines = [f"{name}\troot\t{name}" for name in store.index.class_names] + ["root\t\tRoot"]
    Path("own.tsv").write_text("node\tparent\tname\n" + "\n".join(lines) + "\n")
    words = (*PAIR, "--output", "st", "--dataset", "blobs", "--tree", "own.tsv")
    assert world(*words)[0] == 0
    assert tree_of("blobs") == tmp_path / "own.tsv"
    assert len(registry.load("blobs").tree) == names + 1
    assert world(*words)[0] == 0


def test_a_declared_tree_is_not_changed(world, wnids):
    assert world(*wnids)[0] == 0
    assert world(*wnids, "--tree", "imagenet21k-p")[0] == 0
    code, _, err = world(*wnids, "--tree", "imagenet21k")
    assert code == 2 and err.count("\n") == 1
    assert 'is there, with tree = "imagenet21k-p"; to change it, write tree = "imagenet21k"' in err
    assert tree_of("blobs") == "imagenet21k-p"
