"""What the parameters of builders check alike."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError
from ..limits import ROWS, SEEDS, TREE_DEPTH
from ..printable import shown

#: "balanced": equally many evaluation images of each class; "natural": in proportion to training.
EVALUATIONS = ("balanced", "natural")


def require(condition: bool, message: str) -> None:
    """Raise InputError(message) unless `condition` holds."""
    if not condition:
        raise InputError(message)


def check_count(name: str, value: int | None, least: int, most: int = ROWS) -> None:
    """Raise InputError unless a parameter is a whole number in [least, most], or None."""
    if value is None:
        return
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise InputError(f"{name}={shown(repr(value))} should be a whole number")
    require(value >= least, f"{name}={value} should be >= {least}")
    require(value <= most, f"{name}={shown(value)} should be at most {most:,}")


def check_draw(seed: int, depth: int | None = None) -> None:
    """Raise InputError for a seed outside [0, 2**31), or a depth that no class tree has."""
    require(seed is not None, "seed=None should be a whole number")
    check_count("seed", seed, 0, SEEDS - 1)
    check_count("depth", depth, 0, TREE_DEPTH)


def check_number(name: str, value: float | None, low: float, high: float) -> None:
    """Raise InputError unless a parameter is a finite number in [low, high], or None."""
    if value is None:
        return
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise InputError(f"{name}={shown(repr(value))} should be a number")
    require(value >= low, f"{name}={value:g} should be >= {low:g}")
    require(value <= high and math.isfinite(value), f"{name}={value:g} should be <= {high:g}")


def check_eval_per_class(value: int | None) -> None:
    """Raise InputError for fewer than two evaluation images per class.

    With one image of each class, no clustering can put two images of a class together: adjusted
    scores are 0 or undefined.
    """
    check_count("eval_per_class", value, 2)


def check_evaluation(value: str) -> None:
    """Raise InputError unless the kind of evaluation set is one there is."""
    require(value in EVALUATIONS, f"evaluation={value!r} should be balanced or natural")
