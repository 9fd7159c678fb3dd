import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_toys import FORMATS, read, refused, write, write_json, write_parquet, write_text
from pyarrow import parquet

from clusterbench.labels.reading import PREDICTION_NAMES, PREDICTION_NAMES_ALONE, TARGET_NAMES

# The same labels from every format


words = st.text(st.characters(codec="utf-8", categories=("Ll", "Lu", "Lo")), min_size=1)


@settings(max_examples=25)
@given(
    labels=st.one_of(
        st.lists(st.integers(-1, 2**40), min_size=1),
        st.lists(words.map(lambda word: "w" + word), min_size=1),
    ),
    with_ids=st.booleans(),
)
def test_the_same_labels_come_from_every_format(labels, with_ids):
    ids = [f"é/{i}" for i in range(len(labels))] if with_ids else None
    with tempfile.TemporaryDirectory() as folder:
        for suffix in FORMATS:
            found = read(write(Path(folder) / f"x{suffix}", labels, ids))
            values = found.values.tolist()
            if isinstance(labels[0], str):
                assert found.names == tuple(sorted(set(labels)))
                assert found.values.dtype == np.int32
                values = [found.names[code] for code in values]
            else:
                assert (found.names, found.values.dtype) == (None, np.int64)
            assert values == labels
            assert (found.n, found.offsets) == (len(labels), None)
            if with_ids and suffix != ".npy":
                assert found.ids.dtype.kind == "U"
                assert found.ids.tolist() == ids
            else:
                assert found.ids is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_case_of_the_suffix_does_not_matter(tmp_path, suffix):
    written = write(tmp_path / f"x{suffix}", [3, 1], ["a", "b"])
    assert read(written.rename(tmp_path / f"y{suffix.upper()}")).values.tolist() == [3, 1]


@pytest.mark.parametrize("suffix", FORMATS)
def test_floats_stay_floats(tmp_path, suffix):
    found = read(write(tmp_path / f"x{suffix}", [1.5, 2.0]))
    assert (found.values.dtype, found.values.tolist()) == (np.float64, [1.5, 2.0])


@pytest.mark.parametrize("suffix", FORMATS)
def test_minus_one_among_strings_is_not_a_name(tmp_path, suffix):
    found = read(write(tmp_path / f"x{suffix}", ["b", "-1", "a"]))
    assert (found.values.tolist(), found.names) == ([1, -1, 0], ("a", "b"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_booleans_are_refused(tmp_path, suffix):
    refused(write(tmp_path / f"x{suffix}", [True, False]), "bool; labels are whole numbers or str")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("sets", [False, True])
def test_a_file_of_no_labels_is_refused(tmp_path, suffix, sets):
    refused(write(tmp_path / f"x{suffix}", []), "holds no labels", sets=sets)


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".tsv", ".parquet"])
def test_integer_ids_are_text(tmp_path, suffix):
    assert read(write(tmp_path / f"x{suffix}", [5, 6], [10, 7])).ids.tolist() == ["10", "7"]


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64, np.float32])
def test_dtypes_are_kept(tmp_path, suffix, dtype):
    path = write(tmp_path / f"x{suffix}", np.array([1, 2], dtype))
    found = read(path).values
    assert (found.dtype, found.tolist()) == (dtype, [1, 2])
    assert found.flags.writeable


# Which column


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".json"])
def test_the_first_known_name_that_is_there_is_taken_in_any_case(tmp_path, suffix):
    def columns(**named):
        path = tmp_path / f"x{suffix}"
        if suffix == ".npz":
            np.savez(path, **{name: np.array(values) for name, values in named.items()})
        elif suffix == ".csv":
            rows = [list(named), *zip(*named.values(), strict=True)]
            write_text(path, "".join(",".join(map(str, row)) + "\n" for row in rows))
        elif suffix == ".parquet":
            write_parquet(path, **named)
        else:
            write_json(path, named)
        return path

    path = columns(other=[0, 0], Y_True=[1, 2], LABEL=[3, 4], ID=["a", "b"])
    assert read(path).values.tolist() == [3, 4]
    assert read(path).ids.tolist() == ["a", "b"]
    assert read(path, "y_true").values.tolist() == [1, 2]
    assert read(path, "other").values.tolist() == [0, 0]
    refused(path, "unknown column 'otter'; did you mean other", "otter")
    assert read(columns(label=[1, 2], LABEL=[3, 4]), "LABEL").values.tolist() == [3, 4]
    by_id = read(columns(id=[7, 8], label=[1, 2]), "id")
    assert (by_id.values.tolist(), by_id.ids) == ([7, 8], None)
    path = columns(first=[1, 2], second=[3, 4], ids=[0, 1])
    refused(path, r"holds first, second, ids, and nothing named targets, .*with --column")
    refused(path, "with --target-column", option="--target-column")


