import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_toys import read, refused, sets_of, write_json, write_parquet, write_text

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
    """Of one label each they are labels, unless they are asked for as sets."""
    codes = [[1, -1], [0, 1]] if lists[0][0] == "b" else lists
    rows = [7, 8] if lists == [[7], [8]] else codes
    paths = lists_files(tmp_path, lists)
    assert len(paths) == 6
    for path in paths:
        ranked, sets = read(path), read(path, sets=True)
        assert (ranked.values.tolist(), ranked.offsets, ranked.n) == (rows, None, 2), path
        assert ranked.names == sets.names == (("a", "b") if codes is not lists else None)
        assert sets.offsets.dtype == np.int64
        assert sets.offsets.tolist() == [0, len(lists[0]), 2 * len(lists[0])], path
        assert (sets.values.tolist(), sets.n) == ([*codes[0], *codes[1]], 2)


@settings(max_examples=25)
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
