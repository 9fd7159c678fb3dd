"""ImageNet's class lists and class trees, shipped as data (`benchmarks/taxonomy`).

One rule makes all trees: a class hangs from the nearest node above it along *principal*
hypernyms. The principal hypernym is WordNet's first one but for 136 synsets; with these the rule
gives the tree of ImageNet-21K-P (Ridnik et al., "ImageNet-21K Pretraining for the Masses", 2021,
arXiv:2104.10972) exactly, and a synset has the same ancestors in every tree.

The trees of ImageNet-21K have its classes as their only nodes, inner ones too: an image can be
labelled with a class and with all its ancestors. Among the 1,000 classes none stands above
another, so that `imagenet1k` keeps the WordNet synsets above them as inner nodes, up to "entity".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .. import catalog
from . import synsets
from .restrict import restrict, with_ancestors
from .synsets import Synset
from .tree import Tree


@dataclass(frozen=True)
class ClassList:
    """A class list and what its tree has beside the classes.

    Attributes:
        name: as `load` takes it.
        mark: the list's letter in the table, "" for all synsets.
        with_inner: the tree has the WordNet synsets above the classes, too.
        about: what it is, in a line.
    """

    name: str
    mark: str
    with_inner: bool
    about: str


_WNID = re.compile(r"n\d{8}")

#: Smaller lists first: the order in which `containing` tries them.
LISTS = {
    one.name: one
    for one in (
        ClassList("imagenet1k", "k", True, "ImageNet-1K and the synsets above it"),
        ClassList("imagenet21k-p", "p", False, "ImageNet-21K-P, winter 2021"),
        ClassList("imagenet21k-p-fall11", "f", False, "ImageNet-21K-P, fall 2011"),
        ClassList("imagenet21k", "w", False, "ImageNet-21K, fall 2011"),
        ClassList("wordnet", "", True, "all of these and the synsets above"),
    )
}


def names() -> list[str]:
    """Names of the shipped class lists and trees, smaller lists first."""
    return list(LISTS)


@lru_cache(maxsize=len(LISTS))
def classes(name: str) -> tuple[str, ...]:
    """The wnids of a class list, in byte order, which is the order of its class indices.

    Raises:
        InputError: an unknown list; near names are suggested.
    """
    marked = synsets.table().marked(_find(name).mark)
    wnids = synsets.table().wnids
    return tuple(wnids[row] for row in np.flatnonzero(marked))


@lru_cache(maxsize=len(LISTS))
def load(name: str) -> Tree:
    """The class tree of a list; its nodes are wnids, named by their first lemma.

    Read once per process: all callers share one tree.

    Raises:
        InputError: an unknown list; near names are suggested.
    """
    of_list = _find(name)
    if not of_list.mark:
        table = synsets.table()
        return Tree(table.wnids, table.parents, table.names)
    everything = load("wordnet")
    kept = synsets.table().marked(of_list.mark)
    if of_list.with_inner:
        kept = with_ancestors(everything, np.flatnonzero(kept))
    return restrict(everything, kept)


def synset(wnid: str) -> Synset:
    """Words, definition and hypernyms of a synset.

    Raises:
        InputError: an unknown wnid; near ones are suggested.
    """
    return synsets.table().synset(wnid)


def containing(class_names: Iterable[str]) -> str | None:
    """Name of the smallest list that has all the class names; None if none has."""
    wanted = set(class_names)
    # Most data sets have other class names: the table is read for wnids only.
    if not wanted or not all(_WNID.fullmatch(name) for name in wanted):
        return None
    return next((name for name in LISTS if wanted.issubset(classes(name))), None)


def _find(name: str) -> ClassList:
    if name not in LISTS:
        raise catalog.unknown_name("class tree", name, LISTS)
    return LISTS[name]
