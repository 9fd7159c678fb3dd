import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import ANIMALS, forests, plain_chain

from clusterbench.errors import InputError
from clusterbench.taxonomy import Tree
from clusterbench.taxonomy.restrict import restrict, with_ancestors


def masks(tree):
    return st.lists(st.booleans(), min_size=len(tree), max_size=len(tree)).map(np.array)


@settings(max_examples=80)
@given(forests(), st.data())
def test_a_kept_node_hangs_from_its_nearest_kept_ancestor(parents, data):
    tree = Tree.from_parents(parents)
    kept = data.draw(masks(tree))
    small = restrict(tree, kept)
    assert list(small.nodes) == [n for n, keep in zip(tree.nodes, kept, strict=True) if keep]
    for i, node in enumerate(small.nodes):
        wanted = [n for n in plain_chain(parents, node) if n in small]
        assert [small.nodes[j] for j in small.chain(i)] == wanted


@settings(max_examples=60)
@given(forests(), st.data())
def test_restricting_in_two_steps_is_the_same(parents, data):
    tree = Tree.from_parents(parents)
    first, second = data.draw(masks(tree)), data.draw(masks(tree))
    at_once = restrict(tree, first & second)
    in_steps = restrict(restrict(tree, first), second[first])
    assert in_steps.nodes == at_once.nodes and in_steps.names == at_once.names
    assert in_steps.parents.tolist() == at_once.parents.tolist()


@settings(max_examples=60)
@given(forests(), st.data())
def test_with_ancestors_is_the_union_of_chains(parents, data):
    tree = Tree.from_parents(parents)
    chosen = data.draw(st.sets(st.sampled_from(tree.nodes)))
    wanted = {n for c in chosen for n in plain_chain(parents, c)}
    found = with_ancestors(tree, tree.find(sorted(chosen)))
    assert {tree.nodes[i] for i in np.flatnonzero(found)} == wanted


def test_names_stay_with_their_nodes():
    tree = Tree.from_parents(ANIMALS, {"cat": "Cat", "animal": "Animal"})
    small = restrict(tree, np.isin(tree.nodes, ["animal", "cat"]))
    assert (small.names, small.parents.tolist()) == (("Animal", "Cat"), [-1, 0])


def test_a_mask_of_another_length_is_refused():
    tree = Tree.from_parents(ANIMALS)
    with pytest.raises(InputError, match=r"kept has shape \(3,\); wanted \(8,\)"):
        restrict(tree, np.ones(3, dtype=bool))
