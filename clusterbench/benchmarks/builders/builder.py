"""What a builder is: a row that says its name, its parameters and how it builds a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...datasets.registry import Dataset
from ..class_pool import Draft, Pool

Built = tuple[Pool, Draft]


@dataclass
class Material:
    """The data set that tasks are built from, and what the tasks of one build share.

    shared: what a builder made and another task may need again, by a key of its own.
    """

    dataset: Dataset
    shared: dict[tuple, Any] = field(default_factory=dict)
    _pools: dict[tuple[int, int | None], Pool] = field(default_factory=dict)

    def pool(self, seed: int, depth: int | None = None) -> Pool:
        """The pool of a seed, its classes those of the data set or its tree's nodes at a depth."""
        key = (seed, depth)
        if key not in self._pools:
            self._pools[key] = (
                Pool(self.dataset.index, seed)
                if depth is None
                else self.pool(seed).at_depth(self.dataset.tree, depth)
            )
        return self._pools[key]


@dataclass(frozen=True)
class Builder:
    """One builder, as `clusterbench.benchmarks.builders.BUILDERS` lists it.

    name: what benchmark files call it. params: a frozen dataclass with a field `seed`, read from
    the task's table. build: the pool drawn from and the draft of the task; it raises InputError
    where the data set cannot satisfy the parameters. needs_tree: no data set without a class tree
    can (a task with a `depth` never can). reads_features: it may rank the classes on the spot,
    which takes minutes.
    """

    name: str
    params: type
    build: Callable[[Material, Any], Built]
    needs_tree: bool = False
    reads_features: bool = False

    def wants_tree(self, table: dict[str, Any]) -> bool:
        """Whether a task with these keys needs a class tree."""
        return self.needs_tree or table.get("depth") is not None
