from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import ANIMALS, forests, plain_chain

from clusterbench.errors import InputError
from clusterbench.taxonomy import Tree


def write(path: Path, *lines: str, header: str = "node\tparent\tname") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@settings(max_examples=60)
@given(forests())
def test_every_query_agrees_with_walking_the_parents(parents):
    tree = Tree.from_parents(parents)
    nodes = tree.nodes
    assert list(nodes) == sorted(parents)
    chains = {node: plain_chain(parents, node) for node in nodes}
    for i, node in enumerate(nodes):
        assert [nodes[j] for j in tree.chain(i)] == chains[node]
        assert tree.depth[i] == len(chains[node]) - 1
        assert [nodes[j] for j in tree.children(i)] == [n for n in nodes if parents[n] == node]
        below = [n for n in nodes if node in chains[n][1:]]
        assert [nodes[j] for j in tree.descendants(i)] == below
        assert tree.is_leaf[i] == (not below)
        ends = [n for n in nodes if node in chains[n] and n not in parents.values()]
        assert [nodes[j] for j in tree.leaves(i)] == ends
    assert tree.height == max(len(c) for c in chains.values()) - 1
    assert [nodes[j] for j in tree.roots] == [n for n in nodes if not parents[n]]


@settings(max_examples=60)
@given(forests(), st.integers(0, 8))
def test_cut_gives_the_ancestor_at_the_depth(parents, depth):
    tree = Tree.from_parents(parents)
    for i, label in enumerate(tree.cut(depth)):
        upwards = plain_chain(parents, tree.nodes[i])
        assert tree.nodes[label] == upwards[max(len(upwards) - 1 - depth, 0)]


@settings(max_examples=60)
@given(forests())
def test_lowest_common_ancestor_is_the_first_shared_link(parents):
    tree = Tree.from_parents(parents)
    every = np.arange(len(tree))
    found = tree.lowest_common_ancestor(every[:, None], every[None, :])
    for a in every:
        for b in every:
            other = tree.chain(b).tolist()
            shared = [x for x in tree.chain(a).tolist() if x in other]
            assert found[a, b] == (shared[0] if shared else -1)


@settings(max_examples=60)
@given(forests(), st.integers(0, 8), st.integers(0, 8))
def test_a_deeper_cut_refines_a_higher_one(parents, high, extra):
    tree = Tree.from_parents(parents)
    fine, coarse = tree.cut(high + extra), tree.cut(high)
    assert coarse.tolist() == coarse[fine].tolist()
    assert tree.cut(tree.height).tolist() == list(range(len(tree)))


@settings(max_examples=120)
@given(st.lists(st.integers(-1, 7), min_size=8, max_size=8))
def test_parents_are_a_tree_exactly_when_every_walk_ends(parents):
    nodes = tuple("abcdefgh")

    def ends(node):
        for _ in range(len(nodes) + 1):
            if node < 0:
                return True
            node = parents[node]
        return False

    if all(ends(i) for i in range(len(nodes))):
        assert Tree(nodes, np.array(parents), nodes).parents.tolist() == parents
    else:
        with pytest.raises(InputError, match=r"the tree has a cycle: [a-h] -> [a-h]"):
            Tree(nodes, np.array(parents), nodes)


def test_a_tree_of_20_000_nodes_is_cut_and_queried_quickly():
    n = 20_000
    parents = np.r_[-1, (np.arange(1, n) - 1) // 2]
    tree = Tree(tuple(f"{i:06d}" for i in range(n)), parents, tuple("x" * n))
    pairs = np.arange(n)
    assert tree.lowest_common_ancestor(pairs, pairs[::-1]).min() == 0
    assert len(np.unique(tree.cut(5))) == 2**6 - 1


def test_read_takes_lines_in_any_order(tmp_path):
    lines = [f"{node}\t{parent or ''}\tThe {node}" for node, parent in ANIMALS.items()]
    first = Tree.read(write(tmp_path / "a.tsv", *lines))
    second = Tree.read(write(tmp_path / "b.tsv", *lines[::-1]))
    assert first.nodes == second.nodes == tuple(sorted(ANIMALS))
    assert first.parents.tolist() == second.parents.tolist()
    assert first.names[first.find(["oak"])[0]] == "The oak"


def test_read_takes_windows_line_ends_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "tree.tsv"
    path.write_bytes("\ufeffnode\tparent\tname\r\na\t\tÄ\r\nb\ta\tB\r\n".encode())
    assert Tree.read(path).names == ("Ä", "B")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a\t\tA", "b\tx\tB"], r"line 3: node 'b' has parent 'x', which is not a node"),
        (["a\t\tA", "b\ta\tB", "a\tb\tC"], r"line 4: node 'a' stands already on line 2"),
        (["r\t\tR", "a\tc\tA", "b\ta\tB", "c\tb\tC"], r"line 3: node 'a' is in a cycle: a -> c"),
        (["a\ta\tA"], r"line 2: node 'a' is in a cycle: a -> a"),
        (["\t\tA"], r"line 2: the node is empty"),
        (["a\t"], r"line 2: 2 columns"),
    ],
)
def test_read_names_file_line_and_node(tmp_path, lines, message):
    path = write(tmp_path / "tree.tsv", *lines)
    with pytest.raises(InputError, match=message) as caught:
        Tree.read(path)
    assert str(path) in str(caught.value)


def test_read_refuses_what_is_not_a_tree_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Tree.read(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="line 1: found"):
        Tree.read(write(tmp_path / "h.tsv", "a\t\tA", header="id\tparent\tname"))
    (tmp_path / "latin.tsv").write_bytes(b"node\tparent\tname\na\t\t\xe4\n")
    with pytest.raises(InputError, match="not UTF-8"):
        Tree.read(tmp_path / "latin.tsv")
    with pytest.raises(InputError, match="is a folder; wanted a regular file"):
        Tree.read(tmp_path)


def test_constructor_refuses_cycles_and_bad_arrays():
    with pytest.raises(InputError, match="cycle: a -> b -> a"):
        Tree(("a", "b"), np.array([1, 0]), ("A", "B"))
    with pytest.raises(InputError, match="ascending"):
        Tree(("b", "a"), np.array([-1, -1]), ("", ""))
    with pytest.raises(InputError, match=r"outside -1\.\.1"):
        Tree(("a", "b"), np.array([-1, 2]), ("", ""))
    with pytest.raises(InputError, match="one parent and one name"):
        Tree(("a", "b"), np.array([-1]), ("", ""))


def test_unknown_node_and_negative_depth_are_refused():
    tree = Tree.from_parents(ANIMALS)
    with pytest.raises(InputError, match="did you mean plant"):
        tree.find(["plants"])
    with pytest.raises(InputError, match="depth=-1"):
        tree.cut(-1)
