"""What every stored JSON model shares: strict fields, and one clear error for a damaged file."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..doors import check_amount, parse_json, read_bytes
from ..errors import InputError
from ..limits import KEYS, FileKind
from ..printable import shown

#: Keys whose values have a free form.
FREE = ("params", "diagnostics")

Model = TypeVar("Model", bound="StrictModel")


class StrictModel(BaseModel):
    """Frozen; unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
    )

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, keys in the order of the documentation."""
        return self.model_dump(mode="json", by_alias=True)


def read_model(
    path: Path, model: type[Model], *, kind: FileKind, schema: str, repair: str
) -> Model:
    """Read one JSON file as `model`; arguments and errors as of `read_one_of`."""
    return read_one_of(path, {schema: model}, kind=kind, repair=repair)


def read_one_of(
    path: Path, models: Mapping[str, type[Model]], *, kind: FileKind, repair: str
) -> Model:
    """Read one JSON file as the model that its schema names.

    Args:
        path: the file.
        models: by the value of the file's "schema" key: all that are read.
        kind: what such a file is called, and how large it may be.
        repair: what to do about a file that cannot be read, as the end of the message.

    Raises:
        InputError: the file is missing, is not whole JSON, has another schema, or a field is
            missing, unknown or of the wrong type. The message names the file and the first fault.
    """
    path = Path(path)
    return parse_one_of(read_bytes(path, kind), str(path), models, kind=kind, repair=repair)


def parse_one_of(
    content: bytes, where: str, models: Mapping[str, type[Model]], *, kind: FileKind, repair: str
) -> Model:
    """What `read_one_of` does with the content of a file; messages begin with `where`."""
    whole = content.removeprefix(codecs.BOM_UTF8)
    check_amount(whole, where, kind)
    value = parse_json(whole, where, repair=repair)
    found = value.get("schema") if isinstance(value, dict) else None
    if not isinstance(found, str) or found not in models:
        wanted = " or ".join(repr(schema) for schema in models)
        raise InputError(
            f"{where}: schema is {shown(repr(found))}; this version reads {wanted}"
            if found is not None
            else f"{where}: has no 'schema' key; wanted a {wanted} file"
        )
    _check_keys(value, where, repair)
    del value  # pydantic makes the same values once more
    return _validated(whole, where, models[found], repair)


def parse_part(content: bytes, where: str, model: type[Model], *, repair: str) -> Model:
    """A JSON object that is part of a file as `model`, under the same rules as a whole file."""
    _check_keys(parse_json(content, where, repair=repair), where, repair)
    return _validated(content, where, model, repair)


def _validated(content: bytes, where: str, model: type[Model], repair: str) -> Model:
    try:
        # As JSON, so that lists count as tuples and nothing else is converted.
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            fault = "not whole JSON in UTF-8 (another encoding, or a text with half a character)"
        else:
            fault = first_fault(error)
        raise InputError(f"{where}: {fault}; {repair}") from error


def _check_keys(content: Any, where: str, repair: str) -> None:
    """InputError for an object of far more keys than any has: each would be a fault of its own."""
    level = [content]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                if len(item) > KEYS:
                    raise InputError(
                        f"{where}: an object of {len(item):,} keys, the first of them "
                        f"{shown(repr(next(iter(item))))}; wanted at most {KEYS:,}; {repair}"
                    )
                below += [value for key, value in item.items() if key not in FREE]
            elif isinstance(item, list):
                below += [value for value in item if isinstance(value, (dict, list))]
        level = below


def first_fault(error: ValidationError) -> str:
    """The first fault of a validation error on one line: which field, what is wrong."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(shown(part) for part in faults[0]["loc"]) or "content"
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    message = faults[0]["msg"].removeprefix("Value error, ")
    return f"{where}: {message}{more}"
