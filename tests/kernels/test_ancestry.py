import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterbench.kernels.ancestry import agreement, chain_overlap, depths, forest, sum_below
from clusterbench.kernels.contingency import contingency
from clusterbench.taxonomy import Tree


@st.composite
def forests(draw):
    """Parents whose chains all end at a root, in any order of the nodes."""
    n = draw(st.integers(1, 15))
    parents = [draw(st.integers(-1, node - 1)) for node in range(n)]
    place = draw(st.permutations(range(n)))
    shuffled = np.empty(n, np.int32)
    shuffled[place] = [place[parent] if parent >= 0 else -1 for parent in parents]
    return shuffled


def chain(parents, node):
    return [] if node < 0 else [node, *chain(parents, int(parents[node]))]


@settings(max_examples=150)
@given(forests())
def test_depths_heights_and_sums_equal_the_chains(parents):
    n, depth = len(parents), depths(parents)
    woods = forest(parents, depth)
    chains = [chain(parents, node) for node in range(n)]
    assert depth.tolist() == [len(nodes) - 1 for nodes in chains]
    below = [[nodes for nodes in chains if node in nodes] for node in range(n)]
    heights = [max(nodes.index(node) for nodes in below[node]) for node in range(n)]
    assert woods.height.tolist() == heights
    weights = np.arange(n) ** 2 + 1
    sums = [sum(int(weights[nodes[0]]) for nodes in below[node]) for node in range(n)]
    assert sum_below(woods, weights).tolist() == sums


@given(st.lists(st.integers(-1, 7), min_size=8, max_size=8))
def test_nodes_whose_chain_never_ends_show(parents):
    def ends(node):
        seen = set()
        while node >= 0 and node not in seen:
            seen.add(node)
            node = parents[node]
        return node < 0

    depth = depths(np.array(parents, np.int32))
    endless = [node for node in range(8) if not ends(node)]
    assert (depth < 0).any() == bool(endless)
    if endless:
        assert int((depth < 0).argmax()) == endless[0]


@given(forests(), st.integers(0, 2**32 - 1))
def test_agreement_of_two_nodes_is_that_of_the_tree(parents, seed):
    """One class in one cluster, three samples: all of `agreement` is about one pair of nodes."""
    n, rng = len(parents), np.random.default_rng(seed)
    woods = forest(parents, depths(parents))
    names = tuple(f"{node:02}" for node in range(n))
    tree = Tree(names, parents, names)
    table = contingency(np.zeros(3, np.int32), np.zeros(3, np.int32), 1, 1)
    for own, predicted in rng.integers(n, size=(10, 2)).tolist():
        nodes = np.array([own], np.int32), np.array([predicted], np.int32)
        result = agreement(table, *nodes, woods)
        common = int(tree.lowest_common_ancestor(own, predicted))
        mistakes = np.zeros(n, int)
        mistakes[common] += 3 * (common >= 0 and own != predicted)
        assert result.mistakes.tolist() == mistakes.tolist()
        length = int(tree.depth[common]) + 1 if common >= 0 else 0
        assert result.shared[length] == result.shared.sum() == 3
        lengths = len(tree.chain(own)) + len(tree.chain(predicted))
        assert result.credit == 3 * (2 * length / lengths)
        alone = agreement(table, nodes[0], np.array([-1], np.int32), woods)
        assert (alone.credit, alone.shared[0], alone.mistakes.sum()) == (0, 3, 0)


@given(forests(), st.integers(0, 2**32 - 1))
def test_overlap_equals_python_sets(parents, seed):
    n, rng = len(parents), np.random.default_rng(seed)
    woods = forest(parents, depths(parents))
    class_nodes = rng.permutation(n).astype(np.int32)
    cluster_nodes = np.append(rng.permutation(n), [-1, -1]).astype(np.int32)
    targets = rng.integers(n, size=6)
    ranked = rng.integers(-1, n + 2, size=(6, 3)).astype(np.int32)
    shared, covered = chain_overlap(targets, ranked, class_nodes, cluster_nodes, woods)
    expected = np.zeros((2, *shared.shape), np.int64)
    for target, row in zip(targets, ranked.tolist(), strict=True):
        own = set(chain(parents, int(class_nodes[target])))
        others = [chain(parents, int(cluster_nodes[c])) if c >= 0 else [] for c in row]
        for r in range(3):
            expected[0, r, len(own)] += len(own & set(others[r]))
            expected[1, r, len(own)] += len(own & set().union(*others[: r + 1]))
    assert np.array_equal(shared, expected[0])
    assert np.array_equal(covered, expected[1])


def test_a_path_of_ten_thousand_nodes_is_measured_in_no_time():
    parents = np.arange(-1, 9_999, dtype=np.int32)[::-1].copy()
    parents = np.where(parents >= 0, 9_999 - parents, -1).astype(np.int32)
    woods = forest(parents, depths(parents))
    assert sorted(woods.depth.tolist()) == list(range(10_000))
    assert (woods.depth + woods.height == 9_999).all()
