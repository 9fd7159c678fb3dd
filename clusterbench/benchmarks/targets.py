"""Targets that are more than one class per image: chains of a class tree, sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import sha256_array, sha256_json


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Where the classes of a task stand in a class tree.

    parents:     (n_nodes,) int32, the parent of each node, -1 for a root; no cycles
    class_nodes: (n_classes,) int32, the node of each target value, no two the same
    node_names:  one id per node

    Arrays are stored read-only. Raises InputError for anything else.
    """

    parents: np.ndarray
    class_nodes: np.ndarray
    node_names: tuple[str, ...]

    def __post_init__(self) -> None:
        parents = _integers("parents", self.parents)
        nodes = _integers("class_nodes", self.class_nodes)
        n_nodes = len(parents)
        if len(self.node_names) != n_nodes:
            raise InputError(f"hierarchy: {len(self.node_names)} names for {n_nodes} nodes")
        if n_nodes and not -1 <= parents.min() <= parents.max() < n_nodes:
            raise InputError(f"hierarchy: a parent lies outside -1..{n_nodes - 1}")
        if len(nodes) and not 0 <= nodes.min() <= nodes.max() < n_nodes:
            raise InputError(f"hierarchy: a class has a node outside 0..{n_nodes - 1}")
        if len(np.unique(nodes)) < len(nodes):
            raise InputError("hierarchy: two classes have the same node")
        for name, value in (("parents", parents), ("class_nodes", nodes)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if (self.depth < 0).any():
            stuck = self.node_names[int(np.argmax(self.depth < 0))]
            raise InputError(f"hierarchy: the parents of node {stuck!r} form a cycle")

    @cached_property
    def depth(self) -> np.ndarray:
        """(n_nodes,) int32: steps to the root, 0 for roots; -1 below a cycle."""
        depth = np.where(self.parents < 0, 0, -1).astype(np.int32)
        waiting = np.flatnonzero(depth < 0)
        while len(waiting):
            above = depth[self.parents[waiting]]
            known = above >= 0
            if not known.any():
                break
            depth[waiting[known]] = above[known] + 1
            waiting = waiting[~known]
        return depth

    def chains(self, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The chain of each sample's class as a set of labels: every node from it to its root.

        targets: (n,) in [0, n_classes). Returns (labels, offsets) as `metrics.score_label_sets`
        takes them: sample i has the nodes labels[offsets[i]:offsets[i + 1]], its class first.
        """
        at = self.class_nodes[np.asarray(targets)]
        lengths = self.depth[at].astype(np.int64) + 1
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        labels = np.empty(int(offsets[-1]), dtype=np.int32)
        step, active = 0, np.arange(len(at))
        while len(active):
            labels[offsets[active] + step] = at[active]
            at[active] = self.parents[at[active]]
            active = active[at[active] >= 0]
            step += 1
        return labels, offsets

    @cached_property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the tree and of the classes' places in it; names do not enter."""
        return sha256_json(
            {"parents": sha256_array(self.parents), "class_nodes": sha256_array(self.class_nodes)}
        )


@dataclass(frozen=True, eq=False)
class LabelSets:
    """Any number of labels per evaluation row, as the ReaL labels of ImageNet-1K.

    labels:  (total,) int32 in [0, len(names)), row after row, none twice in a row
    offsets: (n_eval + 1,) int64: evaluation row i has labels[offsets[i]:offsets[i + 1]], or none
    names:   one per label
    """

    labels: np.ndarray
    offsets: np.ndarray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        labels = _integers("labels", self.labels)
        offsets = _integers("offsets", self.offsets, np.int64)
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(labels):
            raise InputError(
                f"label sets: offsets must run from 0 to the {len(labels)} labels there are"
            )
        if (np.diff(offsets) < 0).any():
            raise InputError("label sets: offsets must not fall")
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(self.names):
            raise InputError(f"label sets: a label lies outside 0..{len(self.names) - 1}")
        for name, value in (("labels", labels), ("offsets", offsets)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def fingerprint(self) -> Mapping[str, Any]:
        """Number of rows and labels, and SHA-256 of both arrays."""
        return {
            "n": len(self),
            "n_labels": len(self.names),
            "labels": sha256_array(self.labels),
            "offsets": sha256_array(self.offsets),
        }


def _integers(name: str, value: np.ndarray, dtype: type = np.int32) -> np.ndarray:
    array = np.array(value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"{name} are {array.dtype} of shape {array.shape}; wanted one-dimensional integers"
        )
    return array.astype(dtype)
