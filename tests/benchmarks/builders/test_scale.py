from itertools import pairwise

import numpy as np
import pytest
from benchmark_toys import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.builders.scale import ScaleParams, scale_task
from clusterbench.benchmarks.builders.whole import WholeParams, whole_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.errors import InputError


@settings(max_examples=30)
@given(st.lists(st.integers(1, 20), min_size=12, max_size=30), st.integers(0, 99))
def test_smaller_tasks_are_parts_of_larger_ones(counts, seed):
    counts[:8] = [12] * 8
    index = make_index(counts)
    pool = Pool(index, seed)
    common = {"min_images": 10, "seed": seed}
    tasks = [
        scale_task(pool, ScaleParams(n_classes=k, images_per_class=n, **common))
        for k, n in ((2, 3), (5, 3), (5, 10), (8, 10), (8, None))
    ]
    for small, large in pairwise(tasks):
        assert set(small.names) <= set(large.names)
        assert set(small.train_rows) <= set(large.train_rows)
        assert set(small.eval_rows) <= set(large.eval_rows)
    for draft, n in zip(tasks, (3, 3, 10, 10), strict=False):
        sizes = np.bincount(draft.groups[index.labels[draft.train_rows]])
        assert sizes.tolist() == [n] * len(draft.names)


def test_all_classes_and_shares_of_them():
    pool = Pool(make_index([5, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]), 0)
    every = scale_task(pool, ScaleParams(min_images=6))
    assert len(every.names) == 10 and every.factors["share_of_classes"] == 1.0
    part = scale_task(pool, ScaleParams(class_share=0.35, min_images=6))
    assert len(part.names) == 4 and set(part.names) < set(every.names)
    assert part.notes == {"candidate_classes": 10}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_classes": 1}, "n_classes=1 should be >= 2"),
        ({"class_share": 0.0}, "class_share=0.0 should be in"),
        ({"n_classes": 3, "class_share": 0.5}, "n_classes=3 and class_share=0.5: give one"),
        ({"images_per_class": 0}, "images_per_class=0"),
        ({"eval_per_class": 1}, "eval_per_class=1"),
    ],
)
def test_parameters_out_of_range_are_refused(params, message):
    with pytest.raises(InputError, match=message):
        ScaleParams(**params)


def test_too_few_classes_are_refused_with_the_numbers():
    pool = Pool(make_index([5, 9, 9]), 0)
    with pytest.raises(InputError, match=r"2 classes have at least 7 training .* 3 are needed"):
        scale_task(pool, ScaleParams(n_classes=3, images_per_class=7))


def test_the_whole_data_set_and_the_classes_of_a_list():
    index = make_index([4, 3, 2, 5], [2, 2, 0, 2])
    whole = whole_task(Pool(index, 0), WholeParams())
    assert whole.names == ("c000", "c001", "c003")  # c002 has no val image
    assert len(whole.train_rows) == 12 and len(whole.eval_rows) == 6
    listed = whole_task(Pool(index, 0), WholeParams(class_list="few"), ["c000", "c003", "x9"])
    assert listed.names == ("c000", "c003")
    assert listed.notes == {"listed_classes": 3, "listed_classes_absent": 1}
    with pytest.raises(InputError, match="0 classes of the list 'few' have at least 1 training"):
        whole_task(Pool(index, 0), WholeParams(class_list="few"), ["x1", "x2"])
