import numpy as np
import pytest
from benchmark_toys import binary_tree, make_index
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.benchmarks.builders.granularity import GranularityParams, granularity_task
from clusterbench.benchmarks.class_pool import Pool
from clusterbench.errors import InputError
from clusterbench.taxonomy import Tree

TREE = binary_tree(32)
SEEDS = st.integers(0, 99)


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


@settings(max_examples=30)
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
    every = granularity_task(pool, tree, GranularityParams(inner="keep"))
    assert every.names == ("c000", "c001", "c002")
    coarse = granularity_task(pool, tree, GranularityParams(inner="keep", depth=1))
    assert coarse.names == ("c000", "c002")
    assert coarse.groups.tolist() == [0, 0, 1]


def test_natural_sizes_without_images_per_class():
    pool = Pool(make_index(np.arange(2, 34)), 0)
    draft = granularity_task(pool, TREE, GranularityParams(min_images=10))
    assert len(draft.train_rows) == sum(range(10, 34))


@settings(max_examples=30)
@given(st.sampled_from([{"depth": 2}, {"depth": 4}, {"n_coarse": 5}, {"coarse_share": 0.3}]), SEEDS)
def test_the_control_merges_other_classes_into_labels_of_the_same_sizes(cut, seed):
    index = make_index([7] * 32)
    shared = {"n_classes": 24, "images_per_class": 6, "eval_per_class": 2, "seed": seed, **cut}
    pool = Pool(index, seed)
    tree = granularity_task(pool, TREE, GranularityParams(**shared))
    control = granularity_task(pool, TREE, GranularityParams(merge="random", **shared))
    assert control.train_rows.tolist() == tree.train_rows.tolist()
    assert control.eval_rows.tolist() == tree.eval_rows.tolist()
    assert len(control.names) == len(tree.names)
    assert ((control.groups < 0) == (tree.groups < 0)).all()

    def sizes(draft):
        return sorted(np.bincount(draft.groups[index.labels[draft.train_rows]]).tolist())

    assert sizes(control) == sizes(tree)


def test_the_control_moves_with_the_seed_and_is_not_the_tree():
    pool = Pool(make_index([4] * 32), 0)
    tree = granularity_task(pool, TREE, GranularityParams(depth=2))
    controls = [
        granularity_task(pool, TREE, GranularityParams(depth=2, merge="random", seed=seed))
        for seed in (0, 1)
    ]
    assert controls[0].groups.tolist() != controls[1].groups.tolist() != tree.groups.tolist()
    together = [np.bincount(c.groups[:8], minlength=4).max() for c in controls]
    assert max(together) < 8  # the tree has c000..c007 in one label


def inner_toy():
    """Leaves c000, c001 under c002; c003 apart; two dimensions per class direction."""
    tree = Tree.from_parents({"c000": "c002", "c001": "c002", "c002": None, "c003": None})
    index = make_index([6, 6, 8, 6], 4)
    direction = np.eye(4, dtype=np.float32)[[0, 1, 0, 3]]
    features = direction[index.labels] * 2
    rows = np.arange(index.n)
    inner = index.labels == 2
    features[inner & (rows % 2 == 0)] = [0.6, 0.5, 0, 9]  # nearest of all is c003, not below c002
    features[inner & (rows % 2 == 1)] = [0.2, 0.5, 0, 9]
    return Pool(index, 0), tree, features


def test_images_of_inner_classes_go_to_the_nearest_leaf_below_them():
    pool, tree, features = inner_toy()
    params = GranularityParams(inner="nearest-mean")
    draft = granularity_task(pool, tree, params, lambda rows: features[rows])
    assert draft.names == ("c000", "c001", "c003")
    for part in ("train", "eval"):
        rows, classes = getattr(draft, f"{part}_rows"), getattr(draft, f"{part}_classes")
        assert (np.diff(rows) > 0).all()
        own = pool.labels[rows]
        assert (classes[own != 2] == own[own != 2]).all()
        assert (classes[own == 2] == rows[own == 2] % 2).all()
    assert len(draft.train_rows) == 26 and draft.factors["n_inner_classes"] == 1.0
    assert draft.factors["inner_share"] == 8 / 26


@settings(max_examples=20)
@given(SEEDS)
def test_inner_images_against_a_plain_reference(seed):
    rng = np.random.default_rng(seed)
    names = [f"c{i:03d}" for i in range(12)]
    parents = {name: (names[rng.integers(0, i)] if i > 1 else None) for i, name in enumerate(names)}
    tree = Tree.from_parents(parents)
    index = make_index([5] * 12, 2)
    features = rng.standard_normal((index.n, 6)).astype(np.float32)
    seen = []

    def read(rows):
        seen.append(rows)
        return features[rows]

    draft = granularity_task(Pool(index, seed), tree, GranularityParams(inner="nearest-mean"), read)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    train = index.split == 0
    leaves = [c for c in range(12) if draft.groups[c] >= 0]
    mean = {c: unit[train & (index.labels == c)].mean(axis=0) for c in leaves}
    for part in ("train", "eval"):
        rows, classes = getattr(draft, f"{part}_rows"), getattr(draft, f"{part}_classes")
        for row, counted in zip(rows, classes, strict=True):
            own = index.labels[row]
            chain_of = {c: {tree.nodes[n] for n in tree.chain(c)} for c in leaves}
            below = [c for c in leaves if names[own] in chain_of[c]]
            cosine = {c: unit[row] @ mean[c] / np.linalg.norm(mean[c]) for c in below}
            assert cosine[int(counted)] >= max(cosine.values()) - 2e-3  # rounded to 1 in 4000


def test_inner_classes_need_features_and_must_be_there():
    pool, tree, _ = inner_toy()
    with pytest.raises(InputError, match="needs features"):
        granularity_task(pool, tree, GranularityParams(inner="nearest-mean"))
    flat = Tree.from_parents({f"c{i:03d}": None for i in range(4)})
    params = GranularityParams(inner="nearest-mean")
    with pytest.raises(InputError, match="no class stands above another"):
        granularity_task(pool, flat, params, lambda rows: np.ones((len(rows), 2)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"merge": "random"}, "needs the cut whose sizes it copies"),
        ({"merge": "any", "depth": 1}, "merge='any' should be one of tree, random"),
        ({"inner": "leaf"}, "inner='leaf' should be one of drop, keep, nearest-mean"),
        ({"encoder": "x"}, "encoder='x' is for inner"),
        ({"coarse_share": 1.5}, "coarse_share=1.5 should be in"),
        ({"depth": 1, "n_coarse": 3}, "are 2 cuts; give one"),
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
