"""A task: the rows, the targets and K that a method is run and scored on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import sha256_array, sha256_json
from ..sources.dataset_index import DatasetIndex
from .targets import Hierarchy, LabelSets

FORMAT = "clusterbench-task/2"


@dataclass(frozen=True, eq=False)
class Task:
    """A named view on a data set; arrays are stored read-only.

    name:                   "ratio-10"; `full_name` is benchmark/dataset/name
    index_hash:             hash of the DatasetIndex the rows refer to
    train_rows, eval_rows:  (n,) int64, ascending, unique, disjoint: rows of any store of the index
    train_targets, eval_targets: (n,) int32 in [0, n_classes), one per row
    n_classes:              K; every class has at least one training row
    class_names:            one per target value
    factors:                what the task isolates, as measured (see `factors.measure`)
    recipe:                 JSON: the builder and its parameters
    seed:                   seed of the draws
    n_ranks:                clusters that a method names for each evaluation row, best first; 1
                            where only the first is scored
    hierarchy:              the class tree, where predictions are also scored against the chains
                            of the classes; one node per class
    label_sets:             labels of the evaluation rows, where each may have several

    Raises InputError for anything else.
    """

    name: str
    benchmark: str
    dataset: str
    index_hash: str
    train_rows: np.ndarray
    eval_rows: np.ndarray
    train_targets: np.ndarray
    eval_targets: np.ndarray
    n_classes: int
    class_names: tuple[str, ...]
    factors: Mapping[str, float] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    n_ranks: int = 1
    hierarchy: Hierarchy | None = None
    label_sets: LabelSets | None = None

    def __post_init__(self) -> None:
        if self.n_classes < 2:
            raise InputError(f"{self._who}: n_classes={self.n_classes} should be >= 2")
        if len(self.class_names) != self.n_classes:
            raise InputError(
                f"{self._who}: {len(self.class_names)} class names for n_classes={self.n_classes}"
            )
        for part in ("train", "eval"):
            self._check_part(part)
        # Both are ascending, so no sort is needed.
        place = np.minimum(
            np.searchsorted(self.train_rows, self.eval_rows), len(self.train_rows) - 1
        )
        shared = self.eval_rows[self.train_rows[place] == self.eval_rows]
        if len(shared):
            raise InputError(
                f"{self._who}: {len(shared)} rows are in both train and eval (first: "
                f"{int(shared[0])}); evaluation rows must not be trained on"
            )
        present = np.bincount(self.train_targets, minlength=self.n_classes) > 0
        if not present.all():
            lost = self.class_names[int(np.argmin(present))]
            raise InputError(
                f"{self._who}: {int((~present).sum())} of {self.n_classes} classes have no "
                f"training row (first: {lost!r})"
            )
        if self.n_ranks < 1:
            raise InputError(f"{self._who}: n_ranks={self.n_ranks} should be >= 1")
        if self.hierarchy is not None and len(self.hierarchy.class_nodes) != self.n_classes:
            raise InputError(
                f"{self._who}: a hierarchy of {len(self.hierarchy.class_nodes)} classes for "
                f"n_classes={self.n_classes}"
            )
        if self.label_sets is not None and len(self.label_sets) != len(self.eval_rows):
            raise InputError(
                f"{self._who}: {len(self.label_sets)} label sets for {len(self.eval_rows)} "
                "evaluation rows"
            )

    def _check_part(self, part: str) -> None:
        rows = np.array(getattr(self, f"{part}_rows"))
        targets = np.array(getattr(self, f"{part}_targets"))
        for kind, array in (("rows", rows), ("targets", targets)):
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise InputError(
                    f"{self._who}: {part}_{kind} are {array.dtype} of shape {array.shape}; "
                    "wanted one-dimensional integers"
                )
        if not len(rows):
            raise InputError(f"{self._who}: no {part} rows; a task needs some")
        if len(rows) != len(targets):
            raise InputError(f"{self._who}: {len(rows)} {part} rows but {len(targets)} targets")
        if rows[0] < 0 or not (rows[1:] > rows[:-1]).all():
            raise InputError(f"{self._who}: {part}_rows must be ascending, unique and >= 0")
        if not 0 <= targets.min() <= targets.max() < self.n_classes:
            raise InputError(
                f"{self._who}: {part}_targets run from {targets.min()} to {targets.max()}; "
                f"wanted 0 to n_classes-1={self.n_classes - 1}"
            )
        for kind, array, dtype in (("rows", rows, np.int64), ("targets", targets, np.int32)):
            array = array.astype(dtype)
            array.setflags(write=False)
            object.__setattr__(self, f"{part}_{kind}", array)

    @property
    def _who(self) -> str:
        return f"task {self.full_name}"

    @property
    def full_name(self) -> str:
        """benchmark/dataset/name."""
        return f"{self.benchmark}/{self.dataset}/{self.name}"

    def manifest(self) -> dict[str, Any]:
        """Everything that says what the task is, JSON-able; rows and targets as SHA-256.

        `manifest_hash` follows from the fields before it, `sha256` from all others.
        """
        counts = {
            part: np.bincount(targets, minlength=self.n_classes).tolist()
            for part, targets in (("train", self.train_targets), ("eval", self.eval_targets))
        }
        content = {
            "format": FORMAT,
            **self.identity,
            "manifest_hash": self.manifest_hash,
            "dataset": self.dataset,
            "seed": self.seed,
            "recipe": dict(self.recipe),
            "factors": dict(self.factors),
            "class_names": list(self.class_names),
            "train_counts": counts["train"],
            "eval_counts": counts["eval"],
        }
        return {**content, "sha256": sha256_json(content)}

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What `manifest_hash` is the hash of; `manifest.IDENTITY` lists the keys."""
        identity = {
            "benchmark": self.benchmark,
            "name": self.name,
            "index_hash": self.index_hash,
            "n_classes": self.n_classes,
            "train": _fingerprint(self.train_rows, self.train_targets),
            "eval": _fingerprint(self.eval_rows, self.eval_targets),
        }
        # Only where there is something, so that plain tasks keep their hashes.
        if self.n_ranks > 1:
            identity["n_ranks"] = self.n_ranks
        if self.hierarchy is not None:
            identity["hierarchy"] = self.hierarchy.fingerprint
        if self.label_sets is not None:
            identity["label_sets"] = dict(self.label_sets.fingerprint)
        return identity

    @cached_property
    def manifest_hash(self) -> str:
        """Hex SHA-256 of what a method and its score can depend on.

        That is: the names of benchmark and task, the index hash, K, the rows and targets and,
        where a task has them, the number of ranks, the hierarchy and the label sets. The recipe,
        the factors and the class names describe these and are left out, so that a reworded
        recipe or a last digit of a logarithm never makes a finished result look like another. So
        is the data set's name, which each user chooses; the index hash is what identifies it.
        """
        return sha256_json(self.identity)

    def verify(self, index: DatasetIndex) -> None:
        """Raise InputError unless the task fits `index`: its hash, its rows and its split.

        Training rows must be train rows of the index and evaluation rows must be val rows.
        """
        if index.hash != self.index_hash:
            raise InputError(
                f"{self._who} was built for index {self.index_hash[:12]}, "
                f"not {index.hash[:12]}; build it again from this data set"
            )
        for part, rows, value in (("train", self.train_rows, 0), ("eval", self.eval_rows, 1)):
            if rows[-1] >= index.n:
                raise InputError(f"{self._who}: {part} row {rows[-1]} of an index of {index.n}")
            wrong = np.flatnonzero(index.split[rows] != value)
            if len(wrong):
                row = int(rows[wrong[0]])
                raise InputError(
                    f"{self._who}: {len(wrong)} {part} rows are not of the "
                    f"{'val' if value else 'train'} split (first: {index.id(row)!r})"
                )


def _fingerprint(rows: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    return {"n": len(rows), "rows": sha256_array(rows), "targets": sha256_array(targets)}
