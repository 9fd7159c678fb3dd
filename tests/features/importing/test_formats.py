"""Features in each file format become the same store."""

import pickle
import zipfile

import h5py
import numpy as np
import pyarrow as pa
import pytest
import torch
from import_toys import DIM, N, X, Y, check, make, refused, write
from pyarrow import parquet

from clusterbench.features.importing import Request, matrix, plan_import

FORMATS = (".npy", ".npz", ".pt", ".pth", ".parquet", ".h5", ".hdf5")
NAMED = tuple(suffix for suffix in FORMATS if suffix != ".npy")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks in these few rows."""
    monkeypatch.setattr(matrix, "BLOCK_BYTES", 11 * DIM * 4)


@pytest.fixture
def labels(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    return tmp_path / "y.npy"


@pytest.mark.parametrize("suffix", FORMATS)
def test_each_format_gives_the_rows_it_holds(tmp_path, labels, suffix):
    store = make(write(tmp_path / f"x{suffix}"), labels=labels)
    check(store)
    assert (store.encoder, store.dtype, store.verify()) == ("enc", np.float32, [])
    assert list(store.index.labels) == sorted(Y)


@pytest.mark.parametrize("suffix", NAMED)
def test_labels_and_ids_may_stand_beside_the_features(tmp_path, suffix):
    names = [f"class-{label}" for label in Y]
    ids = [f"{name}/img_{row:03d}" for row, name in enumerate(names)]
    path = write(tmp_path / f"x{suffix}", label=np.array(names), id=np.array(ids))
    check(make(path), classes=names, ids=ids)


@pytest.mark.parametrize("suffix", NAMED)
def test_a_label_column_is_found_by_name_and_an_unknown_one_has_near_names(tmp_path, suffix):
    path = write(tmp_path / f"x{suffix}", species=Y)
    check(make(path, label_column="species"))
    refused(
        "unknown column 'spices'; did you mean species", path, tmp_path / "n", label_column="spices"
    )


@pytest.mark.parametrize("suffix", (".npz", ".pt", ".h5"))
def test_the_array_is_chosen_by_name_among_several(tmp_path, labels, suffix):
    path = tmp_path / f"x{suffix}"
    if suffix == ".npz":
        np.savez(path, first=X, second=X + 1)
    elif suffix == ".pt":
        torch.save({"first": torch.tensor(X), "second": torch.tensor(X + 1), "epoch": 3}, path)
    else:
        with h5py.File(path, "w") as file:
            file["first"], file["second"] = X, X + 1
    refused("say which are the features with --array", path, labels=labels)
    refused("unknown array 'secnd'; did you mean second", path, labels=labels, array="secnd")
    check(make(path, labels=labels, array="second"), X + 1)


@pytest.mark.parametrize("suffix", (".npz", ".pt", ".h5", ".parquet"))
def test_features_are_taken_by_their_usual_name_among_several(tmp_path, labels, suffix):
    beside = [list(map(float, row)) for row in X + 1] if suffix == ".parquet" else (X + 1)
    if suffix == ".pt":
        path = tmp_path / "x.pt"
        torch.save({"Logits": torch.tensor(X + 1), "Embeddings": torch.tensor(X)}, path)
    else:
        path = write(tmp_path / f"x{suffix}", logits=beside)
    check(make(path, labels=labels))


def test_compressed_archives_and_variable_lists_are_read_too(tmp_path, labels):
    np.savez_compressed(tmp_path / "x.npz", anything=X)
    check(make(tmp_path / "x.npz", tmp_path / "a", labels=labels))
    parquet.write_table(pa.table({"emb": [row.tolist() for row in X]}), tmp_path / "x.parquet")
    check(make(tmp_path / "x.parquet", tmp_path / "b", labels=labels))


def test_a_table_with_a_column_for_each_dimension(tmp_path):
    table = {f"f{column}": X[:, column] for column in range(DIM)}
    table |= {"label": Y, "__index_level_0__": np.arange(N)}
    parquet.write_table(pa.table(table), tmp_path / "x.parquet", row_group_size=13)
    store = make(tmp_path / "x.parquet")
    check(store)
    assert store.dim == DIM  # whole numbers are not features


def test_columns_of_several_widths_make_the_widest(tmp_path):
    columns = {f"f{column}": X[:, column].astype(np.float16) for column in range(DIM)}
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert make(tmp_path / "x.parquet", tmp_path / "a").dtype == np.float16
    parquet.write_table(pa.table(columns | {"f3": X[:, 3]}), tmp_path / "x.parquet")
    store = make(tmp_path / "x.parquet", tmp_path / "b")
    assert store.dtype == np.float32
    np.testing.assert_array_equal(store.read()[:, 3], X[:, 3])


@pytest.mark.parametrize(
    "array", [np.asfortranarray(X), X.astype(">f4"), X[::-1].copy()[::-1]], ids=["F", ">", "neg"]
)
def test_a_npy_file_in_any_order_of_bytes_or_axes(tmp_path, labels, array):
    check(make(write(tmp_path / "x.npy", array), labels=labels))


def test_a_tensor_that_is_a_view_or_needs_gradients(tmp_path, labels):
    torch.save(torch.tensor(X.T.copy()).T, tmp_path / "t.pt")
    check(make(tmp_path / "t.pt", tmp_path / "a", labels=labels))
    torch.save(torch.nn.Parameter(torch.tensor(X)), tmp_path / "p.pt")
    check(make(tmp_path / "p.pt", tmp_path / "b", labels=labels))


class Harmful:
    def __reduce__(self):
        return (open, ("harm", "w"))


def test_pickled_objects_are_refused_and_not_run(tmp_path, labels, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"features": torch.tensor(X), "extra": Harmful()}, "x.pt")
    np.save("x.npy", np.array([[Harmful()]], dtype=object))
    np.savez("x.npz", x=np.array([[Harmful()]], dtype=object))
    (tmp_path / "y.npy").write_bytes(pickle.dumps(X))
    for name, message in (
        ("x.pt", "pickled objects .*not loaded"),
        ("x.npy", "pickled objects"),
        ("x.npz", "pickled objects"),
        ("y.npy", "not a .npy file"),
    ):
        refused(message, tmp_path / name)
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Harmful()))
    refused("not a file of torch.save since", tmp_path / "old.pt")
    assert not (tmp_path / "harm").exists()


def test_the_old_format_of_torch_is_refused_with_what_to_do(tmp_path):
    torch.save(torch.tensor(X), tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    refused("since PyTorch 1.6.*save it again", tmp_path / "x.pt")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, labels, suffix):
    path = write(tmp_path / f"x{suffix}")
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"x" * 300):
        path.write_bytes(damaged)
        assert str(path) in refused(".", path, labels=labels)


def test_a_damaged_member_of_an_archive_is_refused(tmp_path, labels):
    path = write(tmp_path / "x.npz")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("features.npy").header_offset
    content = bytearray(path.read_bytes())
    content[start + 400] ^= 1
    path.write_bytes(content)
    refused("not a readable .npz file.*CRC", path, labels=labels)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 4, 5), np.float32), r"shape \(3, 4, 5\); wanted \(n, dim\)"),
        (np.zeros(3, np.float32), r"shape \(3,\); wanted \(n, dim\)"),
        (np.zeros((0, 4), np.float32), r"shape \(0, 4\); wanted \(n, dim\)"),
        (np.zeros((3, 4), np.int64), "holds int64; wanted features as float16"),
        (np.zeros((3, 4), np.complex64), "holds complex64; wanted"),
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_what_is_not_a_table_of_floats_is_refused(tmp_path, array, message, suffix):
    refused(message, write(tmp_path / f"x{suffix}", array))


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[1.0, 2.0], [1.0]], "row 1 holds 1 numbers and row 0 holds 2"),
        ([[1.0, 2.0], None], "row 1 holds no list"),
        ([[1.0, 2.0], [1.0, None]], "a number is missing in row 1"),
    ],
)
def test_ragged_and_missing_lists_are_refused_and_the_row_is_named(tmp_path, lists, message):
    lists = [[1.0, 2.0]] * 40 + lists
    message = message.replace("row 1", "row 41")
    parquet.write_table(pa.table({"x": lists}), tmp_path / "x.parquet", row_group_size=10)
    refused(message, tmp_path / "x.parquet")


def test_a_missing_file_a_folder_and_an_unknown_format(tmp_path):
    refused("no such file", tmp_path / "absent.npy")
    (tmp_path / "x.xyz").write_bytes(b"x")
    refused(r"'.xyz' is not a format that is read; give one of .npy", tmp_path / "x.xyz")
    refused("leave --array out", write(tmp_path / "x.npy"), array="x")
    refused("leave --array out", write(tmp_path / "x.pt"), array="x")


def test_planning_reads_no_features(tmp_path, labels):
    for suffix in FORMATS:
        path = write(tmp_path / f"x{suffix}", np.full((N, DIM), np.nan, np.float32))
        plan = plan_import(Request(path, name="e", labels=labels))
        assert (plan.samples.index.n, plan.dim) == (N, DIM)
