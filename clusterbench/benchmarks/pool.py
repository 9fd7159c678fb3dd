"""The pool a builder draws from: each class's train and val rows, in a seeded order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..datasets.index import DatasetIndex
from ..errors import InputError
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
    ) -> None:
        self.index = index
        self.seed = seed
        self.labels = index.labels if labels is None else labels
        self.class_names = class_names or index.class_names
        for split in ("train", "val"):
            if not len(index.rows(split)):
                raise InputError(
                    f"the index of {index.n} samples has no {split} rows; a task is trained on "
                    "train rows and scored on val rows, and one never stands in for the other: "
                    "make an index with both splits"
                )

    @classmethod
    def at_depth(cls, index: DatasetIndex, seed: int, tree: Tree | None, depth: int) -> Pool:
        """The pool whose classes are the ancestors, at this depth of the tree, of the index's.

        A class that is not deeper stays itself. Raises InputError without a tree.
        """
        if tree is None:
            raise InputError(f"depth={depth} needs a class tree, and this data set has none")
        cut = tree.cut(depth)[tree.find(index.class_names)]
        nodes, group = np.unique(cut, return_inverse=True)
        labels = group.astype(np.int32)[index.labels]
        return cls(index, seed, labels, tuple(tree.nodes[node] for node in nodes))

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def train_counts(self) -> np.ndarray:
        return self._counts("train")

    @cached_property
    def eval_counts(self) -> np.ndarray:
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
        order = priorities(self.index.ids[rows], self.seed)
        return rows[np.lexsort((order, self.labels[rows]))]

    @staticmethod
    def _draw(
        ordered: np.ndarray, counts: np.ndarray, classes: np.ndarray, sizes: np.ndarray | int | None
    ) -> np.ndarray:
        take = counts[classes] if sizes is None else np.broadcast_to(sizes, len(classes))
        if (take > counts[classes]).any():
            short = int(np.argmax(take > counts[classes]))
            raise InputError(
                f"class {int(classes[short])} has {int(counts[classes][short])} rows; "
                f"{int(take[short])} were asked for"
            )
        first = np.cumsum(counts) - counts
        wanted = np.zeros(len(counts), dtype=np.int64)
        wanted[classes] = take
        place = np.arange(len(ordered)) - np.repeat(first, counts)
        return np.sort(ordered[place < np.repeat(wanted, counts)])


@dataclass(frozen=True, eq=False)
class Draft:
    """What a builder returns: rows, how classes map to targets, and what to write down.

    train_rows, eval_rows: ascending rows. groups: (n_classes of the pool,) int32, the target of
    each class, -1 for a class outside the task. names: one per target. factors: measured by the
    builder, beside those that every task reports. notes: facts for the recipe. n_ranks, hierarchy,
    label_sets: as in `Task`.
    """

    train_rows: np.ndarray
    eval_rows: np.ndarray
    groups: np.ndarray
    names: tuple[str, ...]
    factors: dict[str, float]
    notes: dict[str, int | float | str]
    n_ranks: int = 1
    hierarchy: Hierarchy | None = None
    label_sets: LabelSets | None = None


def natural_groups(pool: Pool, classes: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """(groups, names) where each class is its own target, in the order of the class names."""
    groups = np.full(pool.n_classes, -1, dtype=np.int32)
    groups[classes] = np.arange(len(classes), dtype=np.int32)
    return groups, tuple(pool.class_names[c] for c in classes)
