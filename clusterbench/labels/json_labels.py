"""Labels in a JSON file: a list, an object of lists, or an object of {sample id: label}."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np

from ..doors import parse_json, read_bytes
from ..errors import InputError
from ..limits import JSON_KEY, JSON_LABELS, JSON_VALUES
from ..printable import shown
from .column_request import ColumnRequest, find_name
from .encoding import LabelColumn, id_texts
from .keys import ID_NAMES

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")


def read_json(request: ColumnRequest) -> LabelColumn:
    """The labels of a .json file, and their ids where it is an object.

    Where all sample ids are whole numbers, rows are in their order: an object has none of its own,
    and keys are often sorted as text.
    """
    path = request.path
    content = _content(request)
    where, ids, name = f"{path}: the labels", None, None
    keys = {}
    if isinstance(content, dict):
        names, values = list(content), list(content.values())
        found = _columns(request, names, values)
        if found is None:
            ids, content = _in_order(names, values)
        else:
            position, at = found
            content, name = values[position], names[position]
            where = request.where(name)
            ids = None if at is None else values[at]
            keys = {
                text: partial(_key, value, request.where(text))
                for text, value in zip(names, values, strict=True)
                if text != name
            }
    texts = None if ids is None else id_texts(_array(ids, f"{where}: ids"), where)
    return LabelColumn(where, _array(content, where), texts, name, keys)


def _content(request: ColumnRequest) -> Any:
    content = read_bytes(request.path, JSON_LABELS)
    values = sum(map(content.count, (b",", b"[", b"{"))) + JSON_KEY * content.count(b":")
    if values > JSON_VALUES:
        raise InputError(
            f"{request.path}: is too large for JSON, which is read up to {JSON_VALUES:,} values, "
            f"or {JSON_VALUES // (JSON_KEY + 1):,} with a key each: use .npy or .parquet"
        )
    repair = "wanted UTF-8 JSON: a list of labels, or an object"
    return parse_json(content, str(request.path), repair=repair)


def _columns(
    request: ColumnRequest, names: list[str], values: list[Any]
) -> tuple[int, int | None] | None:
    """Which keys hold the labels and the ids; None where the keys are sample ids."""
    is_list = [isinstance(value, list) for value in values]
    if len(names) == 1 and is_list[0] and request.column is None:
        return 0, None  # a list under any name; one sample's ranking would be no file of labels
    named = (find_name(names, (*request.known, *request.alone)), find_name(names, ID_NAMES))
    # A sample may be called "label"; its value is then a label, not a list of them.
    columns = any(at is not None and is_list[at] for at in named) or len(set(is_list)) > 1
    return request.choose(names) if columns or request.column is not None else None


def _in_order(names: list[str], values: list[Any]) -> tuple[list[str], list[Any]]:
    if not all(map(_WHOLE.fullmatch, names)):
        return names, values
    order = sorted(range(len(names)), key=lambda at: int(names[at]))
    return [names[at] for at in order], [values[at] for at in order]


def _key(values: Any, where: str) -> np.ndarray | None:
    if not isinstance(values, list) or not all(isinstance(value, (str, int)) for value in values):
        return None
    return id_texts(_array(values, where), where)


def _array(values: Any, where: str) -> Any:
    import pyarrow as pa

    if not isinstance(values, list):
        raise InputError(
            f"{where}: JSON {type(values).__name__} found; wanted a list, or an object of lists"
        )
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise InputError(
            f"{where}: values do not go together ({shown(str(error))}); "
            "wanted all whole numbers, all strings, or lists of them"
        ) from error
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
