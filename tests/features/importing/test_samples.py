"""Labels, ids, splits and class names of imported samples."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from import_toys import N, X, Y, by_id, check, make, refused, write
from pyarrow import parquet

from clusterbench.features.importing.samples import PartSamples, index_samples
from clusterbench.labels.reading import LabelFile


@pytest.fixture
def features(tmp_path):
    return write(tmp_path / "x.npy")


def labels_in(path, values=Y, ids=None):
    if path.suffix == ".csv":
        head = ["label"] if ids is None else ["id,label"]
        rows = [str(v) if ids is None else f"{ids[r]},{v}" for r, v in enumerate(values)]
        path.write_text("\n".join(head + rows) + "\n")
    elif path.suffix == ".pt":
        torch.save(torch.tensor(values), path)
    else:
        np.save(path, values)
    return path


@pytest.mark.parametrize("name", ["y.npy", "y.csv", "y.pt"])
def test_labels_come_from_any_file_of_labels(tmp_path, features, name):
    check(make(features, labels=labels_in(tmp_path / name)))


def test_without_labels_all_samples_are_one_class_that_says_so(features):
    store = make(features)
    assert store.index.class_names == ("unlabelled",)
    check(store, classes=["unlabelled"] * N)


def test_minus_one_is_no_label(tmp_path, features):
    values = Y.copy()
    values[[3, 50]] = -1
    store = make(features, labels=labels_in(tmp_path / "y.npy", values))
    check(store, classes=["unlabelled" if v < 0 else str(v) for v in values])
    names = np.where(Y == 0, "-1", "unlabelled")
    refused(
        "a class 'unlabelled' already",
        features,
        tmp_path / "n",
        labels=labels_in(tmp_path / "z.npy", names),
    )


def test_numbers_keep_their_order_as_class_names(tmp_path, features):
    values = np.array([5, 21840, 900] * (N // 3))
    store = make(features, labels=labels_in(tmp_path / "y.npy", values))
    assert store.index.class_names == ("00005", "00900", "21840")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.r_[Y[:-1], -2], f"label -2 in row {N - 1}; wanted whole numbers from 0 on, or -1"),
        (np.r_[Y[:-1], 0.5], f"label 0.5 in row {N - 1}"),
        (np.r_[Y[:-1], np.nan], f"label nan in row {N - 1}"),
        (Y[:-1], f"y.npy: holds {N - 1} labels; .*x.npy has {N} rows of features"),
        (np.stack([Y, Y], 1), "several values per sample"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, features, values, message):
    refused(message, features, labels=labels_in(tmp_path / "y.npy", values))


def test_class_names_come_line_by_line(tmp_path, features):
    (tmp_path / "names.txt").write_text("wolf\nant\nzebu\nbee\ncow\nunused\n")
    y = labels_in(tmp_path / "y.npy")
    names = ["wolf", "ant", "zebu", "bee", "cow"]
    store = make(features, labels=y, class_names=tmp_path / "names.txt")
    assert store.index.class_names == ("ant", "bee", "cow", "wolf", "zebu")
    check(store, classes=[names[label] for label in Y])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nb\n", "--class-names has 2 lines, but there is a class 4"),
        ("a\nb\nc\nd\na\n", "'a' occurs twice"),
        ("a\n\nb\n", "line 2: empty"),
        ("", "is empty; wanted a name"),
    ],
)
def test_class_names_that_do_not_reach_are_refused(tmp_path, features, text, message):
    (tmp_path / "names.txt").write_text(text)
    y = labels_in(tmp_path / "y.npy")
    refused(message, features, labels=y, class_names=tmp_path / "names.txt")


def test_class_names_go_with_numbers(tmp_path, features):
    (tmp_path / "names.txt").write_text("a\n")
    y = labels_in(tmp_path / "y.npy", np.array(["a"] * N))
    refused("goes with numbers", features, labels=y, class_names=tmp_path / "names.txt")
    refused("there are no labels", features, class_names=tmp_path / "names.txt")


IDS = [f"photos/{row * 7 % N:03d}" for row in range(N)]


@pytest.mark.parametrize("name", ["ids.txt", "ids.npy", "ids.csv"])
def test_ids_come_from_a_file_of_their_own(tmp_path, features, name):
    path = tmp_path / name
    if name == "ids.npy":
        np.save(path, np.array(IDS))
    else:
        path.write_text("\n".join(IDS if name == "ids.txt" else ["id", *IDS]) + "\n")
    check(make(features, labels=labels_in(tmp_path / "y.npy"), ids=path), ids=IDS)


def test_ids_beside_the_labels_are_the_samples(tmp_path, features):
    check(make(features, labels=labels_in(tmp_path / "y.csv", ids=IDS)), ids=IDS)


def test_labels_are_matched_by_id_where_both_files_have_ids(tmp_path):
    path = write(tmp_path / "x.parquet", id=np.array(IDS))
    moved = np.random.default_rng(1).permutation(N)
    shuffled = labels_in(tmp_path / "y.csv", Y[moved], [IDS[row] for row in moved])
    check(make(path, labels=shuffled), ids=IDS)
    other = labels_in(tmp_path / "z.csv", Y, ["other", *IDS[1:]])
    refused("lacks 1 of the 60 sample ids", path, tmp_path / "n", labels=other)


def test_an_id_that_occurs_twice_is_refused(tmp_path, features):
    (tmp_path / "ids.txt").write_text("\n".join(["same"] * 2 + IDS[2:]))
    refused("id 'same' occurs twice", features, ids=tmp_path / "ids.txt")
    (tmp_path / "ids.txt").write_text("\n".join(IDS[1:]))
    refused(f"holds {N - 1} ids; .* has {N} rows", features, ids=tmp_path / "ids.txt")


@pytest.mark.parametrize(
    "values",
    [
        np.arange(N) % 2,
        np.where(np.arange(N) % 2, "val", "train"),
        np.where(np.arange(N) % 2, "Test", "Train"),
    ],
    ids=["numbers", "val", "test"],
)
def test_the_split_comes_from_a_file(tmp_path, features, values):
    split = labels_in(tmp_path / "s.npy", values)
    store = make(features, labels=labels_in(tmp_path / "y.npy"), split=split)
    check(store, split=np.arange(N) % 2)


def test_a_split_column_beside_the_features_is_used(tmp_path):
    names = np.where(Y < 2, "validation", "train")
    check(make(write(tmp_path / "x.parquet", label=Y, split=names)), split=(Y < 2).astype(int))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.arange(N) % 3, "split 2 in row 2; wanted 0"),
        (np.array(["dev"] * N), "split 'dev'; wanted train or val"),
        (np.array(["train", "val", "test"] * (N // 3)), "samples of test and val"),
        (np.array(["train", "-1"] * (N // 2)), "split -1 in row 1"),
        (np.zeros(3, int), f"holds 3 values; .* has {N} rows"),
    ],
)
def test_a_split_that_is_not_one_is_refused(tmp_path, features, values, message):
    refused(message, features, split=labels_in(tmp_path / "s.npy", values))


def test_train_and_val_files_make_one_store(tmp_path):
    train, val = write(tmp_path / "a.npy", X[:40]), write(tmp_path / "b.npz", X[40:])
    y, z = labels_in(tmp_path / "y.npy", Y[:40]), labels_in(tmp_path / "z.csv", Y[40:])
    store = make(train, labels=y, val_features=val, val_labels=z)
    ids = [f"{label}/train-{row:02d}" for row, label in enumerate(Y[:40])]
    ids += [f"{label}/val-{row:02d}" for row, label in enumerate(Y[40:])]
    check(store, ids=ids, split=[0] * 40 + [1] * 20)


def test_train_and_val_that_do_not_go_together_are_refused(tmp_path):
    train, val = write(tmp_path / "a.npy"), write(tmp_path / "b.npy", X[:, :5])
    refused("b.npy: has 5 dimensions; .*a.npy has 7", train, val_features=val)
    y = labels_in(tmp_path / "y.npy")
    refused("give both --labels and --val-labels", train, val_features=val, labels=y)
    refused("--val-labels is given without --val-features", train, labels=y, val_labels=y)
    z = labels_in(tmp_path / "z.npy", np.array(["a"] * N))
    other = write(tmp_path / "c.npy", -X)
    refused(
        "z.npy holds names, .*y.npy holds numbers",
        train,
        labels=y,
        val_features=other,
        val_labels=z,
    )
    refused("--ids goes with one file", train, val_features=other, ids=y)


@pytest.mark.parametrize("noise", [0, 1e-5])
def test_a_val_set_that_is_the_train_set_is_refused_whatever_its_file(tmp_path, noise):
    train = write(tmp_path / "a.npy")
    val = write(tmp_path / "b.npz", (X * (1 + noise)).astype(np.float32))
    assert train.read_bytes() != val.read_bytes()
    refused(r"val holds the features of train .*60 rows", train, val_features=val)


def test_a_val_set_with_one_other_row_is_another_one(tmp_path):
    other = X.copy()
    other[-1] += 1
    assert make(write(tmp_path / "a.npy"), val_features=write(tmp_path / "b.npy", other)).n == 2 * N


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.booleans()), min_size=1, max_size=30))
def test_the_order_is_by_class_then_id_and_takes_each_row_once(samples):
    classes = ["".join(c for c in name if c.isprintable()) or "x" for name, _ in samples]
    classes = [name.strip() or "y" for name in classes]
    classes = ["z" if name in ("-1", "unlabelled") else name for name in classes]
    names = tuple(sorted(set(classes)))
    codes = np.array([names.index(name) for name in classes], np.int32)
    split = np.array([in_val for _, in_val in samples], np.uint8)
    found = index_samples([PartSamples("", (LabelFile(None, codes, names),), None, split)], None)
    index, order = found.index, found.order
    assert sorted(order) == list(range(len(samples)))
    assert index.class_names == names
    np.testing.assert_array_equal(index.labels, codes[order])
    np.testing.assert_array_equal(index.split, split[order])
    width = len(str(len(samples) - 1))
    assert [index.id(r) for r in range(index.n)] == [f"{classes[o]}/{o:0{width}d}" for o in order]


def test_parquet_ids_that_are_numbers(tmp_path):
    rows = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
    table = pa.table({"x": rows, "label": Y, "id": np.arange(N) + 100})
    parquet.write_table(table, tmp_path / "x.parquet")
    assert set(by_id(make(tmp_path / "x.parquet"))) == {str(row + 100) for row in range(N)}


@pytest.mark.parametrize("key", ["filename", "Path", "image_id", "photo"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_labels_are_matched_by_any_column_that_both_files_share(tmp_path, key, suffix):
    names = [f"img_{row * 7 % N:03d}.jpg" for row in range(N)]
    table = {f"f{i}": X[:, i] for i in range(X.shape[1])} | {key: names}
    parquet.write_table(pa.table(table), tmp_path / "f.parquet")
    moved = np.random.default_rng(1).permutation(N)
    labels = {key: [names[row] for row in moved], "label": Y[moved]}
    path = tmp_path / f"l{suffix}"
    if suffix == ".csv":
        lines = [f"{name},{label}" for name, label in zip(*labels.values(), strict=True)]
        path.write_text("\n".join([f"{key},label", *lines]) + "\n")
    else:
        parquet.write_table(pa.table(labels), path)
    check(make(tmp_path / "f.parquet", labels=path))
