"""Checks on the labels and class trees a caller hands in; all behind them trusts its input."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels.ancestry import Forest, depths, forest

#: A sample without a class or without a cluster; as text in string labels.
MISSING = -1

#: Numbers below it index arrays as they are, however few samples there are.
_SMALL = 1 << 17


@dataclass(frozen=True, eq=False)
class CheckedLabels:
    """Checked labels.

    Attributes:
        values: (n,) int32 or int64, >= -1, C-contiguous; -1 is missing.
        highest: the largest value, -1 if all are missing; it is below 4 n or 2**17.
        some_missing: whether one is.
        found: where the labels given were strings or far apart, they in ascending order, and values
            are positions in it; else None.
    """

    values: np.ndarray
    highest: int
    some_missing: bool
    found: np.ndarray | None = None

    @property
    def renumbered(self) -> bool:
        """Whether values are not the labels given."""
        return self.found is not None

    @property
    def given(self) -> np.ndarray:
        """(highest + 1,) the label given for each value."""
        return np.arange(self.highest + 1) if self.found is None else self.found


def check_labels(
    values: Any, name: str, *, limit: int | None = None, option: str = ""
) -> CheckedLabels:
    """Labels fit to index an array of about n entries (or 2**17).

    Labels need not be contiguous: where the largest is far above n, and for strings, they are
    renumbered in their order.

    Args:
        values: (n,) or (n, 1) array or list of whole numbers >= -1 (floats are accepted if all are
            whole) or of strings; -1, or "-1", is missing.
        name: what the labels are called in errors.
        limit: with it, labels must be numbers below it.
        option: the argument that set the limit.

    Raises:
        InputError: anything else; the message names the value found.
    """
    array = as_array(values, name)
    if array.ndim == 2 and array.shape[1] == 1:  # a table's column
        array = array[:, 0]
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; give a 1-D array, one label per sample")
    if array.dtype.kind in "UST":
        if limit is not None:
            raise InputError(
                f"{name} are strings but {option}={limit}; with {option}, give whole numbers"
            )
        found, array = np.unique(array, return_inverse=True)
        missing = found == (b"-1" if found.dtype.kind == "S" else "-1")
        return _renumbered(array, found, missing)
    array = whole_numbers(array, name)
    smallest, largest = int(array.min()), int(array.max())
    if smallest < MISSING:
        raise InputError(
            f"{name} has label {smallest} at position {int(array.argmin())}; "
            "labels start at 0, and -1 means not assigned"
        )
    if limit is not None and largest >= limit:
        raise InputError(
            f"{name} has label {largest} at position {int(array.argmax())} but {option}={limit}; "
            f"labels must be 0 to {limit - 1}"
        )
    if largest < min(max(4 * array.size, _SMALL), 2**31 - 1):
        return _labels(array)
    found, array = np.unique(array, return_inverse=True)
    return _renumbered(array, found, found == MISSING)


def check_targets(targets: Any, n_classes: int | None = None) -> CheckedLabels:
    """Targets as labels, with `n_classes` as the limit.

    Raises:
        InputError: unusable ones, or no sample has a class.
    """
    if n_classes is not None:
        n_classes = check_count(n_classes, "n_classes")
    classes = check_labels(targets, "targets", limit=n_classes, option="n_classes")
    if classes.highest < 0:
        raise InputError("every target is -1, which means no class; give targets from 0")
    return classes


def check_same_length(targets: np.ndarray, predictions: np.ndarray, what: str = "") -> None:
    """Check that there is one prediction per target; `what` is what errors call the predictions.

    Raises:
        InputError: there are fewer or more.
    """
    if len(targets) != len(predictions):
        raise InputError(
            f"{len(targets)} targets but {len(predictions)} {what or 'predictions'}; "
            "give one prediction per target, in the same order"
        )


def check_frequencies(frequencies: Any, classes: CheckedLabels) -> np.ndarray | None:
    """Class frequencies as (highest class + 1 or more,) int64; None for None.

    Raises:
        InputError: a count that is negative or not whole, fewer counts than classes, or classes
            that are no small numbers to look them up by.
    """
    if frequencies is None:
        return None
    name = "class_frequencies"
    if classes.renumbered:
        raise InputError(f"{name} needs targets that are small whole numbers, to look classes up")
    array = as_array(frequencies, name)
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; give a 1-D array, one count per class")
    array = whole_numbers(array, name)
    if int(array.min()) < 0:
        raise InputError(f"{name} has {int(array.min())} at position {int(array.argmin())}")
    if len(array) <= classes.highest:
        raise InputError(
            f"{name} has {len(array)} counts but targets has label {classes.highest}; "
            "give one count per class"
        )
    return array.astype(np.int64)


def check_count(value: Any, option: str, *, least: int = 1) -> int:
    """`value` as an int in [least, 2**31); `option` is its name in errors.

    Raises:
        InputError: it is no whole number, or outside.
    """
    wanted = f"give a whole number from {least} to {2**31 - 1}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        count = operator.index(value)
    except TypeError:
        raise InputError(f"{option}={value!r}; {wanted}") from None
    if not least <= count < 2**31:
        raise InputError(f"{option}={count}; {wanted}")
    return count


def check_parents(parents: Any) -> Forest:
    """Parents, (n_nodes,) whole numbers, as a forest.

    Raises:
        InputError: not 1-D, not whole, out of range, or in a cycle.
    """
    array = as_array(parents, "parents")
    if array.ndim != 1:
        raise InputError(
            f"parents has shape {array.shape}; give a 1-D array, the parent of each node"
        )
    array = whole_numbers(array, "parents")
    wrong = (array < -1) | (array >= len(array))
    if wrong.any():
        node = int(wrong.argmax())
        raise InputError(
            f"parents has {array[node]} for node {node}; "
            f"a parent is a node, 0 to {len(array) - 1}, or -1 for a root"
        )
    array = np.ascontiguousarray(array, dtype=np.int32)
    depth = depths(array)
    if (depth < 0).any():
        raise InputError(
            f"parents has a cycle: the chain from node {int((depth < 0).argmax())} never ends; "
            "a chain of parents must end at a root, -1"
        )
    return forest(array, depth)


def check_class_nodes(class_nodes: Any, n_nodes: int) -> np.ndarray:
    """The node of each class: (n_classes,) int32, no two the same.

    Raises:
        InputError: not 1-D, not whole, not among the nodes, or a node used twice.
    """
    array = as_array(class_nodes, "class_nodes")
    if array.ndim != 1:
        raise InputError(
            f"class_nodes has shape {array.shape}; give a 1-D array, the node of each class"
        )
    array = whole_numbers(array, "class_nodes")
    wrong = (array < 0) | (array >= n_nodes)
    if wrong.any():
        position = int(wrong.argmax())
        raise InputError(
            f"class_nodes has {array[position]} for class {position}; "
            f"the nodes of the tree are 0 to {n_nodes - 1}"
        )
    found, repeats = np.unique(array, return_counts=True)
    if len(found) < len(array):
        node = found[repeats > 1][0]
        first, second = np.flatnonzero(array == node)[:2].tolist()
        raise InputError(
            f"class_nodes has node {node} for classes {first} and {second}; "
            "give each class a node of its own"
        )
    return array.astype(np.int32)


def check_placed_targets(targets: Any, nodes: np.ndarray) -> tuple[CheckedLabels, np.ndarray]:
    """Targets as labels, and the node of each of them.

    Args:
        targets: (n,) whole numbers below n_classes, or -1.
        nodes: (n_classes,) int32.

    Returns:
        The labels, and (highest label + 1,) int32 nodes.

    Raises:
        InputError: targets without a node, and as `check_targets`.
    """
    classes = check_labels(targets, "targets", limit=len(nodes), option="len(class_nodes)")
    return check_targets(classes.values), nodes[classes.given]


def as_array(values: Any, name: str) -> np.ndarray:
    """`values` as a NumPy array with at least one entry; `name` is theirs in errors.

    Raises:
        InputError: they are empty or no array, or some are masked.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        position = int(np.ma.getmaskarray(values).reshape(-1).argmax())
        raise InputError(
            f"{name} is masked at position {position}; write -1 for a sample that has no label, or "
            "leave it out (`filled(-1)`, `compressed()`)"
        )
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{name} cannot be read as an array ({error}); give a 1-D array or list of labels"
        ) from error
    if array.size == 0 and array.ndim:
        raise InputError(f"{name} is empty; give at least one label")
    return array


