"""Option values as text, turned into what the library takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..labels.matching import naming
from ..limits import FREE_TEXT
from ..printable import shown
from ..typed_text import Typed, read_as

if TYPE_CHECKING:
    from ..metrics import Resampling

_WHOLE = re.compile(r"-?[0-9]{1,40}")


def split_commas(values: Iterable[str]) -> list[str]:
    """`["a,b", "c"]` -> `["a", "b", "c"]`; empty parts are dropped."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def parse_seeds(text: str) -> int | tuple[int, ...]:
    """`3` -> 3 (a count); `0,4,7` or `4,` -> those seeds.

    Raises InputError for anything that is not whole numbers.
    """
    parts = split_commas([text])
    if not parts or not all(_WHOLE.fullmatch(part) for part in parts):
        raise InputError(
            f"--seeds {shown(repr(text))}: wanted a count such as 3, or seeds such as 0,4,7 "
            "(one seed: 4,)"
        )
    return tuple(int(part) for part in parts) if "," in text else int(parts[0])


def parse_params(values: Sequence[str]) -> dict[str, dict[str, Typed]]:
    """`["temi.epochs=50"]` -> `{"temi": {"epochs": Typed("50")}}`.

    Raises InputError for a value that is not METHOD.NAME=VALUE, and for a name given twice.
    """
    params: dict[str, dict[str, Typed]] = {}
    for value in values:
        target, equals, text = value.partition("=")
        method, dot, name = target.strip().partition(".")
        if not (equals and dot and method and name):
            raise InputError(
                f"--param {shown(repr(value))}: wanted METHOD.NAME=VALUE, for example "
                "temi.epochs=50"
            )
        if len(text) > FREE_TEXT:
            raise InputError(
                f"--param {shown(method)}.{shown(name)} has {len(text):,} characters; wanted at "
                f"most {FREE_TEXT:,}"
            )
        settings = params.setdefault(method, {})
        if name in settings:
            raise InputError(f"--param {shown(method)}.{shown(name)} is given twice; give it once")
        settings[name] = Typed(text.strip())
    return params


def parse_settings(values: Sequence[str]) -> dict[str, Any]:
    """`["beta=0.6", "init=random"]` -> `{"beta": 0.6, "init": "random"}`: what each looks like.

    Raises InputError for a value that is not NAME=VALUE, and for a name given twice.
    """
    named = _named(values, "--param", "beta=0.6")
    return {name: read_as(text, Any, f"--param {name}") for name, text in named.items()}


def parse_claims(values: Sequence[str]) -> dict[str, float]:
    """`["ami=0.61"]` -> `{"ami": 0.61}`.

    Raises InputError for a value that is not SCORE=NUMBER, and for a score given twice.
    """
    found = {}
    for name, text in _named(values, "--claim", "ami=0.61").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise InputError(f"--claim {shown(name)}={shown(text)}: wanted a number") from None
    return found


def _named(values: Sequence[str], option: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        name = name.strip()
        if not (equals and name):
            raise InputError(f"{option} {shown(repr(value))}: wanted NAME=VALUE, as in {example}")
        if len(text) > FREE_TEXT:
            raise InputError(
                f"{option} {shown(name)} has {len(text):,} characters; wanted at most {FREE_TEXT:,}"
            )
        if name in found:
            raise InputError(f"{option} {shown(name)} is given twice; give it once")
        found[name] = text.strip()
    return found


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
