"""What methods take and report, as JSON that a result can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import JsonValue

from ..errors import InputError
from ..limits import DIAGNOSTICS, FREE_DEPTH, WARNINGS
from ..printable import shown
from .fields import free_fault


def plain(value: Any, depth: int = 4 * FREE_DEPTH) -> JsonValue:
    """`value` as JSON: NumPy scalars and arrays become numbers and lists, NaN becomes "nan".

    Raises InputError for lists and mappings in each other more than `depth` levels deep, such as
    one that holds itself.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        if not depth:
            raise InputError("nested too deeply")
        if isinstance(value, dict):
            return {str(key): plain(item, depth - 1) for key, item in value.items()}
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def recordable(diagnostics: Mapping[Any, Any]) -> dict[str, JsonValue]:
    """What a method says about its fit, as JSON within the limits of a result.

    What is beyond them is left out, and a text in its place says why: a finished run is never lost
    to what it says about itself.
    """
    found: dict[str, JsonValue] = {}
    left = DIAGNOSTICS
    for key, value in list(diagnostics.items())[:WARNINGS]:
        name = shown(str(key)).strip() or "unnamed"
        try:
            content = plain(value)
            fault = free_fault({name: [content]}, left)
        except InputError as error:
            fault = str(error)
        found[name] = f"left out: {shown(fault)}" if fault else content
        left -= len(json.dumps({name: found[name]}))
    if fault := free_fault(found, DIAGNOSTICS):
        return {"left_out": f"left out: {shown(fault)}"}
    return found
