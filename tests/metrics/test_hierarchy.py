import json
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rankings import SEEDS, chain, forests, full_size, pairing, random_forest, ranked_targets

from clusterbench import InputError
from clusterbench.metrics import score
from clusterbench.metrics.hierarchy import Level, score_hierarchy
from clusterbench.taxonomy import Tree


@st.composite
def cases(draw, missing=True):
    """(targets, ranked, parents, class_nodes): classes anywhere in a forest, K unlike C."""
    parents = draw(forests())
    n_classes = draw(st.integers(1, len(parents)))
    class_nodes = np.random.default_rng(draw(SEEDS)).permutation(len(parents))[:n_classes]
    targets, ranked = draw(ranked_targets(n_classes=n_classes, missing=missing))
    return targets, ranked, parents, class_nodes


class ByHand:
    """The definitions, sample by sample, with chains as Python lists."""

    def __init__(self, targets, ranked, parents, class_nodes):
        kept = targets >= 0
        self.targets, self.ranked = targets[kept].tolist(), ranked[kept].tolist()
        self.class_of = pairing(zip(self.targets, ranked[kept, 0], strict=True))
        self.parents = parents.tolist()
        self.chains = [chain(parents, node) for node in class_nodes]
        self.nodes = class_nodes.tolist()

    def predicted(self, row, rank):
        """The chain of the predicted class; empty where there is none."""
        class_ = self.class_of.get(row[rank])
        return [] if class_ is None else self.chains[class_]

    def pairs(self):
        """(chain of the class, chain of the first predicted class) of every sample."""
        rows = zip(self.targets, self.ranked, strict=True)
        return [(self.chains[target], self.predicted(row, 0)) for target, row in rows]

    def credit(self, own, predicted):
        shared = len(set(own) & set(predicted))
        return 2 * shared / (len(own) + len(predicted))

    def height(self, node):
        below = [child for child, parent in enumerate(self.parents) if parent == node]
        return max((self.height(child) + 1 for child in below), default=0)

    def mistakes(self):
        """Heights of the lowest common ancestors; how many are unrelated; how many unpaired."""
        heights, unrelated, unpaired = [], 0, 0
        for own, predicted in self.pairs():
            if not predicted:
                unpaired += 1
            elif own != predicted:
                common = [node for node in own if node in predicted]
                heights += [self.height(common[0])] if common else []
                unrelated += not common
        return heights, unrelated, unpaired

    def levels(self):
        pairs = self.pairs()
        deepest = max(len(own) for own, _ in pairs)
        for depth in range(deepest):
            reach = [(own[::-1][depth], p[::-1]) for own, p in pairs if len(own) > depth]
            right = [node == p[depth] if len(p) > depth else False for node, p in reach]
            yield Level(depth, len(reach), sum(right) / len(reach))

    def found(self, target, row, ranks):
        own = set(self.chains[target])
        return len(own & {node for r in ranks for node in self.predicted(row, r)}) / len(own)

    def mean_found(self, ranks):
        pairs = zip(self.targets, self.ranked, strict=True)
        return np.mean([self.found(target, row, ranks) for target, row in pairs])

    def dealt_out(self, rank):
        """Every ranking on every sample."""
        dealt = [self.found(t, row, [rank]) for t in self.targets for row in self.ranked]
        return np.mean(dealt)


@settings(max_examples=200)
@given(cases())
def test_scores_of_the_primary_cluster_equal_the_definitions(case):
    scores, by_hand = score_hierarchy(*case), ByHand(*case)
    credits = [by_hand.credit(own, predicted) for own, predicted in by_hand.pairs()]
    assert scores.lca_acc == pytest.approx(np.mean(credits), abs=1e-12)
    levels = list(by_hand.levels())
    assert list(scores.levels) == levels
    right = sum(level.n * level.acc for level in levels)
    assert scores.semantic_acc == pytest.approx(right / sum(level.n for level in levels))
    heights, unrelated, unpaired = by_hand.mistakes()
    wrong = len(heights) + unrelated + unpaired
    assert scores.acc == pytest.approx(1 - wrong / scores.n)
    assert scores.mistake_height == (pytest.approx(np.mean(heights)) if heights else None)
    assert scores.mistakes_unrelated == (pytest.approx(unrelated / wrong) if wrong else None)
    assert scores.mistakes_unpaired == (pytest.approx(unpaired / wrong) if wrong else None)


