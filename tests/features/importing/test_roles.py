"""A column or array with a role has no other: what is a label, an id or a split is no feature."""

import h5py
import numpy as np
import pyarrow as pa
import pytest
import scipy.io
import torch
from import_toys import X as ALL
from import_toys import check, make, refused
from pyarrow import parquet

from clusterbench.features.importing import Request, plan_import, write_import
from clusterbench.features.importing.roles import role_of

N, DIM = 40, 6
X = np.ascontiguousarray(ALL[:N, :DIM])
Y = np.repeat(range(4), 10)
CLASSES = [str(label) for label in Y]


def wide(path, names=None, **columns):
    """A table with a column for each dimension, and others around them."""
    names = [f"f{i}" for i in range(DIM)] if names is None else names
    table = {name: X[:, i] for i, name in enumerate(names)}
    others = {name: pa.array(values) for name, values in columns.items()}
    first = dict(list(others.items())[::2])
    parquet.write_table(pa.table(first | table | others), path, row_group_size=13)
    return path


FLOATS = Y.astype(float)


@pytest.mark.parametrize(
    "names",
    [
        None,
        [str(i) for i in range(DIM)],
        [f"dim_{i}" for i in range(1, DIM + 1)],
        [f"emb_{i:03d}" for i in range(DIM)],
        [f"x[{i}]" for i in range(DIM)],
        [f"PC{i}" for i in range(DIM)],
        [f"feature.{i}" for i in range(DIM)],
    ],
    ids=str,
)
@pytest.mark.parametrize("role", ["label", "target", "CLASS", "y", "y_true"])
def test_a_label_among_the_columns_is_the_label_alone(tmp_path, names, role):
    store = make(wide(tmp_path / "wide.parquet", names, **{role: FLOATS}))
    assert store.dim == DIM
    check(store, X, CLASSES)


BESIDE = {
    "split": np.zeros(N),
    "target_name": FLOATS,
    "__index_level_0__": np.arange(N) / 1.0,
    "Unnamed: 0": np.arange(N) / 1.0,
    "index": np.arange(N) / 1.0,
    "width": np.full(N, 224.0),
    "height": np.full(N, 224.0),
    "fold": np.arange(N) % 5 / 1.0,
    "score": np.linspace(0, 1, N),
    "aspect1": np.ones(N),
    "cluster": FLOATS,
    "class_id": FLOATS,
    "label_0": (Y == 0) / 1.0,
    "label_1": (Y == 1) / 1.0,
}


@pytest.mark.parametrize("name", BESIDE)
def test_other_columns_of_floats_are_left_out_and_named(tmp_path, name):
    path = wide(tmp_path / "wide.parquet", label=Y, **{name: BESIDE[name]})
    plan = plan_import(Request(path, name="e"))
    assert (plan.dim, plan.columns) == (DIM, {"features": "f0 to f5 (6 columns)"})
    assert name == "split" or plan.left_out["features"][0].startswith(name)
    check(write_import(plan, tmp_path / "s")[0], X, CLASSES)


def test_all_of_them_at_once(tmp_path):
    path = wide(tmp_path / "wide.parquet", label=Y, id=np.arange(N).astype(str), **BESIDE)
    store = make(path)
    check(store, X, CLASSES, ids=[str(row) for row in range(N)])


def test_the_column_that_is_asked_for_as_the_label_is_no_feature(tmp_path):
    path = wide(tmp_path / "w.parquet", species=FLOATS)
    check(make(path, label_column="species"), X, CLASSES)
    path = wide(tmp_path / "v.parquet", [*"012345"], **{"6": FLOATS})  # a number, too
    check(make(path, tmp_path / "v", label_column="6"), X, CLASSES)
    other = tmp_path / "l.parquet"
    parquet.write_table(pa.table({"6": Y}), other)
    check(make(path, tmp_path / "u", labels=other, label_column="6"), X, CLASSES)


def test_a_label_within_the_numbers_leaves_a_gap_that_is_noted(tmp_path):
    names = ["f0", "f1", "f2", "f4", "f5", "f6"]
    path = wide(tmp_path / "w.parquet", names, f3=FLOATS)
    plan = plan_import(Request(path, name="e", label_column="f3"))
    assert plan.dim == DIM
    assert plan.notes == ("w.parquet: the columns f0 to f6 lack 1 of the numbers, 3",)


