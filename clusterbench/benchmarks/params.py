"""From a TOML table to a builder's parameters: a frozen dataclass, with every key checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from ..catalog import unknown_name
from ..errors import InputError

P = TypeVar("P")

#: "balanced": equally many evaluation images of each class; "natural": in proportion to training.
EVALUATIONS = ("balanced", "natural")


def read_params(cls: type[P], table: Mapping[str, Any], where: str) -> P:
    """Build the dataclass `cls` from a table; `where` begins every message (file and task).

    Raises InputError for an unknown key (with near names), a missing key, a value of another type
    than the field's, and whatever `cls` itself refuses.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in table:
        if key not in fields:
            raise InputError(f"{where}: {unknown_name('key', key, fields)}")
    values = {key: _typed(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise InputError(f"{where}: the key {name!r} is missing")
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def require(condition: bool, message: str) -> None:
    """Raise InputError(message) unless `condition` holds."""
    if not condition:
        raise InputError(message)


def check_eval_per_class(value: int | None) -> None:
    """Raise InputError for fewer than two evaluation images per class.

    With one image of each class, no clustering can put two images of a class together: adjusted
    scores are 0 or undefined.
    """
    require(value is None or value >= 2, f"eval_per_class={value} should be >= 2")


def check_evaluation(value: str) -> None:
    """Raise InputError unless the kind of evaluation set is one there is."""
    require(value in EVALUATIONS, f"evaluation={value!r} should be balanced or natural")


def _typed(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise InputError(f"{where} = {value!r} should be a list")
        return tuple(_typed(typing.get_args(hint)[0], item, where) for item in value)
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:  # bool is no int here
        raise InputError(f"{where} = {value!r} should be of type {hint.__name__}")
    return value
