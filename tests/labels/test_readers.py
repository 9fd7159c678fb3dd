import numpy as np
import pyarrow as pa
import pytest
from label_toys import read, refused, write, write_json, write_parquet, write_text
from pyarrow import parquet

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
        ("label\né\n", "latin-1", "'label': holds text that is not UTF-8"),
        ("label\n" + "a\n" * 9000 + "é\n", "latin-1", "'label': holds text that is not UTF-8"),
        ("id,label\n" + "a,1\n" * 9000 + "é,1\n", "latin-1", "UTF-?8"),
        ("label\n1\n", "utf-16", "is UTF-16 text; save it as UTF-8"),
        ("label\n1\n", "utf-16-le", "is UTF-16 text; save it as UTF-8"),
        ("é\n1\n", "latin-1", "its first line is not UTF-8"),
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
        refused(
            tmp_path / f"x{suffix}",
            "holds pickled objects, which are not loaded.*save an array of numbers or strings",
        )


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
        ("[1, 2", "not whole JSON .*delimiter.*wanted UTF-8 JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' occurs twice"),
        (f'{{"{"a" * 999}": 1, "{"a" * 999}": 2}}', "the key 'a"),
        (f'[1, "{"a" * 999}"]', "do not go together"),
        ('[1, "a"]', "do not go together .*'a' with type str"),
        ("[1, [2]]", "do not go together"),
        ("[1, 1e400]", "holds inf; wanted finite numbers"),
        ("[NaN]", "NaN is not JSON"),
        ("[1, 1.5, 9007199254740993]", "do not go together"),
        ("[1, true]", "do not go together"),
        ("[true, false]", "type bool; labels are"),
        ("[99999999999999999999]", "has more than 64 bits"),
        ("[18446744073709551615]", "64 bits"),
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
    refused(path, "not whole JSON .*UTF-8|utf-8")