def test_each_kind_of_label_has_its_names(tmp_path):
    path = write_text(tmp_path / "x.csv", "prediction,class,y_pred\n1,2,3\n")
    assert read(path, known=TARGET_NAMES).values.tolist() == [2]
    assert read(path, known=PREDICTION_NAMES).values.tolist() == [1]


def test_a_lone_array_or_parquet_column_is_taken_whatever_its_name(tmp_path):
    np.savez(tmp_path / "x.npz", some=[1, 2], id=["a", "b"])
    assert read(tmp_path / "x.npz").values.tolist() == [1, 2]
    path = write_parquet(tmp_path / "x.parquet", some=[3, 4], id=["a", "b"])
    assert read(path).values.tolist() == [3, 4]
    refused(path, "unknown column 'targets'", "targets")


def test_a_file_without_columns_needs_none_and_ignores_one_meant_for_others(tmp_path):
    for suffix in (".npy", ".json"):
        found = read(write(tmp_path / f"x{suffix}", [1, 2]), "target")
        assert (found.values.tolist(), found.column) == ([1, 2], None)
    path = write_json(tmp_path / "x.json", {"a": 1, "b": 2})  # sample ids
    refused(path, "unknown column 'target'", "target")


def test_a_name_that_occurs_twice_is_refused(tmp_path):
    path = write_text(tmp_path / "x.csv", "label,label,other\n1,2,3\n")
    refused(path, "two columns are named 'label'")
    assert read(path, "other").values.tolist() == [3]
    path = write_text(tmp_path / "x.csv", "id,id,label\n1,2,3\n")
    refused(path, "two columns are named 'id'")
    table = pa.table([[1], [2]], names=["label", "label"])
    parquet.write_table(table, tmp_path / "x.parquet")
    refused(tmp_path / "x.parquet", "two columns are named 'label'")


def test_a_name_that_may_be_the_truth_is_taken_for_predictions_only_alone(tmp_path):
    for path in (
        write_text(tmp_path / "x.csv", "id,Label\na,1\nb,2\n"),
        write_json(tmp_path / "x.json", {"labels": [1, 2]}),
        write_json(tmp_path / "y.json", {"labels": [1, 2], "id": ["a", "b"]}),
    ):
        found = read(path, known=PREDICTION_NAMES, alone=PREDICTION_NAMES_ALONE)
        assert found.values.tolist() == [1, 2]
        assert found.column.lower() in ("label", "labels")
    path = write_text(tmp_path / "x.csv", "id,label,mine\na,1,7\nb,2,8\n")
    message = "holds id, label, mine, and nothing named predictions"
    refused(path, message, known=PREDICTION_NAMES, alone=PREDICTION_NAMES_ALONE)
    assert read(path, "mine").column == "mine"


# Files


def test_other_formats_are_refused(tmp_path):
    path = write_text(tmp_path / "x.txt", "1\n")
    text = refused(path, ".txt is not a format that is read")
    assert all(suffix in text for suffix in FORMATS)
    refused(write_text(tmp_path / "labels", "1\n"), "the name has no suffix; give one of .npy")
    refused(tmp_path / "missing.txt", "no such file")


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_that_are_not_there_are_refused(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    refused(path, "no such file")
    path.mkdir()
    refused(path, "is a folder; wanted a regular file")
    path.rmdir()
    path.symlink_to(path)
    refused(path, "is a link that leads round in a circle")
    path.unlink()
    path.touch()
    refused(path, "is empty; wanted one label per sample")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read_are_refused(tmp_path):
    path = write(tmp_path / "x.npy", [1])
    path.chmod(0)
    refused(path, "cannot be read .*ermission")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_damaged_files_are_refused(tmp_path, suffix):
    path = write(tmp_path / f"x{suffix}", list(range(999)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, f"not a readable {suffix} file|damaged, or not a {suffix} archive")
    path.write_bytes(b"\x80\x04 nothing of the sort")
    text = refused(path, "not a (NumPy file, it starts with b|readable .parquet file)")
    assert "pickle" not in text


def test_a_byte_changed_inside_a_npz_is_noticed(tmp_path):
    path = write(tmp_path / "x.npz", list(range(999)))
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    refused(path, "damaged, or not a .npz archive .*CRC")


def test_an_error_without_a_text_is_named(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise EOFError

    path = write(tmp_path / "x.parquet", [1])
    monkeypatch.setattr(parquet, "ParquetFile", fail)
    refused(path, "not a readable .parquet file .EOFError.")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    refused(tmp_path / "x.npz", "damaged, or not a .npz archive .*magic")
    with zipfile.ZipFile(tmp_path / "x.npz", "w"):
        pass
    refused(tmp_path / "x.npz", "holds nothing, and nothing named")


def test_an_array_and_an_archive_are_told_apart_by_content(tmp_path):
    path = write(tmp_path / "x.npy", [1, 2]).rename(tmp_path / "x.npz")
    assert read(path).values.tolist() == [1, 2]


def test_a_path_may_be_text(tmp_path):
    assert read(str(write(tmp_path / "x.npy", [1]))).path == tmp_path / "x.npy"
