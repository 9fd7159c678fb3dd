import numpy as np
import pytest
from benchmark_toys import binary_tree, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.granularity import GranularityParams, granularity_task
from clusterbench.benchmarks.pool import Pool
from clusterbench.errors import InputError
from clusterbench.taxonomy import Tree

TREE = binary_tree(32)


def test_images_stand_still_while_labels_and_k_move():
    pool = Pool(make_index([9] * 32), 0)
    shared = {"n_classes": 24, "images_per_class": 6, "eval_per_class": 2}
    cuts = [{}, {"depth": 3}, {"n_coarse": 4}]
    drafts = [granularity_task(pool, TREE, GranularityParams(**shared, **cut)) for cut in cuts]
    for draft in drafts[1:]:
        assert draft.train_rows.tolist() == drafts[0].train_rows.tolist()
        assert draft.eval_rows.tolist() == drafts[0].eval_rows.tolist()
        assert ((draft.groups < 0) == (drafts[0].groups < 0)).all()
    assert [len(d.names) for d in drafts] == [24, 8, 4]
    assert (len(drafts[0].train_rows), len(drafts[0].eval_rows)) == (24 * 6, 24 * 2)
    assert drafts[1].factors["fine_per_class"] == 3.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(0, 99))
def test_labels_equal_the_trees_cut(depth, seed):
    index = make_index([4] * 32)
    params = GranularityParams(depth=depth, n_classes=20, seed=seed)
    if depth == 0:
        with pytest.raises(InputError, match="leaves 1 label for 20 classes"):
            granularity_task(Pool(index, seed), TREE, params)
        return
    draft = granularity_task(Pool(index, seed), TREE, params)
    for c, name in enumerate(index.class_names):
        if draft.groups[c] >= 0:
            chain = [TREE.nodes[i] for i in TREE.chain(int(TREE.find([name])[0]))]
            assert draft.names[draft.groups[c]] == chain[max(len(chain) - 1 - depth, 0)]
    assert sorted(set(draft.groups[draft.groups >= 0])) == list(range(len(draft.names)))


def test_a_class_above_another_is_left_out_unless_asked_for():
    tree = Tree.from_parents({"root": None, "c000": "root", "c001": "c000", "c002": "root"})
    pool = Pool(make_index([5, 5, 5]), 0)
    assert granularity_task(pool, tree, GranularityParams()).names == ("c001", "c002")
    every = granularity_task(pool, tree, GranularityParams(leaves_only=False))
    assert every.names == ("c000", "c001", "c002")
    coarse = granularity_task(pool, tree, GranularityParams(leaves_only=False, depth=1))
    assert coarse.names == ("c000", "c002")
    assert coarse.groups.tolist() == [0, 0, 1]


def test_natural_sizes_without_images_per_class():
    pool = Pool(make_index(np.arange(2, 34)), 0)
    draft = granularity_task(pool, TREE, GranularityParams(min_images=10))
    assert len(draft.train_rows) == sum(range(10, 34))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"depth": 1, "n_coarse": 3}, "two cuts"),
        ({"depth": -1}, "depth=-1"),
        ({"n_coarse": 1}, "n_coarse=1"),
        ({"images_per_class": 0}, "images_per_class=0"),
    ],
)
def test_parameters_out_of_range_are_refused(params, message):
    with pytest.raises(InputError, match=message):
        GranularityParams(**params)


def test_too_few_classes_and_no_tree_are_refused():
    pool = Pool(make_index([5] * 32), 0)
    with pytest.raises(InputError, match="0 classes have at least 6 training and 1 val images"):
        granularity_task(pool, TREE, GranularityParams(images_per_class=6))
    with pytest.raises(InputError, match=r"32 classes .* 40 are needed"):
        granularity_task(pool, TREE, GranularityParams(n_classes=40))
    with pytest.raises(InputError, match="no class tree"):
        granularity_task(pool, None, GranularityParams())
