"""Values typed by a user, read as what the setting they are for is declared to be.

`none` is a text for a setting that is a text, and no value for one that may have none; `5` is a
number for a number and a text for a text.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from .doors import parse_json
from .errors import InputError
from .printable import shown

_BOOLS = {"true": True, "false": False}
_NONES = ("none", "null")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_QUOTED = re.compile(r"\"(.*)\"|'(.*)'", re.DOTALL)


class Typed(str):
    """A value as it was typed, whose kind is not known yet."""

    __slots__ = ()


def read_as(text: str, annotation: Any, where: str) -> Any:
    """The value that `text` stands for in a setting annotated so.

    A text in quotes is what is between them. Of an annotation that is no plain type, choice or
    union of such, the value is what it looks like: true, false, none, a number, else a text.
    Where a mapping is wanted, what begins with a brace is one, as JSON.

    Raises InputError, beginning with `where`, for a text that is none of what is wanted.
    """
    kinds = list(alternatives(annotation))
    if text.startswith("{") and any(_is_mapping(kind) for kind in kinds):
        return parse_json(text, where)
    choices = [choice for kind in kinds for choice in _choices(kind)]
    plain = [kind for kind in kinds if kind in (bool, int, float, str, types.NoneType)]
    if len(plain) + sum(bool(_choices(kind)) for kind in kinds) < len(kinds) or not kinds:
        return _looks_like(text)
    quoted = _QUOTED.fullmatch(text)
    inner = text if quoted is None else (quoted.group(1) or quoted.group(2) or "")
    for choice in choices:
        if inner == str(choice):
            return choice
    if quoted is None:
        for kind in (bool, types.NoneType, int, float):
            if kind in plain and (found := _read(text, kind)):
                return found[0]
    if str in plain:
        return inner
    wanted = [name_of(kind) for kind in plain] + [repr(choice) for choice in choices]
    found = _looks_like(text)
    what = f"a {type(found).__name__}" if text else "empty"
    raise InputError(f"{where}={shown(repr(found))} is {what}; wanted {' or '.join(wanted)}")


def alternatives(annotation: Any) -> Iterable[Any]:
    """The types of a union; an annotation that is none alone."""
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def name_of(kind: Any) -> str:
    """What a message calls a type."""
    if kind is bool:
        return "bool (true or false)"
    return "none" if kind is types.NoneType else str(getattr(kind, "__name__", kind))


def _is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _choices(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _read(text: str, kind: type) -> tuple[Any] | None:
    """The value in a tuple, since it may be False or None; None where the text has none."""
    lower = text.lower()
    if kind is bool:
        return (_BOOLS[lower],) if lower in _BOOLS else None
    if kind is types.NoneType:
        return (None,) if lower in _NONES else None
    if kind is int:
        return (int(text),) if _is_whole(text) else None
    if _is_whole(text):  # the method's own check turns it into a float, or keeps it
        return (int(text),)
    try:
        return (float(text),) if text.isascii() and "_" not in text else None
    except ValueError:
        return None


def _is_whole(text: str) -> bool:
    """Whether it is a whole number of 64 bits, which a result can hold."""
    return _WHOLE.fullmatch(text) is not None and -(2**63) <= int(text) < 2**63


def _looks_like(text: str) -> Any:
    for kind in (bool, types.NoneType, int, float):
        if found := _read(text, kind):
            return found[0]
    quoted = _QUOTED.fullmatch(text)
    return text if quoted is None else (quoted.group(1) or quoted.group(2) or "")