def whole_numbers(array: np.ndarray, name: str) -> np.ndarray:
    """An array of whole numbers as integers; `name` is theirs in errors.

    Raises:
        InputError: any other value or dtype.
    """
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind != "f":
        hint = "; for Python strings, numpy.asarray(labels, str)" if array.dtype == object else ""
        raise InputError(f"{name} has dtype {array.dtype}; give whole numbers or strings{hint}")
    # From there on a float of this width may stand for several whole numbers.
    limit = 2 ** (np.finfo(array.dtype).nmant + 1)
    wide = array.astype(np.float64)
    wrong = ~(np.abs(wide) < limit) | (wide != np.floor(wide))  # NaN fails the comparison
    if wrong.any():
        position = int(wrong.argmax())
        value = float(wide.flat[position])
        wanted = "give whole numbers"
        if value.is_integer():
            wanted = f"{array.dtype} does not tell such numbers apart, give them as integers"
        raise InputError(f"{name} has {value} at position {position}; {wanted}")
    return wide.astype(np.int64)


def _renumbered(positions: np.ndarray, found: np.ndarray, missing: np.ndarray) -> CheckedLabels:
    """positions: of each sample in `found`; missing: (n_found,) bool, the label that is none."""
    codes = np.cumsum(~missing) - 1
    codes[missing] = MISSING
    return _labels(codes[positions], found[~missing])


def _labels(array: np.ndarray, found: np.ndarray | None = None) -> CheckedLabels:
    narrow = array.dtype.itemsize < 4 or array.dtype == np.int32
    values = np.ascontiguousarray(array, dtype=np.int32 if narrow else np.int64)
    return CheckedLabels(values, int(values.max()), bool(values.min() < 0), found)
