"""A class tree (a forest, with one parent per node) as flat arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..catalog import unknown_name
from ..doors import read_text
from ..errors import InputError
from ..limits import CLASS_NAME, FREE_TEXT, TREE, TREE_DEPTH, TREE_NODES, name_fault
from ..printable import shown

HEADER = ("node", "parent", "name")


@dataclass(frozen=True, eq=False)
class Tree:
    """Nodes in ascending order of their ids, each with at most one parent.

    Where a method takes `nodes` as an array, it means indices as given by `find`.

    Attributes:
        nodes: ids, sorted and unique; node i is `nodes[i]`.
        parents: (n,) int32, the index of the parent, -1 for a root.
        names: readable names, one per node; they need not be unique.

    Raises:
        InputError: unsorted or repeated nodes, parents out of range, or a cycle.
    """

    nodes: tuple[str, ...]
    parents: np.ndarray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.nodes)
        parents = np.array(self.parents, dtype=np.int32)
        if parents.shape != (n,) or len(self.names) != n:
            raise InputError(
                f"a tree of {n} nodes came with parents of shape {parents.shape} and "
                f"{len(self.names)} names; one parent and one name per node are needed"
            )
        if any(a >= b for a, b in zip(self.nodes, self.nodes[1:], strict=False)):
            raise InputError("the nodes of a tree must be unique and in ascending order")
        if n > TREE_NODES:
            raise InputError(f"a tree of {n:,} nodes; at most {TREE_NODES:,}")
        if n and (int(parents.min()) < -1 or int(parents.max()) >= n):
            raise InputError(f"a parent index lies outside -1..{n - 1}")
        parents.setflags(write=False)
        object.__setattr__(self, "parents", parents)
        stuck = np.flatnonzero(self.depth < 0)
        if len(stuck):
            raise InputError(f"the tree has a cycle: {self._cycle_text(int(stuck[0]))}")

    @classmethod
    def from_parents(
        cls, parents: dict[str, str | None], names: dict[str, str] | None = None
    ) -> Tree:
        """Build a tree from links in any order.

        Args:
            parents: node -> parent, None or "" for a root.
            names: node -> readable name, by default the node.

        Raises:
            InputError: a parent that is not a node, or a cycle.
        """
        nodes = tuple(sorted(parents))
        index = {node: i for i, node in enumerate(nodes)}
        links = np.full(len(nodes), -1, dtype=np.int32)
        for i, node in enumerate(nodes):
            if parent := parents[node]:
                if parent not in index:
                    raise InputError(f"node {node!r} has parent {parent!r}, which is not a node")
                links[i] = index[parent]
        labels = names or {}
        return cls(nodes, links, tuple(labels.get(node) or node for node in nodes))

    @classmethod
    def read(cls, path: Path) -> Tree:
        """Read `tree.tsv`: UTF-8, header `node<TAB>parent<TAB>name`, parent empty for a root.

        The order of the lines does not matter.

        Raises:
            InputError: a missing file, a wrong header or column count, an empty or repeated node,
                an unknown parent, or a cycle; the message names file, line and node.
        """
        path = Path(path)
        parents: dict[str, str | None] = {}
        names: dict[str, str] = {}
        lines: dict[str, int] = {}
        for number, (node, above, name) in _rows(path):
            for text, most in ((node, CLASS_NAME), (above, CLASS_NAME), (name, FREE_TEXT)):
                if text and (fault := name_fault(text, most)):
                    raise InputError(f"{path}, line {number}: {shown(repr(text))} {fault}")
            if len(lines) >= TREE_NODES:
                raise InputError(f"{path}: has more than {TREE_NODES:,} nodes")
            if not node:
                raise InputError(f"{path}, line {number}: the node is empty; give it an id")
            if node in lines:
                raise InputError(
                    f"{path}, line {number}: node {node!r} stands already on line {lines[node]}; "
                    "a node has one line and one parent"
                )
            lines[node], parents[node], names[node] = number, above or None, name
        for node, parent in parents.items():
            if parent is not None and parent not in lines:
                raise InputError(
                    f"{path}, line {lines[node]}: node {node!r} has parent {parent!r}, "
                    "which is not a node of the file; add its line or leave the parent empty"
                )
        loop = _find_cycle(parents)
        if loop:
            raise InputError(
                f"{path}, line {lines[loop[0]]}: node {loop[0]!r} is in a cycle: "
                f"{_loop_text(loop)}; a chain of parents must end at a root"
            )
        tree = cls.from_parents(parents, names)
        if tree.height > TREE_DEPTH:
            raise InputError(
                f"{path}: a node is {tree.height:,} steps below its root; at most {TREE_DEPTH:,}"
            )
        return tree

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {node: i for i, node in enumerate(self.nodes)}

    def __contains__(self, node: object) -> bool:
        return node in self._index

    def find(self, nodes: Iterable[str]) -> np.ndarray:
        """Indices (int32) of node ids.

        Raises:
            InputError: an unknown id; near ones are suggested.
        """
        index = self._index
        try:
            return np.array([index[node] for node in nodes], dtype=np.int32)
        except KeyError as error:
            raise unknown_name("tree node", str(error.args[0]), self.nodes) from None

    @cached_property
    def depth(self) -> np.ndarray:
        """(n,) int32: steps to the root, 0 for roots."""
        depth = np.full(len(self.nodes), -1, dtype=np.int32)
        front = np.flatnonzero(self.parents < 0)
        level = 0
        while len(front):
            depth[front] = level
            front = self._children_of(front)
            level += 1
        depth.setflags(write=False)
        return depth

    @cached_property
    def height(self) -> int:
        """The greatest depth; -1 for an empty tree."""
        return int(self.depth.max()) if len(self.nodes) else -1

    @cached_property
    def _child_table(self) -> tuple[np.ndarray, np.ndarray]:
        """(order, start): the children of node i are order[start[i]:start[i + 1]], ascending."""
        order = np.argsort(self.parents, kind="stable").astype(np.int32)
        counts = np.bincount(self.parents + 1, minlength=len(self.nodes) + 1)
        return order, np.cumsum(counts)

    def _children_of(self, nodes: np.ndarray) -> np.ndarray:
        order, start = self._child_table
        first, size = start[nodes], start[nodes + 1] - start[nodes]
        shift = np.repeat(first - (np.cumsum(size) - size), size)
        below: np.ndarray = order[shift + np.arange(int(size.sum()))]
        return below

    def children(self, node: int) -> np.ndarray:
        """Indices (int32, ascending) of the children of a node."""
        order, start = self._child_table
        below: np.ndarray = order[start[node] : start[node + 1]]
        return below

    @cached_property
    def is_leaf(self) -> np.ndarray:
        """(n,) bool: the node has no child."""
        leaf = np.ones(len(self.nodes), dtype=bool)
        leaf[self.parents[self.parents >= 0]] = False
        leaf.setflags(write=False)
        return leaf

    @property
    def roots(self) -> np.ndarray:
        """Indices (int64, ascending) of the nodes without a parent."""
        found: np.ndarray = np.flatnonzero(self.parents < 0)
        return found

    def chain(self, node: int) -> np.ndarray:
        """Indices (int32) from the node itself up to its root."""
        links = [int(node)]
        while (parent := int(self.parents[links[-1]])) >= 0:
            links.append(parent)
        return np.array(links, dtype=np.int32)

    def descendants(self, node: int) -> np.ndarray:
        """Indices (int32, ascending) of everything below a node, the node itself left out."""
        front = self.children(node)
        found = [front]
        while len(front):
            front = self._children_of(front)
            found.append(front)
        return np.sort(np.concatenate(found))

    def leaves(self, node: int | None = None) -> np.ndarray:
        """Indices (ascending) of all leaves, or of those at or below a node."""
        if node is None:
            return np.flatnonzero(self.is_leaf).astype(np.int32)
        if self.is_leaf[node]:
            return np.array([node], dtype=np.int32)
        below = self.descendants(node)
        ends: np.ndarray = below[self.is_leaf[below]]
        return ends

    def cut(self, depth: int) -> np.ndarray:
        """(n,) int32: for every node its ancestor at `depth`; a node not deeper is itself.

        Two nodes share a label after the cut exactly when they share that ancestor.

        Raises:
            InputError: a negative depth.
        """
        if depth < 0:
            raise InputError(f"depth={depth} should be >= 0, the depth of the roots")
        ancestor = np.arange(len(self.nodes), dtype=np.int32)
        for level in range(depth + 1, self.height + 1):
            at_level = np.flatnonzero(self.depth == level)
            ancestor[at_level] = ancestor[self.parents[at_level]]
        return ancestor

    def lowest_common_ancestor(self, a: np.ndarray | int, b: np.ndarray | int) -> np.ndarray:
        """Index (int32) of the deepest node above or equal to both; -1 across two trees.

        At most 2 * height vector steps.

        Args:
            a: node indices.
            b: node indices that broadcast against `a`.
        """
        shape = np.broadcast_shapes(np.shape(a), np.shape(b))
        left: np.ndarray = np.broadcast_to(np.asarray(a, dtype=np.int32), shape)
        right: np.ndarray = np.broadcast_to(np.asarray(b, dtype=np.int32), shape)
        for _ in range(self.height + 1):
            depth_left = np.where(left < 0, -1, self.depth[left])
            depth_right = np.where(right < 0, -1, self.depth[right])
            apart = left != right
            if not apart.any():
                break
            lift_left = apart & (depth_left >= depth_right)
            lift_right = apart & (depth_right >= depth_left)
            left = np.where(lift_left, self.parents[left], left)
            right = np.where(lift_right, self.parents[right], right)
        return left

    def _cycle_text(self, start: int) -> str:
        parents = {
            node: self.nodes[p] if p >= 0 else None
            for node, p in zip(self.nodes, self.parents.tolist(), strict=True)
        }
        return _loop_text(_find_cycle(parents) or [self.nodes[start]])


def _rows(path: Path) -> Iterable[tuple[int, tuple[str, str, str]]]:
    text = read_text(path, TREE)
    header = "<TAB>".join(HEADER)
    lines = text.split("\n")
    if tuple(lines[0].rstrip("\r").split("\t")) != HEADER:
        found = shown(repr(lines[0][:80]))
        raise InputError(f"{path}, line 1: found {found}; the header must be {header}")
    for number, line in enumerate(lines[1:], start=2):
        line = line.rstrip("\r")
        if not line:
            continue
        fields = line.split("\t")
        if len(fields) != 3:
            raise InputError(
                f"{path}, line {number}: {len(fields)} columns in {line[:80]!r}; "
                f"three are needed: {header}"
            )
        yield number, (fields[0], fields[1], fields[2])


def _find_cycle(parents: dict[str, str | None]) -> list[str]:
    """The nodes of one cycle, each followed by its parent; empty when there is none."""
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {}
        node: str | None = start
        while node is not None and node not in done:
            if node in path:
                walk = list(path)
                return walk[walk.index(node) :]
            path[node] = None
            node = parents[node]
        done.update(path)
    return []


def _loop_text(loop: Sequence[str]) -> str:
    shown = [*loop[:6], "..."] if len(loop) > 6 else [*loop, loop[0]]
    return " -> ".join(shown)