@settings(max_examples=150)
@given(cases())
def test_chain_coverage_and_its_chance_equal_the_definitions(case):
    chains, by_hand = score_hierarchy(*case).chains, ByHand(*case)
    for r in range(case[1].shape[1]):
        assert chains.chain_share[r] == pytest.approx(by_hand.mean_found([r]), abs=1e-12)
        assert chains.cumulative[r] == pytest.approx(by_hand.mean_found(range(r + 1)), abs=1e-12)
        assert chains.chance[r] == pytest.approx(by_hand.dealt_out(r), abs=1e-12)


@given(cases())
def test_relations_between_the_scores(case):
    targets, ranked, *_ = case
    scores, plain = score_hierarchy(*case), score(targets, ranked[:, 0])
    assert scores.acc == plain.acc <= scores.lca_acc <= 1
    assert (scores.n, scores.n_classes) == (plain.n, plain.n_classes)
    assert (scores.n_unassigned, scores.n_unlabelled) == (plain.n_unassigned, plain.n_unlabelled)
    assert scores.chains.cumulative[0] == scores.chains.chain_share[0] >= plain.acc
    assert list(scores.chains.cumulative) == sorted(scores.chains.cumulative)
    assert scores.levels[0].n == scores.n
    one_rank = score_hierarchy(case[0], ranked[:, 0], *case[2:])
    assert (one_rank.n_ranks, one_rank.n_clusters) == (1, plain.n_clusters)
    assert one_rank.lca_acc == scores.lca_acc
    assert one_rank.chains.chance == scores.chains.chance[:1]


#          0 animal        6 plant
#         /        \
#     1 dog       2 cat
#     /    \
#  3 pug  4 husky   5 tabby is a cat
PARENTS = [-1, 0, 0, 1, 1, 2, -1]
PUG, HUSKY, TABBY, PLANT = range(4)
CLASS_NODES = [3, 4, 5, 6]


def test_by_hand():
    """Clusters 0 to 3 stand for the classes; 4 has no class; each class has six samples."""
    targets = np.repeat([PUG, HUSKY, TABBY, PLANT], 6)
    predictions = targets.copy()
    predictions[0] = HUSKY  # 2 x 2 / (3 + 3)
    predictions[6] = TABBY  # 2 x 1 / (3 + 3)
    predictions[12] = PLANT  # 0
    predictions[18] = PUG  # 0
    predictions[19] = 4  # no class
    predictions[20] = -1  # no cluster
    scores = score_hierarchy(targets, predictions, PARENTS, CLASS_NODES)
    assert scores.acc == 18 / 24
    assert scores.lca_acc == pytest.approx((18 + 2 / 3 + 1 / 3) / 24)
    assert scores.levels == (Level(0, 24, 20 / 24), Level(1, 18, 16 / 18), Level(2, 18, 15 / 18))
    assert scores.semantic_acc == 51 / 60
    assert scores.mistake_height == (1 + 2) / 2
    assert (scores.mistakes_unrelated, scores.mistakes_unpaired) == (2 / 6, 2 / 6)
    assert scores.chains.chain_share[0] == pytest.approx((18 + 2 / 3 + 1 / 3) / 24)
    assert (scores.n_clusters, scores.n_unassigned) == (5, 1)


