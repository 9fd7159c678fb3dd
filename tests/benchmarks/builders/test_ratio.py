from itertools import pairwise

import numpy as np
import pytest
from benchmark_toys import binary_tree, make_index
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.builders.class_sizes import following_sizes, profile_sizes
from clusterbench.benchmarks.builders.ratio import RatioParams, ratio_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.errors import InputError

SERIES = (1.0, 3.0, 10.0, 30.0)


def series(pool, **settings_):
    return {
        ratio: ratio_task(pool, RatioParams(ratio=ratio, series=SERIES, **settings_))
        for ratio in SERIES
    }


@given(
    st.sampled_from(["exponential", "zipf"]),
    st.integers(2, 300),
    st.integers(1, 60),
    st.sampled_from(SERIES),
)
def test_sizes_keep_the_sum_descend_and_reach_the_ratio(shape, n_classes, mean, ratio):
    try:
        sizes = profile_sizes(shape, n_classes, mean, ratio)
    except InputError:
        assume(False)
    assert sizes.sum() == n_classes * mean
    assert (np.diff(sizes) <= 0).all()
    assert sizes[0] / sizes[-1] == pytest.approx(ratio, rel=0.25)
    rank = np.arange(n_classes)
    if shape == "exponential":
        profile = ratio ** -(rank / (n_classes - 1))
    else:
        profile = (rank + 1.0) ** -(np.log(ratio) / np.log(n_classes))
    assert np.abs(sizes - profile * n_classes * mean / profile.sum()).max() <= 1


def test_sizes_of_a_hand_worked_profile():
    assert profile_sizes("exponential", 3, 7, 4).tolist() == [12, 6, 3]
    assert profile_sizes("exponential", 4, 5, 1).tolist() == [5, 5, 5, 5]
    # 1, 1/2, 1/3, 1/4 of 12 * 25/25: a ratio of 4 over 4 classes is the exponent 1.
    assert profile_sizes("zipf", 4, 25, 4).tolist() == [48, 24, 16, 12]


@given(st.data(), st.integers(1, 40))
def test_natural_evaluation_sizes_follow_the_training_sizes(data, n_classes):
    sizes = np.array(
        data.draw(st.lists(st.integers(1, 99), min_size=n_classes, max_size=n_classes))
    )
    extra = data.draw(st.lists(st.integers(0, 99), min_size=n_classes, max_size=n_classes))
    available = np.array(
        data.draw(st.lists(st.integers(1, 50), min_size=n_classes, max_size=n_classes))
    )
    following = following_sizes(sizes, sizes + extra, available)
    assert (following >= 1).all() and (following <= available).all()
    total = min(
        int(sizes.sum()) * a // (s + e) for a, s, e in zip(available, sizes, extra, strict=True)
    )
    exact = sizes * (total / sizes.sum())
    assert (np.abs(following - np.maximum(exact, 1)) <= 1).all()


def test_natural_and_balanced_evaluations_differ_in_their_evaluation_rows_alone():
    index = make_index([90] * 20 + [40] * 10, [30] * 20 + [15] * 10)
    pool = Pool(index, 3)
    common = {"n_classes": 16, "images_per_class": 20, "seed": 3, "eval_per_class": 5}
    counts = []
    for ratio in SERIES:
        params = RatioParams(ratio=ratio, series=SERIES, evaluation="natural", **common)
        natural = ratio_task(pool, params)
        balanced = ratio_task(pool, RatioParams(ratio=ratio, series=SERIES, **common))
        assert natural.train_rows.tolist() == balanced.train_rows.tolist()
        assert natural.names == balanced.names
        trained = np.bincount(index.labels[natural.train_rows], minlength=30)
        evaluated = np.bincount(index.labels[natural.eval_rows], minlength=30)
        chosen = trained > 0
        assert (evaluated[chosen] >= 1).all() and not evaluated[~chosen].any()
        assert ratio == 1 or np.corrcoef(trained[chosen], evaluated[chosen])[0, 1] > 0.95
        counts.append(len(natural.eval_rows))
    assert max(counts) - min(counts) <= 16  # within the one image that a small class is given


