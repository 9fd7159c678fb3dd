"""Types of the fields of stored JSON: names, hashes, times, counts and values of free form.

Whatever way a record comes to be, read or made, it goes through these, so that nothing is written
that the reader would refuse.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, FailFast, Field, JsonValue

from ..errors import InputError
from ..limits import (
    CLUSTERS,
    DIAGNOSTICS,
    DIMENSIONS,
    FREE_TEXT,
    FREE_VALUES,
    ONE_LINE,
    RESAMPLES,
    ROWS,
    SCORE,
    SEEDS,
    SETTING_VALUES,
    SETTINGS,
    THREADS,
    VERSIONS,
    WARNINGS,
    check_free,
    name_fault,
)
from ..printable import shown

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_PREDICTIONS = re.compile(r"[^/\\:]+\.npz")


def _name(value: str) -> str:
    return _one(value)


def _line(value: str) -> str:
    return _one(value, ONE_LINE) if value else value


def _one(value: str, *longest: int) -> str:
    if fault := name_fault(value, *longest):
        raise ValueError(f"{shown(repr(value))} {fault}")
    return value


def _time(value: str) -> str:
    try:
        datetime.datetime.strptime(value, _TIME)
    except ValueError:
        raise ValueError(f"{shown(repr(value))} is no time; wanted 2024-06-03T12:00:00Z") from None
    return value


def _predictions_file(value: str) -> str:
    if not _PREDICTIONS.fullmatch(value) or value.startswith("."):
        raise ValueError(f"{shown(repr(value))}; wanted the name of a .npz file in the same folder")
    return value


def free_fault(value: Any, largest: int, values: int = FREE_VALUES) -> str:
    """What keeps a value of free form from being recorded, "" if nothing does.

    value: JSON; of at most `largest` characters as JSON and of so many `values`, within
    `limits.check_free`, its keys names.
    """
    try:
        check_free(value, "it", values)
        length = len(json.dumps(value, allow_nan=False))
        if length > largest:
            raise InputError(f"it takes {length:,} characters as JSON; wanted at most {largest:,}")
        for key in _keys(value):
            if fault := name_fault(key):
                raise InputError(f"its key {shown(repr(key))} {fault}")
    except (ValueError, TypeError, RecursionError) as error:
        return str(error)
    return ""


def _keys(value: Any) -> list[str]:
    keys: list[Any] = []
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, Mapping):
            keys.extend(item)
            rest.extend(item.values())
        elif isinstance(item, list):
            rest.extend(item)
    return keys


def _free(largest: int, values: int = FREE_VALUES) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        if fault := free_fault(value, largest, values):
            raise ValueError(fault)
        return value

    return check


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: A date and a time that exist, as `2024-06-03T12:00:00Z`.
UtcTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), AfterValidator(_time)]
Seconds = Annotated[float, Field(ge=0)]

#: A name that is shown in tables (`limits.check_name`); a line of text, perhaps an empty one; a
#: text of any characters, which is escaped where it is shown.
Name = Annotated[str, AfterValidator(_name)]
Line = Annotated[str, AfterValidator(_line)]
Told = Annotated[str, Field(max_length=FREE_TEXT)]
Warned = Annotated[tuple[Told, ...], Field(max_length=WARNINGS), FailFast()]
#: The name of a file beside the result: no part of a path.
PredictionsFile = Annotated[Name, AfterValidator(_predictions_file)]

Count = Annotated[int, Field(ge=0, le=ROWS)]
Positive = Annotated[int, Field(ge=1, le=ROWS)]
Groups = Annotated[int, Field(ge=1, le=CLUSTERS)]
Dimension = Annotated[int, Field(ge=1, le=DIMENSIONS)]
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]
Version = Annotated[int, Field(ge=0, le=VERSIONS)]
Threads = Annotated[int, Field(ge=0, le=THREADS)]
Resamples = Annotated[int, Field(ge=0, le=RESAMPLES)]

#: A score, and scores by metric.
Score = Annotated[float, Field(ge=-SCORE, le=SCORE)]
ScoresByName = dict[Name, Score]
#: One number for each rank.
ByRank = Annotated[tuple[float, ...], FailFast()]

#: Values whose form the one who writes them chooses, within `limits.check_free`.
Settings = Annotated[dict[str, JsonValue], AfterValidator(_free(SETTINGS, SETTING_VALUES))]
Diagnostics = Annotated[dict[str, JsonValue], AfterValidator(_free(DIAGNOSTICS))]