def test_chains_by_hand():
    """Each is right at once; the second cluster of a pug is the husky's, of a husky the pug's."""
    targets = [PUG, HUSKY, TABBY, PLANT]
    ranked = [[0, 1, 2], [1, 0, 2], [2, 3, 0], [3, 0, -1]]
    chains = score_hierarchy(targets, ranked, PARENTS, CLASS_NODES).chains
    assert chains.chain_share == pytest.approx(
        (1, (2 / 3 + 2 / 3) / 4, (1 / 3 + 1 / 3 + 1 / 3) / 4)
    )
    assert chains.cumulative == (1, 1, 1)


def test_ranks_that_find_the_rest_of_a_chain_add_up():
    """The last pug's clusters are plant, tabby, husky, pug; the other samples fix the pairing."""
    targets = [PUG] * 3 + [HUSKY] * 2 + [TABBY] * 2 + [PLANT] * 2
    ranked = [[0, -1, -1, -1]] * 2 + [[3, 2, 1, 0]]
    ranked += [[1, -1, -1, -1]] * 2 + [[2, -1, -1, -1]] * 2 + [[3, -1, -1, -1]] * 2
    chains = score_hierarchy(targets, ranked, PARENTS, CLASS_NODES).chains
    assert chains.chain_share == pytest.approx((8 / 9, 1 / 27, 2 / 27, 1 / 9))
    assert chains.cumulative == pytest.approx((8 / 9, 25 / 27, 26 / 27, 1))


def test_classes_that_are_inner_nodes():
    """A dog taken for a pug and a pug taken for a dog: they meet in the dog, of height 1."""
    scores = score_hierarchy([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 0], PARENTS, [1, 3])
    assert scores.lca_acc == pytest.approx((4 + 2 * (2 * 2 / (2 + 3))) / 6)
    assert scores.mistake_height == 1
    assert scores.levels == (Level(0, 6, 1.0), Level(1, 6, 1.0), Level(2, 3, 2 / 3))


def test_levels_end_with_the_deepest_class_that_has_samples():
    assert len(score_hierarchy([PLANT, PLANT], [0, 0], PARENTS, CLASS_NODES).levels) == 1


def test_without_a_mistake_there_is_no_share_of_mistakes():
    scores = score_hierarchy([PUG, PLANT], [0, 1], PARENTS, CLASS_NODES)
    assert scores.lca_acc == scores.semantic_acc == 1
    assert scores.mistake_height is scores.mistakes_unrelated is scores.mistakes_unpaired is None


def test_the_chance_level_is_the_mean_over_dealt_out_rankings():
    rng = np.random.default_rng(0)
    parents, class_nodes = random_forest(rng, 25, 2, reach=6), rng.permutation(25)[:12]
    targets = np.minimum(rng.geometric(0.2, size=150) - 1, 11)
    ranked = np.array([rng.permutation(14)[:3] for _ in range(150)])
    by_hand = ByHand(targets, ranked, parents, class_nodes)
    rows, dealt = by_hand.ranked, []
    for _ in range(400):
        by_hand.ranked = [rows[i] for i in rng.permutation(150)]
        dealt.append([by_hand.mean_found([r]) for r in range(3)])
    error = 5 * np.std(dealt, axis=0) / np.sqrt(len(dealt))
    chance = np.array(score_hierarchy(targets, ranked, parents, class_nodes).chains.chance)
    assert (np.abs(np.mean(dealt, axis=0) - chance) <= error).all()
    assert (error < 0.01).all()


def test_a_tree_is_taken_by_its_parents():
    tree = Tree.from_parents({"a": None, "b": "a", "c": "a", "d": "b"})
    nodes = tree.find(["d", "c"])
    targets, predictions = [0, 1, 1, 0], [0, 1, 0, 0]
    expected = score_hierarchy(targets, predictions, tree.parents, nodes)
    assert score_hierarchy(targets, predictions, tree, nodes) == expected
    by_name = SimpleNamespace(parents=tree.parents.tolist())
    assert score_hierarchy(targets, predictions, by_name, nodes.tolist()) == expected


