"""The pool a builder draws from: each class's train and val rows, in a seeded order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.draws import order_within
from ..sources.dataset_index import DatasetIndex
from ..taxonomy.tree import Tree
from .sampling import priorities
from .targets import Hierarchy, LabelSets


class Pool:
    """Rows of an index by split and class, ordered within a class by seeded priority.

    labels: (n,) int32, the class of each row, and class_names: by default those of the index;
    `at_depth` gives the nodes of a cut of the class tree instead.
    train_counts, eval_counts: (n_classes,) int64. The first m rows of a class are a draw of m;
    draws of one seed are nested. Training rows come from the train split and evaluation rows from
    the val split, nothing else: raises InputError when the index has no row of one of them.
    """

    def __init__(
        self,
        index: DatasetIndex,
        seed: int,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] | None = None,
        priority: np.ndarray | None = None,
    ) -> None:
        self.index = index
        self.seed = seed
        self._priority = priority
        self.labels = index.labels if labels is None else labels
        self.class_names = class_names or index.class_names
        for split in ("train", "val"):
            if not len(index.rows(split)):
                raise InputError(
                    f"the index of {index.n} samples has no {split} rows; a task is trained on "
                    "train rows and scored on val rows, and one never stands in for the other: "
                    "make an index with both splits"
                )

    def at_depth(self, tree: Tree | None, depth: int) -> Pool:
        """The pool of the same draw whose classes are these classes' ancestors at a depth.

        A class that is not deeper in the tree stays itself. Raises InputError without a tree.
        """
        if tree is None:
            raise InputError(f"depth={depth} needs a class tree, and this data set has none")
        cut = tree.cut(depth)[tree.find(self.class_names)]
        nodes, group = np.unique(cut, return_inverse=True)
        labels = group.astype(np.int32)[self.labels]
        names = tuple(tree.nodes[node] for node in nodes)
        return Pool(self.index, self.seed, labels, names, self.priority)

    @property
    def n_classes(self) -> int:
        """Number of classes, those without a row too."""
        return len(self.class_names)

    @property
    def priority(self) -> np.ndarray:
        """(n,) uint64: the seeded priority of every row of the index."""
        if self._priority is None:
            self._priority = priorities(self.index.ids, self.seed)
        return self._priority

    @cached_property
    def train_counts(self) -> np.ndarray:
        """(n_classes,) int64: train rows of each class."""
        return self._counts("train")

    @cached_property
    def eval_counts(self) -> np.ndarray:
        """(n_classes,) int64: val rows of each class."""
        return self._counts("val")

    def usable(self, min_train: int = 1, min_eval: int = 1) -> np.ndarray:
        """(m,) int64, ascending: classes with at least so many rows in each split."""
        enough = (self.train_counts >= min_train) & (self.eval_counts >= min_eval)
        return np.flatnonzero(enough)

    def draw_train(self, classes: np.ndarray, sizes: np.ndarray | int | None) -> np.ndarray:
        """Ascending train rows: `sizes` of each class (one number, one per class, None: all)."""
        return self._draw(self._train, self.train_counts, classes, sizes)

    def draw_eval(self, classes: np.ndarray, sizes: np.ndarray | int | None) -> np.ndarray:
        """Ascending val rows: `sizes` of each class (one number, one per class, None: all)."""
        return self._draw(self._eval, self.eval_counts, classes, sizes)

    @cached_property
    def _train(self) -> np.ndarray:
        return self._ordered("train")

    @cached_property
    def _eval(self) -> np.ndarray:
        return self._ordered("val")

    def _counts(self, split: str) -> np.ndarray:
        rows = self._rows(split)
        counts = np.bincount(self.labels[rows], minlength=self.n_classes)
        return counts.astype(np.int64)

    def _rows(self, split: str) -> np.ndarray:
        return self.index.rows("train" if split == "train" else "val")

    def _ordered(self, split: str) -> np.ndarray:
        rows = self._rows(split)
        ordered = order_within(self.labels[rows], self.priority[rows], self.n_classes)
        in_order: np.ndarray = rows[ordered]
        return in_order

    def _draw(
        self,
        ordered: np.ndarray,
        counts: np.ndarray,
        classes: np.ndarray,
        sizes: np.ndarray | int | None,
    ) -> np.ndarray:
        take = counts[classes] if sizes is None else np.broadcast_to(sizes, len(classes))
        if (take > counts[classes]).any():
            short = int(np.argmax(take > counts[classes]))
            raise InputError(
                f"class {int(classes[short])} has {int(counts[classes][short])} rows; "
                f"{int(take[short])} were asked for"
            )
        take = np.asarray(take, dtype=np.int64)
        first = (np.cumsum(counts) - counts)[classes]
        shift = np.repeat(first - (np.cumsum(take) - take), take)
        # A mask over all rows puts them in order ten times as fast as a sort at ten million.
        chosen = np.zeros(self.index.n, dtype=bool)
        chosen[ordered[shift + np.arange(len(shift))]] = True
        return np.flatnonzero(chosen)


@dataclass(frozen=True, eq=False)
class Draft:
    """What a builder returns: rows, how classes map to targets, and what to write down.

    train_rows, eval_rows: ascending rows. groups: (n_classes of the pool,) int32, the target of
    each class, -1 for a class outside the task. names: one per target. factors: measured by the
    builder, beside those that every task reports. notes: facts for the recipe.
    train_classes, eval_classes: (n,) int32, the class of the pool that each row counts as, where
    that is not its own. n_ranks, hierarchy, label_sets: as in `Task`.
    """

    train_rows: np.ndarray
    eval_rows: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    factors: dict[str, float]
    notes: dict[str, Any]
    train_classes: np.ndarray | None = None
    eval_classes: np.ndarray | None = None
    n_ranks: int = 1
    hierarchy: Hierarchy | None = None
    label_sets: LabelSets | None = None


def natural_groups(pool: Pool, classes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """(groups, names) where each class is its own target, in the order of the class names."""
    groups = np.full(pool.n_classes, -1, dtype=np.int32)
    groups[classes] = np.arange(len(classes), dtype=np.int32)
    return groups, tuple(pool.class_names[c] for c in classes)
