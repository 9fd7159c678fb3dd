"""Option values as text, turned into what the library takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..labels.matching import naming

if TYPE_CHECKING:
    from ..metrics import Resampling

_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}


def split_commas(values: Iterable[str]) -> list[str]:
    """`["a,b", "c"]` -> `["a", "b", "c"]`; empty parts are dropped."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def parse_seeds(text: str) -> int | tuple[int, ...]:
    """`3` -> 3 (a count); `0,4,7` or `4,` -> those seeds.

    Raises InputError for anything that is not whole numbers.
    """
    try:
        if "," not in text:
            return int(text)
        return tuple(int(part) for part in split_commas([text]))
    except ValueError as error:
        raise InputError(
            f"--seeds {text!r}: wanted a count such as 3, or seeds such as 0,4,7 (one seed: 4,)"
        ) from error


def parse_params(values: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`["temi.epochs=50"]` -> `{"temi": {"epochs": 50}}`.

    Raises InputError for a value that is not METHOD.NAME=VALUE, and for a name given twice.
    """
    params: dict[str, dict[str, Any]] = {}
    for value in values:
        target, equals, text = value.partition("=")
        method, dot, name = target.strip().partition(".")
        if not (equals and dot and method and name):
            raise InputError(
                f"--param {value!r}: wanted METHOD.NAME=VALUE, for example temi.epochs=50"
            )
        settings = params.setdefault(method, {})
        if name in settings:
            raise InputError(f"--param {method}.{name} is given twice; give it once")
        settings[name] = parse_value(text.strip())
    return params


def parse_value(text: str) -> Any:
    """true, false and none in any case, whole numbers and floats; anything else is text."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def resampling(
    n_resamples: int, level: float, seed: int, option: str = "--intervals"
) -> Resampling | None:
    """The resampling that options ask for, None for 0 resamples; all are checked in any case.

    Raises InputError naming the option.
    """
    from ..metrics import Resampling

    with naming({"n_resamples": option, "level": "--level", "seed": "--seed"}):
        found = Resampling(n_resamples or 2, level, seed)
    return found if n_resamples else None
