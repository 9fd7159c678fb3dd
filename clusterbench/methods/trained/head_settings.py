"""Settings of trained heads: what each may be. A method takes those that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...errors import InputError
from ...estimator import number, positive_int, true_or_false, whole_number
from ..scaling import Scaler


def one_of(known: tuple[str, ...], name: str, value: Any) -> str:
    """`value`, which is one of some words.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, str) or value not in known:
        words = ", ".join(known[:-1]) + f" or {known[-1]}"
        raise InputError(f"{name}={value!r} should be {words}")
    return value


def _scaling(name: str, value: Any) -> str:
    del name
    return Scaler(value).scaling


def _spaces(name: str, value: Any) -> tuple[int, ...]:
    """Widths; a text of them with commas, as a command line has it, counts as well."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}( *, *[0-9]{1,9})*", value):
        value = [int(width) for width in value.split(",")]
    if not isinstance(value, (tuple, list)):
        raise InputError(f"{name}={value!r} should be a tuple of whole numbers >= 1")
    for width in value:
        positive_int(f"each of {name}", width)
    whole = all(type(width) is int for width in value)
    # The tuple as it was given where it is one already: `clone` looks for the same.
    return value if isinstance(value, tuple) and whole else tuple(int(width) for width in value)


def _or_auto(name: str, value: Any) -> int | str:
    if isinstance(value, str):
        if value != "auto":
            raise InputError(f"{name}={value!r} should be a whole number or 'auto'")
        return value
    return whole_number(name, value)


_ABOVE_ZERO = partial(number, above=0.0)
_SHARE = partial(number, at_least=0.0, at_most=1.0)
_DECAYS = ("constant", "cosine")
#: What may choose among heads: `selection.CRITERIA`, which takes long to load.
SELECT = ("loss", "consistency", "agreement", "silhouette", "calinski-harabasz", "linear")

#: Checks by the name of a setting: (name, value) -> the value, or an InputError.
CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(
        (
            "n_heads", "epochs", "batch_size", "n_neighbors", "hidden", "bottleneck",
            "smooth_rounds", "walks", "iterations", "every",
        ),
        positive_int,
    ),
    **dict.fromkeys(("warmup_epochs", "smooth_neighbors", "depth"), whole_number),
    **dict.fromkeys(
        (
            "learning_rate", "student_temperature", "teacher_temperature", "temperature",
            "epsilon", "power",
        ),
        _ABOVE_ZERO,
    ),
    **dict.fromkeys(("weight_decay", "alpha"), partial(number, at_least=0.0)),
    **dict.fromkeys(("momentum", "marginal_momentum"), _SHARE),
    "assignment": partial(one_of, ("batch", "full")),
    "queue": _or_auto,
    "memory": _or_auto,
    "debias": partial(number, above=0.0, below=1.0),
    "decay": partial(one_of, (*_DECAYS, "halving")),
    "momentum_decay": partial(one_of, _DECAYS),
    "precision": partial(one_of, ("auto", "float32", "bf16")),
    "start": partial(one_of, ("random", "kmeans")),
    "last": partial(one_of, ("cosine", "linear")),
    "mutual": true_or_false,
    "select": partial(one_of, SELECT),
    "scaling": _scaling,
    **dict.fromkeys(("steps", "inner_steps"), positive_int),
    "inner_learning_rate": _ABOVE_ZERO,
    "gamma": partial(number, at_least=0.0),
    "warm_start": true_or_false,
    "spaces": _spaces,
}  # fmt: skip
