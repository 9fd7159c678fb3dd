"""Defect 4: a val split that silently becomes the train split because of a path rule.

The task side: rows come from the split recorded in the index, whatever their ids look like; with
one split missing no task is built; and a task with rows of the wrong split is refused.
"""

import numpy as np
import pytest

from clusterbench.benchmarks.builders.window import WindowParams, window_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.benchmarks.task import Task
from clusterbench.errors import InputError
from clusterbench.sources.dataset_index import DatasetIndex


def index_with(split):
    """Two classes whose ids speak of the opposite split."""
    ids = [f"{c}/{'val' if s % 2 else 'train'}-{s}" for c in ("train", "val") for s in range(6)]
    return DatasetIndex.from_samples(ids, [i.split("/")[0] for i in ids], split)[0]


def test_rows_follow_the_recorded_split_not_the_path():
    index = index_with([0, 0, 1, 0, 1, 0] * 2)
    draft = window_task(Pool(index, 0), WindowParams(half_width=50))
    assert draft.train_rows.tolist() == np.flatnonzero(index.split == 0).tolist()
    assert draft.eval_rows.tolist() == np.flatnonzero(index.split == 1).tolist()


@pytest.mark.parametrize(("only", "missing"), [(0, "val"), (1, "train")])
def test_a_missing_split_is_an_error_and_not_the_other_split(only, missing):
    with pytest.raises(InputError, match=f"no {missing} rows.*never stands in for the other"):
        Pool(index_with([only] * 12), 0)


def test_a_task_with_rows_of_the_wrong_split_is_refused():
    index = index_with([0, 0, 1, 0, 1, 0] * 2)
    task = Task(
        name="swapped",
        benchmark="b",
        dataset="d",
        index_hash=index.hash,
        train_rows=index.rows("val"),
        eval_rows=index.rows("train"),
        train_targets=index.labels[index.rows("val")],
        eval_targets=index.labels[index.rows("train")],
        n_classes=2,
        class_names=index.class_names,
    )
    with pytest.raises(InputError, match="4 train rows are not of the train split"):
        task.verify(index)
