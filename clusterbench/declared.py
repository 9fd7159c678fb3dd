"""A table of a TOML file as a frozen dataclass: one reader for all declarations.

Every message begins with the file (and the table), names the key, and says what it should be.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .catalog import read_toml, unknown_name
from .errors import InputError

Declared = TypeVar("Declared")

_WORDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "none",
    tuple: "a list",
    list: "a list",
    dict: "a table",
    Mapping: "a table",
}


def read_declared(path: Path, cls: type[Declared]) -> Declared:
    """A TOML file as the dataclass `cls`; see `from_table`."""
    return from_table(cls, read_toml(path), str(path))


def from_table(
    cls: type[Declared],
    table: Mapping[str, Any],
    where: str,
    *,
    given: Mapping[str, Any] | None = None,
) -> Declared:
    """Build the dataclass `cls` from a table.

    Args:
        cls: a dataclass whose fields are the keys; those without a default must be there.
        table: keys and values as TOML gives them; lists count as tuples, whole numbers as floats.
        where: what every message begins with: the file, and the table in it.
        given: fields that are known without the table, which may not name them.

    Raises:
        InputError: an unknown key (with near names), a missing one, a value of another type, and
            whatever `cls` itself refuses.
    """
    given = given or {}
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in given}  # type: ignore[arg-type]
    check_keys(table, fields, where)
    hints = typing.get_type_hints(cls)
    values = {key: typed(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise InputError(f"{where}: the key {name!r} is missing")
    try:
        return cls(**given, **values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """InputError, with near names, for the first key that is not among the known ones."""
    for key in table:
        if key not in known:
            raise InputError(f"{where}: {unknown_name('key', key, known)}")


def check_texts(declared: Any, where: str, names: Collection[str]) -> None:
    """InputError for the first of some fields of a declaration that is empty or blank."""
    for name in names:
        if not getattr(declared, name).strip():
            raise InputError(f"{where}: {name} should be a text that is not empty")


def typed(hint: Any, value: Any, where: str) -> Any:
    """`value` as the type of a field; nothing but list to tuple and int to float is converted.

    Raises:
        InputError: it is of another type; the message begins with `where`.
    """
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise InputError(f"{where} = {value!r} should be a table")
        return from_table(hint, value, where)
    if isinstance(hint, types.UnionType):
        parts = [part for part in typing.get_args(hint) if dataclasses.is_dataclass(part)]
        if parts and isinstance(value, dict):
            return typed(parts[0], value, where)
    from pydantic import ValidationError

    try:
        # As JSON, where a list counts as a tuple, and strictly: true is no number, "3" neither.
        return _adapter(hint).validate_json(json.dumps(value), strict=True)
    except (
        ValidationError,
        ValueError,
        TypeError,
    ) as error:  # the last two: JSON has no such value
        raise InputError(f"{where} = {value!r} should be {in_words(hint)}") from error


def in_words(hint: Any) -> str:
    """What a value of a type is called: "a whole number", "a list"."""
    parts = [
        part
        for part in (typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,))
        if part is not type(None)
    ]
    return " or ".join(map(_in_words, parts))


def _in_words(part: Any) -> str:
    items = typing.get_args(part)
    if typing.get_origin(part) is tuple and Ellipsis not in items:
        return f"a list of {len(items)} numbers"
    return _WORDS.get(typing.get_origin(part) or part, "a table")


@functools.cache
def _adapter(hint: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(hint)
