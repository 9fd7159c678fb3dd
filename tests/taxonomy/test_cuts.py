import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import ANIMALS, forests, plain_chain

from clusterbench.errors import InputError
from clusterbench.taxonomy import Tree
from clusterbench.taxonomy.cuts import cut_into, without_inner


@settings(max_examples=80)
@given(forests(), st.data())
def test_groups_hold_each_class_once_and_do_not_split_below_a_label(parents, data):
    tree = Tree.from_parents(parents)
    every = list(range(len(tree)))
    classes = np.array(sorted(data.draw(st.sets(st.sampled_from(every), min_size=1))))
    n_roots = len({tree.chain(c)[-1] for c in classes})
    n_coarse = data.draw(st.integers(n_roots, len(classes)))
    groups = cut_into(tree, classes, n_coarse)
    used = set(groups.tolist())
    for node, group in zip(classes.tolist(), groups.tolist(), strict=True):
        assert group in tree.chain(node)
        # A class goes to its topmost unopened ancestor: no other label but an opened class
        # (a group of its own) stands between it and its label.
        between = tree.chain(node).tolist()
        assert not used & set(between[: between.index(group)])
    assert n_roots <= len(used) <= max(2 * n_coarse, n_roots)
    if n_coarse == len(classes):
        assert len(used) == len(classes)


@settings(max_examples=120)
@given(forests(), st.data())
def test_cut_into_opens_the_groups_that_a_plain_search_opens(parents, data):
    tree = Tree.from_parents(parents)
    chosen = sorted(data.draw(st.sets(st.sampled_from(tree.nodes), min_size=1)))
    weights = {c: data.draw(st.integers(1, 5)) for c in chosen}
    n_roots = len({plain_chain(parents, c)[-1] for c in chosen})
    n_coarse = data.draw(st.integers(n_roots, len(chosen)))
    groups = cut_into(tree, tree.find(chosen), n_coarse, np.array(list(weights.values())))
    wanted = plain_cut_into(parents, weights, n_coarse)
    assert [tree.nodes[g] for g in groups] == [wanted[c] for c in chosen]


def plain_cut_into(parents, weights, n_coarse):
    """Groups as sets of classes by label, the heaviest that can be opened opened each time."""
    members = {}
    for c in weights:
        members.setdefault(plain_chain(parents, c)[-1], set()).add(c)
    closed = set()  # tried and left whole, or a class on its own
    while len(members) < n_coarse and (left := members.keys() - closed):
        label = min(left, key=lambda g: (-sum(weights[c] for c in members[g]), g))
        parts = {}
        for c in members[label]:
            upwards = plain_chain(parents, c)
            part = upwards[upwards.index(label) - 1] if c != label else label
            parts.setdefault(part, set()).add(c)
        after = len(members) - 1 + len(parts)
        if set(parts) == {label} or after - n_coarse > n_coarse - len(members):
            closed.add(label)
            continue
        del members[label]
        members |= parts
        if label in parts:
            closed.add(label)
    return {c: label for label, group in members.items() for c in group}


def test_the_heaviest_group_is_opened_first():
    parents = {"root": None, "a": "root", "b": "root", "c": "root"}
    parents |= {f"a{i}": "a" for i in range(4)} | {f"b{i}": "b" for i in range(3)} | {"c0": "c"}
    tree = Tree.from_parents(parents)
    classes = tree.leaves()
    assert names(tree, cut_into(tree, classes, 3)) == {"a", "b", "c"}
    assert names(tree, cut_into(tree, classes, 6)) == {"a0", "a1", "a2", "a3", "b", "c"}
    by_images = np.where(np.char.startswith([tree.nodes[c] for c in classes], "b"), 9, 1)
    opened_b = names(tree, cut_into(tree, classes, 5, by_images))
    assert opened_b == {"a", "b0", "b1", "b2", "c"}


def test_an_opened_class_stays_a_label_of_its_own():
    tree = Tree.from_parents(ANIMALS)
    classes = tree.find(["animal", "cat", "dog", "lion"])
    assert names(tree, cut_into(tree, classes, 3)) == {"animal", "dog", "feline"}


def test_without_inner_keeps_an_antichain():
    tree = Tree.from_parents(ANIMALS)
    classes = tree.find(["animal", "cat", "dog", "feline", "oak"])
    assert without_inner(tree, classes).tolist() == [False, True, True, False, True]


@settings(max_examples=40)
@given(forests(), st.data())
def test_without_inner_agrees_with_chains(parents, data):
    tree = Tree.from_parents(parents)
    chosen = sorted(data.draw(st.sets(st.sampled_from(tree.nodes), min_size=1)))
    above = {n for c in chosen for n in plain_chain(parents, c)[1:]}
    mask = without_inner(tree, tree.find(chosen))
    assert mask.tolist() == [c not in above for c in chosen]


def test_impossible_numbers_of_groups_are_refused():
    tree = Tree.from_parents(ANIMALS)
    classes = tree.find(["cat", "dog", "oak"])
    with pytest.raises(InputError, match=r"n_coarse=4 should be in 1\.\.n_classes=3"):
        cut_into(tree, classes, 4)
    with pytest.raises(InputError, match="hang from 2 roots"):
        cut_into(tree, classes, 1)
    with pytest.raises(InputError, match="at least 1"):
        cut_into(tree, classes, 2, np.array([1, 0, 1]))


def names(tree, groups):
    return {tree.nodes[g] for g in groups}