def test_a_series_of_both_shapes_shares_its_classes():
    index = make_index([150] * 30)
    pool = Pool(index, 0)
    common = {"series": (1.0, 10.0), "zipf_series": (10.0,), "n_classes": 20}
    exponential = ratio_task(pool, RatioParams(ratio=10, images_per_class=20, **common))
    zipf = ratio_task(pool, RatioParams(ratio=10, shape="zipf", images_per_class=20, **common))
    assert exponential.names == zipf.names
    assert len(exponential.train_rows) == len(zipf.train_rows) == 400
    assert exponential.eval_rows.tolist() == zipf.eval_rows.tolist()
    assert exponential.train_rows.tolist() != zipf.train_rows.tolist()


@settings(max_examples=25)
@given(st.lists(st.integers(2, 80), min_size=8, max_size=25), st.integers(0, 99))
def test_sizes_left_to_the_data_are_the_largest_possible(counts, seed):
    pool = Pool(make_index(counts), seed)
    params = {"ratio": 3, "series": (1.0, 3.0), "seed": seed}
    try:
        found = ratio_task(pool, RatioParams(**params)).notes
    except InputError:
        assume(False)
    n_classes, mean = found["sampled_n_classes"], found["sampled_images_per_class"]
    assert n_classes == len(counts) // 2
    with pytest.raises(InputError, match="need"):
        ratio_task(pool, RatioParams(n_classes=n_classes, images_per_class=mean + 1, **params))


@pytest.mark.parametrize(("mean", "ratio"), [(1, 3), (4, 30), (2, 10)])
def test_means_too_small_for_the_ratio_are_refused(mean, ratio):
    with pytest.raises(InputError, match=f"images_per_class={mean} is too small for ratio {ratio}"):
        profile_sizes("exponential", 50, mean, ratio)


@settings(max_examples=15)
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
    need = np.maximum.reduce([profile_sizes("exponential", 10, 20, r) for r in SERIES])
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
    for huge in ({"n_classes": 2**30}, {"images_per_class": 2**30}):
        with pytest.raises(
            InputError, match=r"ask for more than the \d+ images of the train split"
        ):
            ratio_task(pool, RatioParams(ratio=1, series=(1,), **huge))


def test_eval_per_class_moves_the_evaluation_set_only():
    index = make_index([50] * 12, 9)
    few = RatioParams(1, (1,), n_classes=8, images_per_class=20, eval_per_class=4)
    every = RatioParams(1, (1,), n_classes=8, images_per_class=20)
    a, b = ratio_task(Pool(index, 0), few), ratio_task(Pool(index, 0), every)
    assert a.train_rows.tolist() == b.train_rows.tolist()
    assert (len(a.eval_rows), len(b.eval_rows)) == (32, 72)
    assert set(a.eval_rows) <= set(b.eval_rows)


def test_nodes_of_the_class_tree_can_be_the_classes():
    tree = binary_tree(32)
    index = make_index(np.arange(32) % 4 + 1, 2)
    pool = Pool(index, 0).at_depth(tree, 3)
    assert pool.class_names == tuple(f"r{i:03b}" for i in range(8))
    assert pool.train_counts.tolist() == [10] * 8  # four leaves of 1 + 2 + 3 + 4 images
    draft = ratio_task(pool, RatioParams(1, (1,), n_classes=5, images_per_class=8))
    for row in draft.train_rows:
        leaf = int(index.class_names[index.labels[row]][1:])
        assert draft.names[draft.groups[pool.labels[row]]] == f"r{leaf // 4:03b}"
    with pytest.raises(InputError, match="depth=3 needs a class tree"):
        Pool(index, 0).at_depth(None, 3)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": 2}, "ratio=2 is not in series"),
        ({"n_classes": 1}, "n_classes=1"),
        ({"images_per_class": 0}, "images_per_class=0"),
        ({"series": (1, 0.5), "ratio": 1}, "ratio=0.5 should be >= 1"),
        ({"series": (1, float("inf")), "ratio": 1}, "ratio=inf"),
        ({"eval_per_class": 1}, "eval_per_class=1 should be >= 2"),
        ({"shape": "steep"}, "shape='steep' should be one of exponential, zipf"),
        ({"shape": "zipf"}, "ratio=1 is not in zipf_series="),
        ({"evaluation": "fair"}, "evaluation='fair' should be balanced or natural"),
    ],
)
def test_ratio_parameters_out_of_range_are_refused(params, message):
    good = {"ratio": 1, "series": (1, 3), "n_classes": 5, "images_per_class": 5}
    with pytest.raises(InputError, match=message):
        RatioParams(**(good | params))
