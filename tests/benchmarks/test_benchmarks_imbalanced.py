from itertools import pairwise

import numpy as np
import pytest
from benchmark_toys import binary_tree, make_index
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.imbalanced import (
    RatioParams,
    WindowParams,
    exponential_sizes,
    frequency_window,
    ratio_task,
    window_task,
)
from clusterbench.benchmarks.pool import Pool
from clusterbench.errors import InputError

SERIES = (1.0, 3.0, 10.0, 30.0)


def series(pool, **settings_):
    return {
        ratio: ratio_task(pool, RatioParams(ratio=ratio, series=SERIES, **settings_))
        for ratio in SERIES
    }


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 300), st.integers(1, 60), st.sampled_from(SERIES))
def test_sizes_keep_the_sum_descend_and_reach_the_ratio(n_classes, mean, ratio):
    try:
        sizes = exponential_sizes(n_classes, mean, ratio)
    except InputError:
        assume(False)
    assert sizes.sum() == n_classes * mean
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] / sizes[-1] == pytest.approx(ratio, rel=0.25)
    profile = ratio ** -(np.arange(n_classes) / (n_classes - 1))
    assert np.abs(sizes - profile * n_classes * mean / profile.sum()).max() <= 1


def test_sizes_of_a_hand_worked_profile():
    assert exponential_sizes(3, 7, 4).tolist() == [12, 6, 3]
    assert exponential_sizes(4, 5, 1).tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize(("mean", "ratio"), [(1, 3), (4, 30), (2, 10)])
def test_means_too_small_for_the_ratio_are_refused(mean, ratio):
    with pytest.raises(InputError, match=f"images_per_class={mean} is too small for ratio {ratio}"):
        exponential_sizes(50, mean, ratio)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(12, 40))
def test_only_the_shape_of_the_sizes_moves_in_a_series(seed, n_classes):
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = rng.integers(30, 120, size=60)
    counts[:40] = 120
    index = make_index(counts, rng.integers(2, 6, size=60))
    pool = Pool(index, seed)
    drafts = series(pool, n_classes=n_classes, images_per_class=20, seed=seed)
    first = drafts[1.0]
    sizes = {}
    for ratio, draft in drafts.items():
        assert draft.names == first.names
        assert len(draft.train_rows) == 20 * n_classes
        assert draft.eval_rows.tolist() == first.eval_rows.tolist()
        counted = np.bincount(index.labels[draft.train_rows], minlength=index.n_classes)
        sizes[ratio] = counted
        assert set(np.flatnonzero(counted)) == set(np.flatnonzero(draft.groups >= 0))
        assert (counted <= counts).all()
    evaluated = np.bincount(index.labels[first.eval_rows])
    assert len(set(evaluated[evaluated > 0].tolist())) == 1
    assert not np.intersect1d(drafts[30.0].train_rows, first.eval_rows).size
    # The i-th largest class is the same one in every task: sizes never cross between classes.
    for a, b in ((3.0, 10.0), (10.0, 30.0)):
        larger_in_b = sizes[b][:, None] > sizes[b][None, :]
        smaller_in_a = sizes[a][:, None] < sizes[a][None, :]
        assert not (larger_in_b & smaller_in_a).any()
    # A class's smaller draw is part of its larger one.
    for c in np.flatnonzero(sizes[1.0]):
        draws = [set(d.train_rows[index.labels[d.train_rows] == c]) for d in drafts.values()]
        draws.sort(key=len)
        assert all(small <= large for small, large in pairwise(draws))


def test_a_feasible_assignment_is_always_found():
    # Exactly as many large classes as the steepest profile needs: any wrong choice would fail.
    need = np.maximum.reduce([exponential_sizes(10, 20, r) for r in SERIES])
    index = make_index(need[::-1])
    for seed in range(20):
        draft = series(Pool(index, seed), n_classes=10, images_per_class=20, seed=seed)[30.0]
        assert len(draft.names) == 10


def test_which_class_gets_which_size_depends_on_the_seed():
    index = make_index([100] * 20)
    largest = set()
    for seed in range(5):
        params = {"n_classes": 10, "images_per_class": 20, "seed": seed}
        draft = series(Pool(index, seed), **params)[30.0]
        counted = np.bincount(index.labels[draft.train_rows])
        largest.add(int(counted.argmax()))
    assert len(largest) > 1


