import hashlib

import h5py
import numpy as np
import pytest

from clusterbench import InputError
from clusterbench.sources.dataset_index import DatasetIndex

IDS = np.array([b"cat/1", b"cat/2", b"dog/1"])


def make(ids=IDS, names=("cat", "dog"), labels=(0, 0, 1), split=(0, 1, 0)):
    return DatasetIndex(ids, names, np.array(labels), np.array(split))


def test_given_a_valid_index_then_dtypes_rows_and_ids_are_as_promised():
    index = make()
    assert (index.n, index.n_classes) == (3, 2)
    assert index.labels.dtype == np.int32 and index.split.dtype == np.uint8
    assert index.rows("train").tolist() == [0, 2]
    assert index.rows("val").tolist() == [1]
    assert index.rows("val").dtype == np.int64
    assert index.id(1) == "cat/2"


def test_hash_is_the_documented_one():
    expected = hashlib.sha256(
        b"clusterbench-index/1\n3\ncat/1\ncat/2\ndog/1\n"
        b'["cat", "dog"]\n' + bytes([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]) + bytes([0, 1, 0])
    )
    assert make().hash == expected.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"ids": np.array([b"cat/1", b"cat/3", b"dog/1"])},
        {"names": ("cat", "dogs")},
        {"labels": (0, 1, 1)},
        {"split": (0, 0, 0)},
    ],
)
def test_hash_changes_with_each_part(change):
    assert make(**change).hash != make().hash


def test_hash_does_not_depend_on_the_width_of_the_id_dtype_or_on_integer_types():
    wide = DatasetIndex(
        IDS.astype("S99"), ("cat", "dog"), np.array([0, 0, 1], np.uint8), np.array([0, 1, 0])
    )
    assert wide.hash == make().hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array(["a", "b", "c"])}, "wanted one-dimensional UTF-8 bytes"),
        ({"labels": (0.0, 0.0, 1.0)}, "labels are float64; wanted integers"),
        ({"labels": (0, 1)}, r"labels have shape \(2,\); wanted \(3,\)"),
        ({"labels": (0, 0, 2)}, "labels run from 0 to 2; there are 2 class names"),
        ({"labels": (-1, 0, 1)}, "labels run from -1"),
        ({"split": (0, 2, 0)}, "split holds 2"),
        ({"split": (0, 0)}, "split have shape"),
        ({"split": (0, 300, 0)}, "wanted uint8"),
        ({"names": ("dog", "cat")}, "'cat' follows 'dog'; wanted sorted"),
        ({"names": ("cat", "cat")}, "'cat' occurs twice"),
        ({"ids": np.array([b"cat/1", b"cat/1", b"dog/1"])}, "id 'cat/1' occurs twice"),
        ({"ids": np.array([b"cat/2", b"cat/1", b"dog/1"])}, "wanted samples ordered by class"),
        ({"labels": (0, 1, 0)}, "wanted samples ordered by class"),
        ({"ids": np.array([b"", b"cat/1", b"dog/1"])}, "empty"),
        ({"ids": np.array([b"cat/\n1", b"cat/1", b"dog/1"])}, "line break"),
    ],
)
def test_invalid_parts_are_refused_with_what_was_found(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)


def test_an_id_that_occurs_in_two_classes_is_refused():
    with pytest.raises(InputError, match="id 'x/1' occurs twice"):
        DatasetIndex(np.array([b"x/1", b"x/1"]), ("a", "b"), np.array([0, 1]), np.array([0, 0]))


def test_arrays_are_read_only_and_the_caller_keeps_his_own():
    labels = np.array([0, 0, 1])
    index = DatasetIndex(IDS, ("cat", "dog"), labels, np.zeros(3, int))
    with pytest.raises(ValueError, match="read-only"):
        index.labels[0] = 1
    labels[0] = 1
    assert index.labels[0] == 0
    assert IDS.flags.writeable


def test_from_samples_sorts_by_class_then_id_in_byte_order():
    ids = ["b/2", "a-b/1", "a/2", "a/10", "a/é"]
    index, order = DatasetIndex.from_samples(ids, ["b", "a-b", "a", "a", "a"], [0, 1, 0, 0, 1])
    assert index.class_names == ("a", "a-b", "b")
    assert [index.id(r) for r in range(5)] == ["a/10", "a/2", "a/é", "a-b/1", "b/2"]
    assert [ids[i] for i in order] == [index.id(r) for r in range(5)]
    assert index.split.tolist() == [0, 0, 1, 1, 0]


def test_take_keeps_class_names_even_when_a_class_is_left_empty():
    index = make().take(np.array([True, True, False]))
    assert index.n == 2 and index.class_names == ("cat", "dog")


@pytest.mark.parametrize("n", [0, 3])
def test_save_then_load_gives_the_same_index(tmp_path, n):
    index = make() if n else make(np.zeros(0, "S1"), ("cat",), (), ())
    index.save(tmp_path / "index.h5")
    again = DatasetIndex.load(tmp_path / "index.h5")
    assert again.hash == index.hash and again.n == n
    np.testing.assert_array_equal(again.ids, index.ids)


def test_load_names_the_file_and_the_fault(tmp_path):
    path = tmp_path / "index.h5"
    with pytest.raises(InputError, match="no such index file"):
        DatasetIndex.load(path)
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match=r"index\.h5: damaged, or not an HDF5"):
        DatasetIndex.load(path)
    make().save(path)
    with h5py.File(path, "r+") as file:
        file["labels"][1] = 1
    with pytest.raises(InputError, match="the file was changed or damaged"):
        DatasetIndex.load(path)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "other"
    with pytest.raises(InputError, match="format is 'other'"):
        DatasetIndex.load(path)


def test_unknown_split_is_refused():
    with pytest.raises(InputError, match="unknown split 'test'"):
        make().rows("test")
