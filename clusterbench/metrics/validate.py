"""Checks on the labels a caller hands in; everything behind them trusts its input."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..errors import InputError


def check_labels(
    values: Any, name: str, *, limit: int | None = None, option: str = ""
) -> np.ndarray:
    """The labels as (n,) int32 >= 0, fit to index an array of about n entries.

    values: 1-D array or list of whole numbers >= 0 (floats are accepted if all are whole). Labels
    need not be contiguous: where the largest is far above n they are renumbered in their order.
    name: what the labels are called in errors. limit: with it, labels must lie in [0, limit);
    option: the argument that set it.

    Raises InputError for anything else, naming the value found.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{name} cannot be read as an array ({error}); give a 1-D array or list of labels"
        ) from error
    if array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}; give a 1-D array, one label per sample")
    if array.size == 0:
        raise InputError(f"{name} is empty; give at least one label")
    if array.dtype.kind == "f":
        array = _whole(array, name)
    elif array.dtype.kind not in "iu":
        raise InputError(f"{name} has dtype {array.dtype}; give whole numbers, 0 or above")
    smallest, largest = int(array.min()), int(array.max())
    if smallest < 0:
        raise InputError(
            f"{name} has label {smallest} at position {int(array.argmin())}; "
            "labels start at 0: drop unassigned samples or give them a cluster of their own"
        )
    if limit is not None and largest >= limit:
        raise InputError(
            f"{name} has label {largest} at position {int(array.argmax())} but {option}={limit}; "
            f"labels must be 0 to {limit - 1}"
        )
    if largest >= min(4 * array.size + 1024, 2**31 - 1):
        array = np.unique(array, return_inverse=True)[1]
    return np.ascontiguousarray(array, dtype=np.int32)


def check_same_length(targets: np.ndarray, predictions: np.ndarray) -> None:
    """InputError unless there is one prediction per target."""
    if len(targets) != len(predictions):
        raise InputError(
            f"{len(targets)} targets but {len(predictions)} predictions; "
            "give one prediction per target, in the same order"
        )


def check_count(value: Any, option: str, *, least: int = 1) -> int:
    """`value` as an int in [least, 2**31), or InputError."""
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


def _whole(array: np.ndarray, name: str) -> np.ndarray:
    wrong = ~(np.abs(array) < 2**53) | (array != np.floor(array))  # NaN fails the comparison
    if wrong.any():
        position = int(wrong.argmax())
        raise InputError(
            f"{name} has {array[position]} at position {position}; give whole numbers, 0 or above"
        )
    return array.astype(np.int64)
