import numpy as np
import pytest
from benchmark_toys import make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.builders.window import WindowParams, frequency_window, window_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.errors import InputError

#: A millionth apart: nearer, NumPy's percentile (below) and ours round to different sides.
HALF_WIDTHS = st.integers(500_000, 50_000_000).map(lambda millionths: millionths / 1e6)


@settings(max_examples=60)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=30), HALF_WIDTHS, HALF_WIDTHS)
def test_windows_are_nested_and_are_percentiles(counts, wide, narrow):
    wide, narrow = max(wide, narrow), min(wide, narrow)
    counts = np.array(counts)

    def inside(half_width):
        low, high = frequency_window(counts, half_width)
        return (counts >= low) & (counts <= high)

    assert (inside(narrow) <= inside(wide)).all()
    assert inside(50).all()
    low, high = np.percentile(counts, [50 - wide, 50 + wide])
    assert (inside(wide) == ((counts >= low - 1e-9) & (counts <= high + 1e-9))).all()


def test_a_window_takes_all_images_of_the_classes_inside():
    counts = np.arange(1, 22)  # percentile q is size 1 + q/5
    index = make_index(counts)
    pool = Pool(index, 0)
    inner, outer = (window_task(pool, WindowParams(half_width=w)) for w in (10, 25))
    assert inner.names == tuple(f"c{i:03d}" for i in range(8, 13))  # sizes 9 to 13
    assert outer.names == tuple(f"c{i:03d}" for i in range(5, 16))  # sizes 6 to 16
    assert len(inner.train_rows) == sum(range(9, 14))
    assert set(inner.train_rows) < set(outer.train_rows)
    assert set(inner.eval_rows) < set(outer.eval_rows)
    assert inner.factors == {"window_smallest_class": 9.0, "window_largest_class": 13.0}


def test_a_window_with_a_fixed_number_of_classes():
    pool = Pool(make_index(np.arange(1, 22)), 0)
    draft = window_task(pool, WindowParams(half_width=25, n_classes=4))
    assert len(draft.names) == 4
    with pytest.raises(InputError, match=r"half_width=10 leaves 5 of 21 classes; 6 are needed"):
        window_task(pool, WindowParams(half_width=10, n_classes=6))


def test_a_natural_evaluation_follows_the_training_sizes():
    index = make_index([10, 20, 40, 80], [9, 9, 9, 9])
    draft = window_task(Pool(index, 0), WindowParams(half_width=50, evaluation="natural"))
    assert np.bincount(index.labels[draft.eval_rows]).tolist() == [1, 2, 4, 9]


def test_a_window_that_leaves_fewer_than_two_classes_is_refused():
    with pytest.raises(InputError, match="leaves 1 of 3 classes"):
        window_task(Pool(make_index([1, 50, 100]), 0), WindowParams(half_width=20))
    with pytest.raises(InputError, match="leaves 0 of 4 classes"):
        window_task(Pool(make_index([1, 2, 3, 4]), 0), WindowParams(half_width=1))
    with pytest.raises(InputError, match="at least 2 are needed"):
        window_task(Pool(make_index([5, 5, 5]), 0), WindowParams(half_width=50, min_images=6))


def test_classes_without_evaluation_images_do_not_enter():
    draft = window_task(Pool(make_index([5] * 4, [3, 0, 3, 3]), 0), WindowParams(half_width=50))
    assert draft.names == ("c000", "c002", "c003")


@pytest.mark.parametrize("params", [{"half_width": 0}, {"half_width": 51}, {"n_classes": 1}])
def test_window_parameters_out_of_range_are_refused(params):
    with pytest.raises(InputError, match="should be"):
        WindowParams(**({"half_width": 10} | params))