def test_pandas_names_its_index_in_the_metadata(tmp_path):
    table = pa.table({"row7": np.arange(N) / 1.0, **{f"row{i}": X[:, i] for i in range(DIM)}})
    meta = {b"pandas": b'{"index_columns": ["row7"], "columns": []}'}
    parquet.write_table(table.replace_schema_metadata(meta), tmp_path / "x.parquet")
    assert plan_import(Request(tmp_path / "x.parquet", name="e")).dim == DIM


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["sepal length", "sepal width", "petal length"], "not numbered, so which of them are fea"),
        (["f0", "f1", "g0", "g1"], r"has 2 series of columns of floats \(f0 to f1; g0 to g1\)"),
        (["f0", "f1", "f01"], "'f1' and 'f01' have one number"),
        (["label_0", "label_1"], r"holds label_0 \(labels\), label_1 \(labels\); wanted"),
        (["score"], "holds the columns of floats score"),
    ],
)
def test_what_is_no_clear_family_is_not_guessed(tmp_path, columns, message):
    table = pa.table({name: X[:, i] for i, name in enumerate(columns)})
    parquet.write_table(table, tmp_path / "x.parquet")
    refused(message, tmp_path / "x.parquet")


def test_a_number_whose_column_holds_no_floats_is_named(tmp_path):
    columns = {f"f{i}": X[:, i] for i in range(DIM)} | {"f3": np.arange(N)}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    refused("the column 'f3' among f0 to f5 holds no floats", tmp_path / "x.parquet")


@pytest.mark.parametrize("wanted", ["sepal a,sepal b,petal", "sepal*,petal", "petal, sepal ?"])
def test_columns_can_be_named(tmp_path, wanted):
    table = {"sepal a": X[:, 0], "sepal b": X[:, 1], "petal": X[:, 2], "year": X[:, 3]}
    parquet.write_table(pa.table(table | {"label": FLOATS}), tmp_path / "x.parquet")
    store = make(tmp_path / "x.parquet", array=wanted)
    check(store, X[:, :3], CLASSES)
    refused("unknown column 'sepla'", tmp_path / "x.parquet", tmp_path / "n", array="sepla")
    message = "'label' would be both features and labels"
    refused(message, tmp_path / "x.parquet", tmp_path / "n", array="label,petal",
            label_column="label")  # fmt: skip


def test_one_of_two_series_can_be_named_by_its_beginning(tmp_path):
    table = {f"f{i}": X[:, i] for i in range(DIM)} | {f"g{i}": -X[:, i] for i in range(3)}
    parquet.write_table(pa.table(table | {"label": Y}), tmp_path / "x.parquet")
    check(make(tmp_path / "x.parquet", array="f"), X, CLASSES)
    check(make(tmp_path / "x.parquet", tmp_path / "g", array="g*"), -X[:, :3], CLASSES)


def test_val_columns_in_another_order_are_refused(tmp_path):
    train, val = (
        wide(tmp_path / "a.parquet"),
        wide(tmp_path / "b.parquet", [f"f{i}" for i in "102345"]),
    )
    refused("has other columns than .*, or in another order", train, val_features=val)


def test_a_store_that_was_made_of_other_columns_is_not_served(tmp_path):
    path = wide(tmp_path / "w.parquet", species=FLOATS)
    plan = plan_import(Request(path, name="e"))
    store = write_import(plan, tmp_path / "s")[0]
    object.__setattr__(plan.files[0], "dim", DIM + 1)  # as it was taken before
    with pytest.raises(Exception, match="dim: found 6, wanted 7"):
        plan.existing(store.path)


def arrays_in(path, **arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".pt":
        torch.save({name: torch.as_tensor(array) for name, array in arrays.items()}, path)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file[name] = array
    return path


SUFFIXES = (".npz", ".pt", ".mat", ".h5")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "names", ["X y", "x Y", "features label", "data gt", "Xtrain ytrain", "F y_train"]
)
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_arrays_with_a_role_are_that_alone(tmp_path, suffix, names, shape):
    features, labels = names.split()
    path = arrays_in(tmp_path / f"x{suffix}", **{labels: Y.reshape(shape), features: X})
    check(make(path), X, CLASSES)
    path = arrays_in(tmp_path / f"z{suffix}", **{features: X, labels: FLOATS.reshape(shape)})
    check(make(path, tmp_path / "f"), X, CLASSES)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_alone_are_not_taken_for_features(tmp_path, suffix):
    one_hot = np.eye(4, dtype=np.float32)[Y]
    path = arrays_in(tmp_path / f"x{suffix}", labels=one_hot)
    refused(r"labels \(labels\)", path)
    refused("would be both features and labels", path, array="labels", label_column="labels")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_labels_of_several_parts_go_with_the_features_of_theirs(tmp_path, suffix):
    parts = {"X_train": X, "y_train": Y, "X_test": -X, "y_test": Y[::-1].copy()}
    path = arrays_in(tmp_path / f"x{suffix}", **parts)
    refused("y_train.* could both be meant; say which with --label-column", path)
    check(make(path, array="X_train"), X, CLASSES)
    check(make(path, tmp_path / "t", array="X_test"), -X, CLASSES[::-1])


