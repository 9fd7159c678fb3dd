import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from clusterbench import InputError
from clusterbench.datasets.label_files import (
    PREDICTION_NAMES,
    PREDICTION_NAMES_ALONE,
    TARGET_NAMES,
    read_labels,
)

FORMATS = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".json")


def write_text(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def write_json(path, content):
    return write_text(path, json.dumps(content))


def write_parquet(path, **columns):
    parquet.write_table(pa.table(columns), path)
    return path


def write(path, labels, ids=None):
    """The same labels, with ids where the format has a place for them, in the format of `path`."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        np.save(path, np.array(labels))
    elif suffix == ".npz":
        extra = {} if ids is None else {"ids": np.array(ids)}
        np.savez(path, targets=np.array(labels), **extra)
    elif suffix in (".csv", ".tsv"):
        delimiter = "," if suffix == ".csv" else "\t"
        rows = [["target"], *([label] for label in labels)]
        if ids is not None:
            rows = [[name, *row] for name, row in zip(["id", *ids], rows, strict=True)]
        write_text(path, "".join(delimiter.join(map(str, row)) + "\n" for row in rows))
    elif suffix == ".parquet":
        extra = {} if ids is None else {"id": ids}
        write_parquet(path, target=labels, **extra)
    else:
        write_json(path, labels if ids is None else dict(zip(ids, labels, strict=True)))
    return path


def read(path, column=None, *, known=TARGET_NAMES, **options):
    return read_labels(path, known, column, **options)


def refused(path, message, column=None, **options):
    """The text of the error: a short line that names the path and matches `message`."""
    with pytest.raises(InputError, match=message) as caught:
        read(path, column, **options)
    text = str(caught.value)
    assert str(path) in text and "\n" not in text and len(text) < 600
    return text


def sets_of(labels):
    return [part.tolist() for part in np.split(labels.values, labels.offsets[1:-1])]


# The same labels from every format


words = st.text(st.characters(codec="utf-8", categories=("Ll", "Lu", "Lo")), min_size=1)


@settings(deadline=None, max_examples=25)
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


# CSV


def test_a_first_line_of_numbers_is_a_sample(tmp_path):
    assert read(write_text(tmp_path / "x.csv", "4\n7\n")).values.tolist() == [4, 7]
    assert read(write_text(tmp_path / "x.csv", "\ufeff4\r\n7")).values.tolist() == [4, 7]
    assert read(write_text(tmp_path / "x.csv", "0,label\n7,2\n")).values.tolist() == [2]
    path = write_text(tmp_path / "x.csv", "4,1\n7,2\n")
    refused(path, "first line holds 2 numbers and no column names.*header line")
    path = write_text(tmp_path / "x.csv", "4\n7\n")
    refused(path, "no column names.*leave --column out", "label")


def test_a_column_option_makes_a_first_line_of_numbers_a_header(tmp_path):
    path = write_text(tmp_path / "x.csv", "0,1\n7,2\n")  # as pandas names columns
    assert read(path, "1").values.tolist() == [2]


def test_a_first_line_that_may_be_a_sample_is_refused(tmp_path):
    path = write_text(tmp_path / "x.csv", "cat\ndog\n")
    refused(path, "holds cat, and nothing named .* with --column; if that line is a sample, put a")


def test_csv_details(tmp_path):
    path = write_text(
        tmp_path / "x.csv", '\ufeff id , label,note\r\n"a,1",3,é\r\n\r\n"b\n2", 4,""\r\n'
    )
    found = read(path)
    assert (found.values.tolist(), found.ids.tolist()) == ([3, 4], ["a,1", "b\n2"])
    assert read(write_text(path, "id,label\na,x\n\nb,y\n")).values.tolist() == [0, 1]
    path = write_text(tmp_path / "x.csv", "id,label\n001,1\n1,2\n2020-01-02,3\n")
    assert read(path).ids.tolist() == ["001", "1", "2020-01-02"]


def test_many_columns_are_listed_in_part(tmp_path):
    path = write_text(tmp_path / "x.csv", ",".join(f"c{i}" for i in range(99)) + "\n")
    assert "c12" not in refused(path, "holds c0, c1, .* c11, ..., and nothing named")


@pytest.mark.parametrize("label", ["2020-01-02", "12:30:00", "2020-01-02 03:04", "n/a of"])
def test_names_that_look_like_something_else_stay_names(tmp_path, label):
    path = write_text(tmp_path / "x.csv", f"id,label\n01,{label}\n02,{label}\n")
    assert read(path).names == (label,)
    assert read(path).ids.tolist() == ["01", "02"]


def test_na_is_a_name_among_names(tmp_path):
    """Among numbers it is a missing label: see test_missing_labels_are_refused."""
    path = write_text(tmp_path / "x.csv", "label\nNA\nUS\nnull\n")
    assert read(path).names == ("NA", "US", "null")


def test_a_large_file_of_strings_becomes_codes(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3000, 200_000)
    names = np.array([f"n{i:08d}" for i in range(3000)])
    ids = np.arange(200_000).astype(str)
    for suffix in (".csv", ".parquet"):
        found = read(write(tmp_path / f"x{suffix}", names[labels].tolist(), ids.tolist()))
        assert found.names == tuple(names)
        assert np.array_equal(found.values, labels)
        assert np.array_equal(found.ids, ids)


def test_line_breaks_in_ids_do_not_end_a_row_anywhere_in_a_large_file(tmp_path):
    ids = [f"{i}" + "\nx" * 50 for i in range(50_000)]
    rows = "".join(f'"{name}",{number}\n' for number, name in enumerate(ids))
    found = read(write_text(tmp_path / "x.csv", "id,label\n" + rows))
    assert np.array_equal(found.values, np.arange(50_000))
    assert found.ids.tolist() == ids


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("a,label\n1,2\n3\n", "utf-8", "Expected 2 columns, got 1.*same number of fields"),
        ("label\n1,2\n", "utf-8", "Expected 1 columns, got 2"),
        ('label\n"1\n1",2\n', "utf-8", "Expected 1 columns, got 2"),
        ("label\né\n", "latin-1", "not a readable .csv file .*UTF-8"),
        ("label\n" + "a\n" * 9000 + "é\n", "latin-1", "'label': holds text that is not UTF-8"),
        ("id,label\n" + "a,1\n" * 9000 + "é,1\n", "latin-1", "UTF-?8"),
        ("label\n1\n", "utf-16", "not a readable .csv file .*UTF-8"),
        ("\n1\n", "utf-8", "first line is empty"),
    ],
)
def test_csv_that_cannot_be_read_is_refused(tmp_path, text, encoding, message):
    refused(write_text(tmp_path / "x.csv", text, encoding), message)


# Parquet


def test_parquet_types(tmp_path):
    for kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        labels = pa.array(["b", "a", "b"]).cast(kind)
        found = read(write_parquet(tmp_path / "x.parquet", label=labels))
        assert (found.values.tolist(), found.names) == ([1, 0, 1], ("a", "b")), kind
    refused(
        write_parquet(tmp_path / "x.parquet", label=pa.array([b"\xff"])), "text that is not UTF-8"
    )
    for array in (pa.array([1], pa.date32()), pa.array([{"a": 1, "secret": 2}])):
        text = refused(write_parquet(tmp_path / "x.parquet", label=array), "of type (date|struct)")
        assert "secret" not in text
    path = write_parquet(tmp_path / "x.parquet", label=[1], id=[1.5])
    refused(path, "ids are of type double; wanted one string or integer each")


def test_parquet_string_views(tmp_path):
    labels = pa.array(["b", "a", "b"], pa.string_view())
    try:
        path = write_parquet(tmp_path / "x.parquet", label=labels)
    except pa.ArrowNotImplementedError:
        pytest.skip("this pyarrow does not write string views")
    assert read(path).values.tolist() == [1, 0, 1]


def test_parquet_categories_count_where_they_are_used(tmp_path):
    used = pa.DictionaryArray.from_arrays(pa.array([2, 0]), pa.array(["b", "unused", "a"]))
    found = read(write_parquet(tmp_path / "x.parquet", label=used, id=used))
    assert (found.values.tolist(), found.names) == ([0, 1], ("a", "b"))
    assert found.ids.tolist() == ["a", "b"]
    lists = pa.ListArray.from_arrays([0, 2], used)
    assert read(write_parquet(tmp_path / "x.parquet", label=lists)).values.tolist() == [[0, 1]]


def test_parquet_row_groups_are_put_together(tmp_path):
    table = pa.table({"label": ["b", "a", "c"], "id": ["x", "yy", "z"]})
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=1)
    found = read(tmp_path / "x.parquet")
    assert (found.values.tolist(), found.names) == ([1, 0, 2], ("a", "b", "c"))
    assert found.ids.tolist() == ["x", "yy", "z"]


def test_folder_names_are_not_columns(tmp_path):
    (tmp_path / "label=3").mkdir()
    path = write_parquet(tmp_path / "label=3" / "x.parquet", target=[1, 2], other=[3, 4])
    refused(path, "unknown column 'label'", "label")


# NumPy


def test_numpy_details(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.array([1, 2], ">i8"))
    assert read(path).values.dtype.isnative
    np.save(path, np.array(["é".encode(), b"a", b"-1"]))
    assert (read(path).values.tolist(), read(path).names) == ([1, 0, -1], ("a", "é"))
    np.save(path, np.array([b"\xff"]))
    refused(path, "text that is not UTF-8")
    np.savez(tmp_path / "x.npz", labels=[1], ids=[b"\xff"])
    refused(tmp_path / "x.npz", "text that is not UTF-8")
    np.savez(tmp_path / "x.npz", labels=[1], ids=["é".encode()])
    assert read(tmp_path / "x.npz").ids.tolist() == ["é"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2), int), r"shape \(2, 2, 2\); wanted \(n,\)"),
        (np.array(3), r"shape \(\); wanted \(n,\)"),
        (np.array([1j]), "dtype complex128; labels are"),
        (np.array(["2020"], "M8[D]"), "dtype datetime64"),
        (np.zeros((3, 0), int), "holds no labels"),
        (np.zeros((0, 3), int), "holds no labels"),
    ],
)
def test_arrays_that_are_not_labels_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    refused(tmp_path / "x.npy", message)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1.0, 2.0], "ids have dtype float64 and shape .2,.; wanted one string or integer"),
        ([["a"], ["b"]], r"and shape \(2, 1\)"),
        (["a"], "2 labels but 1 ids"),
        (["a", ""], "no id in row 1"),
    ],
)
def test_arrays_that_are_not_ids_are_refused(tmp_path, ids, message):
    np.savez(tmp_path / "x.npz", labels=[1, 2], ids=np.array(ids))
    refused(tmp_path / "x.npz", message)


def test_object_arrays_are_refused(tmp_path):
    array = np.array(["a", 1], dtype=object)
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    np.savez(tmp_path / "x.npz", labels=array)
    for suffix in (".npy", ".npz"):
        refused(tmp_path / f"x{suffix}", "Object arrays.*save integers or strings again")


# JSON


@pytest.mark.parametrize(
    ("content", "values", "ids"),
    [
        ([3, 1], [3, 1], None),
        ({"k": 2, "label": [3, 1], "IDs": ["a", "b"]}, [3, 1], ["a", "b"]),
        ({"labels": [3, 1], "y_true": [0, 0]}, [3, 1], None),
        ({"b": 3, "a": 1}, [3, 1], ["b", "a"]),
        ({"label": 3, "id": 1}, [3, 1], ["label", "id"]),
        ({"b": [3, 2], "a": [1, 0]}, [[3, 2], [1, 0]], ["b", "a"]),
        ([1, 2.5], [1, 2.5], None),
    ],
)
def test_json_layouts(tmp_path, content, values, ids):
    found = read(write_json(tmp_path / "x.json", content))
    assert found.values.tolist() == values
    assert (None if found.ids is None else found.ids.tolist()) == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", "JSON int found; wanted a list"),
        ('"a"', "JSON str found; wanted a list"),
        ("null", "JSON NoneType found; wanted a list"),
        ("[1, 2", "not a readable .json file .*delimiter.*wanted UTF-8 JSON"),
        ("[" * 100_000, "not a readable .json file"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
        (f'{{"{"a" * 999}": 1, "{"a" * 999}": 2}}', "the key 'a"),
        (f'[1, "{"a" * 999}"]', "do not go together"),
        ('[1, "a"]', "do not go together .*'a' with type str"),
        ("[1, [2]]", "do not go together"),
        ("[1, 1e400, 99999999999999999999]", "do not go together"),
        ("[99999999999999999999]", "do not go together"),
        ("[{}]", "type struct"),
        ('{"note": "x", "some": [1, 2]}', "holds note, some, and nothing named"),
        ('{"ids": ["x"], "some": [1]}', "holds ids, some, and nothing named"),
        ('{"label": [1, 2], "ids": ["x"]}', "2 labels but 1 ids"),
        ('{"label": [1], "ids": "x"}', "ids: JSON str found"),
        ('{"label": [1, 2], "ids": ["x", null]}', "no id in row 1"),
        ('{"label": [1, 2], "ids": ["x", ""]}', "no id in row 1"),
        ('{"label": [[[1]]]}', "type list; labels are"),
        ("{}", "holds no labels"),
        ("[[], []]", "holds no labels"),
    ],
)
def test_json_that_is_not_labels_is_refused(tmp_path, text, message):
    refused(write_text(tmp_path / "x.json", text), message)


def test_json_that_is_not_utf8_is_refused(tmp_path):
    path = write_text(tmp_path / "x.json", '["é"]', "latin-1")
    refused(path, "not a readable .json file .*UTF-8")


# Missing labels


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("x.csv", "label\n1\n\n2\n", "row 1,"),
        ("x.csv", "1\n2\n\n", "row 2,"),
        ("x.csv", "label\na\n\n", "row 1,"),
        ("x.csv", "id,label\na,1\nb,\n", "row 1 .id 'b'.,"),
        ("x.csv", "id,label\na,x\nb,\n", "row 1 .id 'b'.,"),
        ("x.csv", 'id,label\na,x\nb,""\n', "row 1 .id 'b'.,"),
        ("x.csv", "id,label\na,1\nb,NA\n", "row 1 .id 'b'.,"),
        ("x.tsv", "id\tlabel\na\t\nb\t\n", "row 0 .id 'a'.,"),
        ("x.json", "[1, null]", "row 1,"),
        ("x.json", '["a", ""]', "row 1,"),
        ("x.json", "[null, null]", "row 0,"),
        ("x.json", '{"a": "x", "b": null}', "row 1 .id 'b'.,"),
        ("x.json", "[[1, 2], [3, null]]", "row 1,"),
        ("x.json", '[["a", "b"], ["c", ""]]', "row 1,"),
        ("x.json", "[[1, 2], null]", "row 1,"),
        ("x.json", '{"ids": ["a"], "label": [1, null]}', "row 1,"),
    ],
)
def test_missing_labels_are_refused(tmp_path, name, text, row):
    refused(write_text(tmp_path / name, text), f"no label in {row} counted from 0; write -1 for a")


def test_missing_labels_in_parquet_and_numpy_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    refused(write_parquet(path, id=["a", "b"], label=[1, None]), "row 1 .id 'b'.")
    refused(write_parquet(path, label=["a", None]), "row 1,")
    absent = pa.DictionaryArray.from_arrays(pa.array([None, 0]), pa.array(["b"]))
    refused(write_parquet(path, label=absent), "row 0,")
    refused(write_parquet(path, label=[1, 2], id=["a", None]), "no id in row 1")
    np.save(tmp_path / "x.npy", np.array([["a", "b"], ["c", ""]]))
    refused(tmp_path / "x.npy", "row 1,")


def test_a_missing_label_among_sets_names_the_sample(tmp_path):
    path = write_json(tmp_path / "x.json", {"a": [], "b": [1], "c": [], "d": [None, 2]})
    refused(path, "row 3 .id 'd'.", sets=True)


# Lists


def lists_files(folder, lists):
    """The same lists in every format that holds them."""
    np.save(folder / "x.npy", np.array(lists))
    np.savez(folder / "x.npz", labels=np.array(lists))
    write_json(folder / "x.json", lists)
    write_parquet(folder / "list.parquet", labels=pa.array(lists))
    flat = pa.array(np.ravel(lists))
    fixed = pa.FixedSizeListArray.from_arrays(flat, len(lists[0]))
    write_parquet(folder / "fixed.parquet", labels=fixed)
    large = pa.array(lists).cast(pa.large_list(flat.type))
    write_parquet(folder / "large.parquet", labels=large)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("lists", [[[3, 1, 2], [0, 5, 4]], [[7], [8]], [["b", "-1"], ["a", "b"]]])
def test_lists_of_one_length_are_ranked_predictions_or_label_sets(tmp_path, lists):
    codes = [[1, -1], [0, 1]] if lists[0][0] == "b" else lists
    paths = lists_files(tmp_path, lists)
    assert len(paths) == 6
    for path in paths:
        ranked, sets = read(path), read(path, sets=True)
        assert (ranked.values.tolist(), ranked.offsets, ranked.n) == (codes, None, 2), path
        assert ranked.names == sets.names == (("a", "b") if codes is not lists else None)
        assert sets.offsets.dtype == np.int64
        assert sets.offsets.tolist() == [0, len(lists[0]), 2 * len(lists[0])], path
        assert (sets.values.tolist(), sets.n) == ([*codes[0], *codes[1]], 2)


@settings(deadline=None, max_examples=25)
@given(lists=st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1))
def test_label_sets_have_any_length(lists):
    with tempfile.TemporaryDirectory() as folder:
        column = pa.array(lists, pa.list_(pa.int64()))
        for path in (
            write_json(Path(folder) / "x.json", lists),
            write_parquet(Path(folder) / "x.parquet", label=column),
        ):
            found = read(path, sets=True)
            assert sets_of(found) == lists
            assert (found.n, len(found.offsets)) == (len(lists), len(lists) + 1)


def test_lists_of_different_lengths_are_not_ranked_predictions(tmp_path):
    lists = [[1, 2], [3, 4], [5], []]
    for path in (
        write_json(tmp_path / "x.json", lists),
        write_parquet(tmp_path / "x.parquet", label=lists),
    ):
        refused(path, "row 2 holds 1 labels and row 0 holds 2; ranked predictions are lists of the")


def test_single_labels_are_not_sets(tmp_path):
    assert read(write_json(tmp_path / "x.json", [1, 2]), sets=True).offsets is None


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
    refused(path, "is a folder; give a file")
    path.rmdir()
    path.symlink_to(path)
    refused(path, "cannot be opened")
    path.unlink()
    path.touch()
    refused(path, "is empty; wanted one label per sample")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read_are_refused(tmp_path):
    path = write(tmp_path / "x.npy", [1])
    path.chmod(0)
    refused(path, "cannot be opened .*ermission")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_damaged_files_are_refused(tmp_path, suffix):
    path = write(tmp_path / f"x{suffix}", list(range(999)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, f"not a readable {suffix} file")
    path.write_bytes(b"\x80\x04 nothing of the sort")
    text = refused(path, "not a (NumPy file, it starts with b|readable .parquet file)")
    assert "pickle" not in text


def test_a_byte_changed_inside_a_npz_is_noticed(tmp_path):
    path = write(tmp_path / "x.npz", list(range(999)))
    content = bytearray(path.read_bytes())
    content[4000] ^= 1
    path.write_bytes(content)
    refused(path, "not a readable .npz file .*CRC")


def test_an_error_without_a_text_is_named(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise EOFError

    path = write(tmp_path / "x.npz", [1])
    monkeypatch.setattr(np, "load", fail)
    refused(path, "not a readable .npz file .EOFError.")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "hello")
    refused(tmp_path / "x.npz", r"'notes.txt': shape \(\)")
    with zipfile.ZipFile(tmp_path / "x.npz", "w"):
        pass
    refused(tmp_path / "x.npz", "holds nothing, and nothing named")


def test_an_array_and_an_archive_are_told_apart_by_content(tmp_path):
    path = write(tmp_path / "x.npy", [1, 2]).rename(tmp_path / "x.npz")
    assert read(path).values.tolist() == [1, 2]


def test_a_path_may_be_text(tmp_path):
    assert read(str(write(tmp_path / "x.npy", [1]))).path == tmp_path / "x.npy"
