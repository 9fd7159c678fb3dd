"""Labels of tables and shards become classes: none merge, none stands for nothing."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_toys import ids, write_tar

from clusterbench import InputError
from clusterbench.sources.class_names import read_class_names, resolve
from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.sources.opening import open_source


def as_csv(root, labels):
    for number in range(len(labels)):
        (root / f"{number}.png").write_bytes(b"x")
    lines = [f"{number}.png,{label}" for number, label in enumerate(labels)]
    (root / "x.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    return root / "x.csv"


def as_parquet(root, labels):
    table = pa.table({"image": [b"x"] * len(labels), "label": labels})
    pq.write_table(table, root / "x.parquet")
    return root / "x.parquet"


def as_shard(root, labels):
    members = [
        (f"{number}.{suffix}", content)
        for number, label in enumerate(labels)
        for suffix, content in (("png", b"x"), ("cls", label.encode()))
    ]
    return write_tar(root / "x-000000.tar", members)


FORMS = {"csv": as_csv, "parquet": as_parquet, "webdataset": as_shard}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "labels",
    [["01", "1", "001"], ["1", "1.0", "1e0"], ["0e1", "0e2"], ["10", "0x10"], ["1", "١"]],
)
def test_labels_that_are_the_same_number_are_different_classes(form, labels, tmp_path):
    source = open_source(FORMS[form](tmp_path, labels))
    assert source.index.class_names == tuple(sorted(labels))


@pytest.mark.parametrize("form", FORMS)
def test_a_negative_label_is_refused_and_its_row_is_named(form, tmp_path):
    where = "sample '2'" if form == "webdataset" else "row 2"
    with pytest.raises(InputError, match=rf"{where}.*label -1 is not a class; leave these"):
        open_source(FORMS[form](tmp_path, ["0", "1", "-1"]))


@pytest.mark.parametrize("form", FORMS)
def test_names_that_begin_with_a_minus_are_names(form, tmp_path):
    source = open_source(FORMS[form](tmp_path, ["-x", "-1", "cat"]))
    assert source.index.class_names == ("-1", "-x", "cat")


@pytest.mark.parametrize("form", FORMS)
def test_a_number_in_two_spellings_has_no_place_in_a_list(form, tmp_path):
    location = FORMS[form](tmp_path, ["01", "1"])
    with pytest.raises(InputError, match="labels '01' and '1' are both the number 1; write each"):
        open_source(location, class_names=["ant", "bee"])


def test_all_labels_of_a_list_are_seen_before_any_is_named(tmp_path, monkeypatch):
    """Blocks of a CSV were judged one by one, so that one column became numbers and names."""
    monkeypatch.setattr("clusterbench.sources.paths._BLOCK_BYTES", 64)
    location = as_csv(tmp_path, [*["0", "1"] * 20, "cat"])
    source = open_source(location, class_names=["ant", "bee"])
    assert source.index.class_names == ("0", "1", "cat")


def test_padded_numbers_stay_what_they_were():
    assert resolve(["00", "01", "10"], None, "x") == ["00", "01", "10"]
    assert resolve(["0", "7", "10"], None, "x") == ["00", "07", "10"]
    assert resolve(["00", "01"], ["ant", "bee"], "x") == ["ant", "bee"]
    assert resolve(["-0", "1"], None, "x") == ["0", "1"]


def test_what_has_no_image_in_a_shard_is_noted_not_fatal(tmp_path):
    members = [("1.json", b'{"label": "cat"}'), ("2.png", b"x"), ("2.json", b'{"label": "cat"}')]
    members += [("2.txt", b"a caption"), ("3.cls", b"0")]
    source = open_source(write_tar(tmp_path / "x-000000.tar", members))
    assert ids(source) == ["cat/2"]
    (note,) = source.report.notes
    assert note.startswith("2 samples have no image and are left out (first: ") and "'1'" in note
    assert source.report.ignored == 3


def test_metadata_with_numbers_that_are_none_are_read(tmp_path):
    """As img2dataset writes it."""
    facts = json.dumps({"similarity": float("nan"), "key": "000", "label": "cat"}).encode()
    source = open_source(write_tar(tmp_path / "x-000000.tar", [("1.png", b"x"), ("1.json", facts)]))
    assert ids(source) == ["cat/000"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.txt", "cat\ncat\n", "'cat' stands for two classes"),
        ("n.txt", "cat\n\ndog\n", "line 2 is empty"),
        ("n.txt", "cat\n\x1b[2J\n", r"U\+001B"),
        ("n.json", '{"0": "cat", "2": "dog"}', "wanted the keys 0 to 1"),
        ("n.json", '{"0": "cat", "0": "dog"}', "occurs twice"),
        ("n.json", '["cat", ["dog"]]', "is no name; wanted a text"),
        ("n.json", '"cat"', "wanted a list of names"),
        ("n.json", "[" * 5_000, "nested too deeply"),
    ],
)
def test_lists_of_names_that_are_none_are_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_class_names(tmp_path / name)


@pytest.mark.parametrize("name", ["", " ", "a\tb", "\x1b[2J", "a\u202eb", "x" * 1_001])
def test_no_index_holds_a_class_that_cannot_be_shown(name):
    with pytest.raises(InputError, match="index: class name"):
        DatasetIndex(np.array([b"a"]), (name,), np.zeros(1, int), np.zeros(1, int))


@pytest.mark.parametrize("name", [b"a\tb", b"a\xff", b"\xc2\x85", "a\u202e".encode(), b"x" * 4_097])
def test_no_index_holds_an_id_that_cannot_be_shown(name):
    with pytest.raises(InputError, match="index: "):
        DatasetIndex(np.array([name]), ("a",), np.zeros(1, int), np.zeros(1, int))


@pytest.mark.parametrize("name", ["a b", "a\u00a0b", "\U0001f468\u200d\U0001f469", "é/ß", "x."])
def test_text_of_any_script_is_a_name(name):
    index = DatasetIndex(np.array([name.encode()]), (name,), np.zeros(1, int), np.zeros(1, int))
    assert index.id(0) == name
