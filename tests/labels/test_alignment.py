from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench import InputError
from clusterbench.labels.alignment import align
from clusterbench.labels.reading import LabelFile


def labels(values, ids=None, *, path="pred.csv", **more):
    texts = None if ids is None else np.array(ids, dtype=np.str_)
    return LabelFile(Path(path), np.array(values), ids=texts, **more)


def targets(ids):
    return labels(np.zeros(len(ids), int), ids, path="true.csv")


@given(
    ids=st.lists(st.text("abé/1", min_size=1, max_size=3), min_size=1, unique=True),
    width=st.sampled_from([None, 1, 3]),
    data=st.data(),
)
def test_predictions_follow_the_targets_whatever_their_order(ids, width, data):
    shuffled = data.draw(st.permutations(ids))
    value = {name: number if width is None else [number] * width for number, name in enumerate(ids)}
    found = align(targets(ids), labels([value[name] for name in shuffled], shuffled))
    assert found.values.tolist() == [value[name] for name in ids]
    assert found.ids.tolist() == ids


def test_names_and_path_stay(tmp_path):
    predictions = labels([0, 1], ["b", "a"], names=("x", "y"))
    found = align(targets(["a", "b"]), predictions)
    assert (found.values.tolist(), found.names, found.path) == (
        [1, 0],
        ("x", "y"),
        Path("pred.csv"),
    )
    assert predictions.values.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("true_ids", "ids"), [(None, ["b", "a"]), (["a", "b"], None), (None, None)]
)
def test_without_ids_on_both_sides_rows_correspond(true_ids, ids):
    predictions = labels([5, 6], ids)
    assert align(labels([0, 1], true_ids), predictions) is predictions


@pytest.mark.parametrize(
    ("true_ids", "ids", "message"),
    [
        (
            ["a", "b", "c"],
            ["c", "x"],
            r"pred.csv: lacks 2 of the 3 .*true.csv, first 'a' \(row 0\)",
        ),
        (["b", "a"], ["b", "z", "a", "y"], r"true.csv: lacks 2 of the 4 .*first 'z' \(row 1\)"),
        (["001"], ["1"], "own first id is '1'"),
        (["a", "b"], ["b", "c", "b", "c", "b"], "pred.csv: id 'b' occurs again in row 2"),
        (["a", "b", "a"], ["a", "b"], "true.csv: id 'a' occurs again in row 2"),
        (["a", "a"], ["a", "a"], "true.csv: id 'a' occurs again in row 1"),
    ],
)
def test_other_ids_are_refused(true_ids, ids, message):
    with pytest.raises(InputError, match=message):
        align(targets(true_ids), labels(range(len(ids)), ids))


def test_label_sets_are_not_predictions():
    sets = labels([1, 2, 3], offsets=np.array([0, 1, 3]))
    with pytest.raises(
        InputError, match=r"pred.csv: label sets found; predictions are one cluster"
    ):
        align(labels([0, 1]), sets)
