"""Candidates: partitions of the same rows, their clusters numbered in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..metrics.validate import CheckedLabels, check_labels


@dataclass(frozen=True, eq=False)
class Partition:
    """A partition of n rows into clusters that all have rows.

    Attributes:
        labels: (n,) int32, 0 to n_used - 1. Clusters are numbered in the order in which the rows
            meet them, so that two names of one partition are the same arrays.
        sizes: (n_used,) int64, rows of each cluster.
        numbers: (n_used,) int64, what the caller calls the clusters.
    """

    labels: np.ndarray
    sizes: np.ndarray
    numbers: np.ndarray

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.labels)

    @property
    def n_used(self) -> int:
        """Clusters that have rows."""
        return len(self.sizes)

    @property
    def checked(self) -> CheckedLabels:
        """The labels as metrics take them."""
        return CheckedLabels(self.labels, self.n_used - 1, False)


def partition(labels: Any, name: str = "the candidate") -> Partition:
    """A candidate, checked; O(n) time and 12 n bytes.

    Args:
        labels: (n,) whole numbers from 0, or strings.
        name: what the candidate is called in errors.

    Raises:
        InputError: no labels, or a row without a cluster.
    """
    return _numbered(_complete(labels, name))


def partitions(candidates: Sequence[Any]) -> list[Partition]:
    """Candidates, checked.

    Raises:
        InputError: there is none, one is unusable, or they are of different numbers of rows.
    """
    try:
        given = list(candidates)
    except TypeError as error:
        raise InputError(f"candidates are {type(candidates).__name__}; give a list") from error
    found = [partition(one, f"candidate {number}") for number, one in enumerate(given)]
    if not found:
        raise InputError("there is no candidate; give one or more arrays of clusters")
    for number, one in enumerate(found):
        if one.n != found[0].n:
            raise InputError(
                f"candidate {number} has {one.n} rows and candidate 0 has {found[0].n}; all "
                "should be clusters of the same rows"
            )
    return found


def placed(labels: Any, of: Partition, name: str) -> np.ndarray:
    """Clusters of other rows by a partition's numbers: (m,) int32, -1 where it has no such cluster.

    Raises:
        InputError: no labels, a row without a cluster, or no row in a cluster of the partition.
    """
    found = _complete(labels, name)
    order = np.argsort(of.numbers)
    given = found.given[found.values]
    if given.dtype.kind != of.numbers.dtype.kind or not np.isin(given, of.numbers).any():
        raise InputError(
            f"{name} has no cluster that its candidate has; give both the same names of clusters"
        )
    at = np.minimum(np.searchsorted(of.numbers[order], given), of.n_used - 1)
    known = of.numbers[order][at] == given
    return np.where(known, order[at], -1).astype(np.int32)


def _complete(labels: Any, name: str) -> CheckedLabels:
    found = check_labels(labels, name)
    if found.some_missing:
        raise InputError(
            f"{name} leaves row {int(found.values.argmin())} without a cluster (-1); a candidate "
            "should give each row one"
        )
    return found


def _numbered(found: CheckedLabels) -> Partition:
    n = len(found.values)
    sizes = np.bincount(found.values, minlength=found.highest + 1)
    first = np.full(len(sizes), n, dtype=np.int64)
    first[found.values[::-1]] = np.arange(n - 1, -1, -1)  # the last to be written is the first row
    used = np.flatnonzero(sizes)
    used = used[np.argsort(first[used])]
    number = np.empty(len(sizes), dtype=np.int32)
    number[used] = np.arange(len(used))
    return Partition(number[found.values], sizes[used], found.given[used])