@pytest.mark.parametrize("kind", [np.array, list, lambda x: np.array(x, np.float64)])
def test_few_samples_of_high_classes_keep_their_nodes(kind):
    """Labels far above n are renumbered inside, so their nodes have to follow."""
    n = 200_000
    parents = np.concatenate([[-1, 0, 0], np.full(n - 3, -1)])
    class_nodes = np.arange(n - 1, -1, -1)
    scores = score_hierarchy(
        kind([n - 2, n - 3, n - 2, -1, 50]), [0, 1, 1, 0, 2], parents, class_nodes
    )
    assert scores.lca_acc == pytest.approx((3 + 2 / 4) / 4)
    assert scores.n_classes == 3


def test_scores_go_to_json():
    scores = score_hierarchy([PUG, PLANT], [[0, 1], [1, 0]], PARENTS, CLASS_NODES)
    record = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert record["levels"][0] == {"depth": 0, "n": 2, "acc": 1.0}
    assert record["chains"]["cumulative"] == [1.0, 1.0]
    assert record["mistake_height"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tree": [[-1, 0]]}, r"parents has shape \(1, 2\); give a 1-D array"),
        ({"tree": "abc"}, r"parents has shape \(\)"),
        ({"tree": [-1, 5]}, r"parents has 5 for node 1; a parent is a node, 0 to 1, or -1 for a"),
        ({"tree": [-2, 0]}, r"parents has -2 for node 0"),
        ({"tree": [-1, 0.5]}, r"parents has 0.5 at position 1"),
        ({"tree": [-1, 2, 3, 1]}, r"parents has a cycle: the chain from node 1 never ends"),
        ({"tree": [1, 1]}, r"parents has a cycle: the chain from node 0 never ends"),
        ({"tree": []}, r"parents is empty"),
        ({"class_nodes": [[1]]}, r"class_nodes has shape \(1, 1\)"),
        ({"class_nodes": [1, 7]}, r"class_nodes has 7 for class 1; the nodes .* are 0 to 6"),
        ({"class_nodes": [-1, 2]}, r"class_nodes has -1 for class 0"),
        ({"class_nodes": [3, 1, 3]}, r"class_nodes has node 3 for classes 0 and 2; give each"),
        ({"class_nodes": [3]}, r"targets has label 1 at position 1 but len\(class_nodes\)=1"),
        ({"targets": ["a", "b"]}, r"targets are strings but len\(class_nodes\)=4"),
        ({"targets": [-1, -1]}, r"every target is -1"),
        ({"targets": [0, 1, 1]}, r"3 targets but 2 predictions"),
        ({"predictions": [[1, 1], [0, 1]]}, r"predictions has cluster 1 at row 0, rank 2 and at"),
        ({"predictions": [0, 4], "n_clusters": 4}, r"cluster 4 at row 1, rank 1 but n_clusters=4"),
        ({"n_clusters": 0}, r"n_clusters=0; give a whole number from 1"),
    ],
)
def test_unusable_input_is_named_with_what_was_found(change, message):
    arguments = {
        "targets": [0, 1],
        "predictions": [0, 1],
        "tree": PARENTS,
        "class_nodes": CLASS_NODES,
        **change,
    }
    with pytest.raises(InputError, match=message):
        score_hierarchy(**arguments)


def test_full_size_takes_a_few_arrays_of_n():
    """522,500 samples, 10,450 classes in a deep forest, five ranks: below 40 MB beside them."""
    rng = np.random.default_rng(0)
    targets, ranked = full_size(rng)
    parents, class_nodes = random_forest(rng, 10_450, 302, reach=4000), rng.permutation(10_450)
    score_hierarchy(targets[:100], ranked[:100], parents, class_nodes)  # compiled
    tracemalloc.start()
    scores = score_hierarchy(targets, ranked, parents, class_nodes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    assert scores.acc == pytest.approx(0.6, abs=0.003)
    assert scores.acc < scores.semantic_acc < scores.lca_acc < 0.8
    # Clusters of later ranks were drawn without regard to the class.
    assert scores.chains.chain_share[1:] == pytest.approx(scores.chains.chance[1:], rel=0.1)