def test_classes_too_small_for_the_series_are_refused_with_the_numbers():
    pool = Pool(make_index([30] * 20), 0)
    message = r"ratios 1, 3, 10, 30 need 1 classes with at least \d+ training images .* are 0"
    with pytest.raises(InputError, match=message):
        series(pool, n_classes=10, images_per_class=20)
    with pytest.raises(InputError, match="need 21 classes"):
        params = RatioParams(ratio=1, series=(1,), n_classes=25, images_per_class=20)
        ratio_task(pool, params)


def test_eval_per_class_moves_the_evaluation_set_only():
    index = make_index([50] * 12, 9)
    few = RatioParams(1, (1,), n_classes=8, images_per_class=20, eval_per_class=4)
    every = RatioParams(1, (1,), n_classes=8, images_per_class=20)
    a, b = ratio_task(Pool(index, 0), few), ratio_task(Pool(index, 0), every)
    assert a.train_rows.tolist() == b.train_rows.tolist()
    assert (len(a.eval_rows), len(b.eval_rows)) == (32, 72)
    assert set(a.eval_rows) <= set(b.eval_rows)


#: A millionth apart: nearer, NumPy's percentile (below) and ours round to different sides.
HALF_WIDTHS = st.integers(500_000, 50_000_000).map(lambda millionths: millionths / 1e6)


@settings(max_examples=60, deadline=None)
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


def test_a_window_that_leaves_fewer_than_two_classes_is_refused():
    with pytest.raises(InputError, match="leaves 1 of 3 classes"):
        window_task(Pool(make_index([1, 50, 100]), 0), WindowParams(half_width=20))
    with pytest.raises(InputError, match="leaves 0 of 4 classes"):
        window_task(Pool(make_index([1, 2, 3, 4]), 0), WindowParams(half_width=1))
    with pytest.raises(InputError, match="at least 2 are needed"):
        window_task(Pool(make_index([5, 5, 5]), 0), WindowParams(half_width=50, min_images=6))


def test_nodes_of_the_class_tree_can_be_the_classes():
    tree = binary_tree(32)
    index = make_index(np.arange(32) % 4 + 1, 2)
    pool = Pool.at_depth(index, 0, tree, 3)
    assert pool.class_names == tuple(f"r{i:03b}" for i in range(8))
    assert pool.train_counts.tolist() == [10] * 8  # four leaves of 1 + 2 + 3 + 4 images
    draft = ratio_task(pool, RatioParams(1, (1,), n_classes=5, images_per_class=8))
    for row in draft.train_rows:
        leaf = int(index.class_names[index.labels[row]][1:])
        assert draft.names[draft.groups[pool.labels[row]]] == f"r{leaf // 4:03b}"
    with pytest.raises(InputError, match="depth=3 needs a class tree"):
        Pool.at_depth(index, 0, None, 3)


def test_classes_without_evaluation_images_do_not_enter():
    draft = window_task(Pool(make_index([5] * 4, [3, 0, 3, 3]), 0), WindowParams(half_width=50))
    assert draft.names == ("c000", "c002", "c003")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": 2}, "ratio=2 is not in series"),
        ({"n_classes": 1}, "n_classes=1"),
        ({"images_per_class": 0}, "images_per_class=0"),
        ({"series": (1, 0.5), "ratio": 1}, "ratio=0.5 should be >= 1"),
        ({"series": (1, float("inf")), "ratio": 1}, "ratio=inf"),
        ({"eval_per_class": 1}, "eval_per_class=1 should be >= 2"),
    ],
)
def test_ratio_parameters_out_of_range_are_refused(params, message):
    good = {"ratio": 1, "series": (1, 3), "n_classes": 5, "images_per_class": 5}
    with pytest.raises(InputError, match=message):
        RatioParams(**(good | params))


@pytest.mark.parametrize("params", [{"half_width": 0}, {"half_width": 51}, {"n_classes": 1}])
def test_window_parameters_out_of_range_are_refused(params):
    with pytest.raises(InputError, match="should be"):
        WindowParams(**({"half_width": 10} | params))
