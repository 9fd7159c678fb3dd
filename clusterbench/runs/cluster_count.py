"""How many clusters a task gets: its classes, a number, or a factor of its classes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from ..errors import InputError

_NUMBER = re.compile(r"[0-9]{1,18}")
_FACTOR = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?|\.[0-9]{1,18})[xX]")


def cluster_count(k: Any) -> Callable[[int], int]:
    """The function from a task's number of classes to its number of clusters.

    k: None (as many as classes), a whole number >= 1 or its text, or a factor such as "2x" or
    "0.5x": that many times the classes, halves rounded up, at least 1.

    Raises InputError for anything else.
    """
    if k is None:
        return lambda n_classes: n_classes
    if isinstance(k, str) and (found := _FACTOR.fullmatch(k.strip())):
        factor = Fraction(found.group(1))  # exact: 1.1x of 10 classes is 11, not 11.000...2
        if factor > 0:
            return lambda n_classes: max(1, math.floor(factor * n_classes + Fraction(1, 2)))
    elif isinstance(k, str) and _NUMBER.fullmatch(k.strip()):
        return cluster_count(int(k))
    elif isinstance(k, int) and not isinstance(k, bool) and k >= 1:
        return lambda n_classes: k
    raise InputError(
        f"k={k!r}; wanted a whole number >= 1, or a factor of the number of classes such as "
        "2x or 0.5x"
    )
