"""What classes are called: the word of a class tree's node, or the name in the index."""

from __future__ import annotations

from collections import Counter

from ..benchmarks.task import Task
from ..datasets import registry
from ..taxonomy.tree import Tree


def class_words(task: Task, tree: Tree | None) -> tuple[str, ...]:
    """A name for each class of a task, no two the same.

    The tree's word for a class that is a node, else the class's own name; classes of one word, as
    two senses of it, get their names beside it.
    """
    words = []
    for name in task.class_names:
        known = tree is not None and name in tree
        words.append(tree.names[int(tree.find([name])[0])] if tree is not None and known else name)
    often = Counter(words)
    return tuple(
        word if often[word] == 1 or word == name else f"{word} ({name})"
        for word, name in zip(words, task.class_names, strict=True)
    )


def tree_of(dataset: str) -> Tree | None:
    """The class tree of a data set by name; None without one, and where it cannot be read."""
    try:
        return registry.load(dataset).tree
    except Exception:  # names of classes are a help, no condition
        return None