@pytest.mark.parametrize(
    "columns",
    [
        {"y": X[:, 0]},  # not whole
        {"y": FLOATS, "x": X[:, 1]},  # coordinates
        {"y": Y, "Y": Y},
    ],
    ids=["fractions", "coordinates", "twice"],
)
def test_a_y_that_may_be_something_else_is_nothing(tmp_path, columns):
    plan = plan_import(Request(wide(tmp_path / "w.parquet", **columns), name="e"))
    assert (plan.dim, plan.samples.n_unlabelled) == (DIM, N)
    assert plan.left_out["features"][0].startswith("y")


def test_the_weights_of_a_layer_are_not_features(tmp_path):
    torch.save(torch.nn.Linear(DIM, 4).state_dict(), tmp_path / "x.pt")
    refused(r"weight \(weights of a model\)", tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Label", "labels"),
        ("train/labels", "labels"),
        ("image_id", "ids"),
        ("Split", "split"),
        ("Unnamed: 0", "row numbers"),
        ("unnamed: 0_level_1", "row numbers"),
        ("backbone.layer1.0.weight", "weights of a model"),
        ("f0", None),
        ("y0", None),
        ("features", None),
        ("0", None),
        ("width", None),
    ],
)
def test_roles_by_name(name, role):
    assert role_of(name) == role


def test_what_is_odd_about_the_features_is_noted(tmp_path):
    def notes(features):
        np.save(tmp_path / "x.npy", features)
        np.save(tmp_path / "y.npy", Y)
        found = []
        plan = plan_import(Request(tmp_path / "x.npy", name="e", labels=tmp_path / "y.npy"))
        write_import(
            plan, tmp_path / "s" / str(len(list(tmp_path.glob("s/*")))), None, found.append
        )
        return [line.replace(f"{tmp_path}/", "") for line in found]

    assert notes(X) == []
    assert notes(np.c_[X, Y].astype(np.float32)) == [
        "dimension 6 is one whole number for all samples of a class, and another for each class: "
        "is it the label?"
    ]
    tail = np.r_[X[:30], np.zeros((10, DIM), np.float32)]
    assert notes(tail) == [
        "x.npy: 10 of 40 rows are all zeros, the last 10 among them: was the array made larger "
        "than it was filled?",
        "9 of 40 rows repeat another row",
    ]
    one = X.copy()
    one[7] = 0
    assert notes(one) == ["x.npy: 1 of 40 rows are all zeros, the first of them row 7"]
    assert notes(np.ones((N, DIM), np.float32)) == ["all 40 rows are the same"]
    assert notes(np.r_[X[:20], X[:20]]) == ["20 of 40 rows repeat another row"]
    huge = X.copy()
    huge[3] = 3e19
    assert notes(huge)[0].startswith("row 3 reaches 3e+19: the squares of such numbers overflow")


def test_a_row_that_the_dtype_makes_zero_is_an_error(tmp_path):
    small = X.astype(np.float64)
    small[5] *= 1e-60
    np.save(tmp_path / "x.npy", small)
    refused("row 5 .* all of which are zero as float32; scale them up", tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", np.where(np.arange(N)[:, None] == 5, 1e-12, X).astype(np.float32))
    refused("zero as float16; give --dtype float32", tmp_path / "x.npy", dtype="float16")


def test_labels_by_another_name_are_taken_where_they_are_alone(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    from clusterbench import InputError
    from clusterbench.features.importing import Request, plan_import

    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    table = pa.table({"emb": list(x), "class_name": ["cat", "dog"] * 4})
    parquet.write_table(table, tmp_path / "one.parquet")
    plan = plan_import(Request(features=tmp_path / "one.parquet", name="e"))
    assert plan.samples.index.class_names == ("cat", "dog") and not plan.samples.n_unlabelled
    table = table.append_column("species", pa.array(["a", "b"] * 4))
    parquet.write_table(table, tmp_path / "two.parquet")
    with pytest.raises(InputError, match="class_name and species could all be labels; say which"):
        plan_import(Request(features=tmp_path / "two.parquet", name="e"))


def test_a_split_that_is_not_used_is_noted(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    from clusterbench.features.importing import Request, plan_import

    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    table = pa.table({"emb": list(x), "label": ["a", "b"] * 4, "is_val": [True, False] * 4})
    parquet.write_table(table, tmp_path / "one.parquet")
    plan = plan_import(Request(features=tmp_path / "one.parquet", name="e"))
    assert any(note.startswith("is_val looks like a split and is not used") for note in plan.notes)
