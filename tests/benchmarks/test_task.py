import json

import numpy as np
import pytest
from benchmark_toys import make_index

from clusterbench.benchmarks.task import Task
from clusterbench.errors import InputError


def make_task(**changes):
    fields = {
        "name": "t",
        "benchmark": "b",
        "dataset": "d",
        "index_hash": "0" * 64,
        "train_rows": np.array([0, 1, 4, 5]),
        "eval_rows": np.array([2, 6]),
        "train_targets": np.array([0, 0, 1, 1]),
        "eval_targets": np.array([0, 1]),
        "n_classes": 2,
        "class_names": ("x", "y"),
        "factors": {"gini": 0.0},
        "recipe": {"builder": "ratio"},
    }
    return Task(**(fields | changes))


def test_arrays_have_their_dtypes_and_cannot_be_changed():
    rows = np.array([0, 1, 4, 5], dtype=np.int32)
    task = make_task(train_rows=rows)
    assert (task.train_rows.dtype, task.eval_targets.dtype) == (np.int64, np.int32)
    with pytest.raises(ValueError, match="read-only"):
        task.train_rows[0] = 3
    rows[0] = 99
    assert task.train_rows[0] == 0
    assert task.full_name == "b/d/t"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_rows": np.array([1, 0, 4, 5])}, "train_rows must be ascending, unique"),
        ({"train_rows": np.array([0, 0, 4, 5])}, "train_rows must be ascending, unique"),
        ({"eval_rows": np.array([-1, 6])}, "eval_rows must be ascending, unique and >= 0"),
        ({"eval_rows": np.array([4, 6])}, "1 rows are in both train and eval .first: 4."),
        ({"train_targets": np.array([0, 0, 1, 2])}, "train_targets run from 0 to 2; wanted 0 to"),
        ({"eval_targets": np.array([0, -1])}, "eval_targets run from -1"),
        ({"train_targets": np.array([0, 0, 0, 0])}, "1 of 2 classes have no training row .*'y'"),
        ({"train_targets": np.array([0, 0, 1])}, "4 train rows but 3 targets"),
        ({"eval_rows": np.array([], int), "eval_targets": np.array([], int)}, "no eval rows"),
        ({"eval_targets": np.array([0.0, 1.0])}, "eval_targets are float64"),
        ({"train_rows": np.array([[0, 1], [4, 5]])}, r"train_rows are int64 of shape \(2, 2\)"),
        ({"n_classes": 1, "class_names": ("x",)}, "n_classes=1 should be >= 2"),
        ({"class_names": ("x",)}, "1 class names for n_classes=2"),
    ],
)
def test_what_is_not_a_task_is_refused_by_name(changes, message):
    with pytest.raises(InputError, match=f"task b/d/t.*{message}"):
        make_task(**changes)


def test_manifest_is_json_and_identifies_rows_and_targets():
    task = make_task()
    manifest = json.loads(json.dumps(task.manifest(), allow_nan=False))
    assert manifest["train"]["n"] == 4
    assert manifest["class_names"] == ["x", "y"]
    assert manifest["manifest_hash"] == task.manifest_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "u"},
        {"index_hash": "1" * 64},
        {"eval_rows": np.array([2, 7])},
        {"train_targets": np.array([0, 1, 1, 1])},
        {"eval_targets": np.array([1, 1])},
        {"n_classes": 3, "class_names": ("x", "y", "z"), "train_targets": np.array([0, 2, 1, 1])},
    ],
)
def test_the_hash_moves_with_what_changes_an_answer(changes):
    assert make_task(**changes).manifest_hash != make_task().manifest_hash


@pytest.mark.parametrize(
    "changes", [{"factors": {"gini": 1e-17}}, {"recipe": {}}, {"class_names": ("cat", "dog")}]
)
def test_the_hash_does_not_move_with_descriptions(changes):
    assert make_task(**changes).manifest_hash == make_task().manifest_hash


def test_verify_compares_with_the_index():
    index = make_index([2, 2], 2)
    assert index.split.tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
    good = {"index_hash": index.hash, "train_rows": np.array([0, 3, 4, 7])}
    make_task(**good).verify(index)
    with pytest.raises(InputError, match="was built for index 000000000000"):
        make_task().verify(index)
    with pytest.raises(InputError, match="eval row 8 of an index of 8"):
        make_task(**good, eval_rows=np.array([2, 8])).verify(index)
    with pytest.raises(InputError, match=r"1 train rows are not of the train .*c001/image-0550"):
        make_task(index_hash=index.hash, train_rows=np.array([0, 3, 4, 5])).verify(index)
