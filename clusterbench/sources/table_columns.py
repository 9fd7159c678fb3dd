"""Which columns of a Parquet or Arrow table hold image, label and name of a sample."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_IMAGES = ("image", "img", "jpg", "png", "webp")
_LABELS = ("label", "class", "class_name", "synset", "cls", "labels")
_KEYS = ("id", "key", "__key__")
_FILES = ("filename", "path")


@dataclass(frozen=True)
class TableColumns:
    """Columns by name.

    image:       binary, or a struct with `bytes` (then `in_struct`)
    label:       text or whole numbers (`label_is_text`)
    names:       class names of the numbers, where the table says them
    name:        column of the samples' names; empty: the image struct's path, or none
    name_is_key: the column holds a key, not a file's path
    """

    image: str
    in_struct: bool
    has_path: bool
    label: str
    label_is_text: bool
    names: tuple[str, ...] | None
    name: str
    name_is_key: bool

    @property
    def image_leaf(self) -> str:
        """What to read for the bytes of images and nothing else."""
        return f"{self.image}.bytes" if self.in_struct else self.image

    @property
    def small(self) -> list[str]:
        """What to read for an index: everything but the bytes of images."""
        name = self.name or (f"{self.image}.path" if self.has_path else "")
        return [self.label, *([name] if name else [])]


def find_columns(schema: pa.Schema, where: str) -> TableColumns:
    """Choose the columns; InputError that lists what is there where image or label is missing."""
    image = _image(schema, where)
    kind = schema.field(image).type
    fields = {kind.field(i).name for i in range(kind.num_fields)} if _is_struct(kind) else set()
    label, names = _label(schema, where)
    key = next((name for name in _KEYS if name in schema.names and name != label), "")
    file = next((name for name in _FILES if name in schema.names), "")
    return TableColumns(
        image=image,
        in_struct=bool(fields),
        has_path="path" in fields,
        label=label,
        label_is_text=_is_text(schema.field(label).type),
        names=names,
        name=key or file,
        name_is_key=bool(key),
    )


def _image(schema: pa.Schema, where: str) -> str:
    fits = [field.name for field in schema if _holds_images(field.type)]
    named = [name for name in _IMAGES if name in fits]
    if not named and len(fits) != 1:
        raise InputError(
            f"{where}: {len(fits)} columns could be the image ({', '.join(fits) or 'none'}); "
            f"wanted one named {', '.join(_IMAGES)}, binary or a struct with bytes. It has: "
            f"{', '.join(schema.names)}"
        )
    return named[0] if named else fits[0]


def _label(schema: pa.Schema, where: str) -> tuple[str, tuple[str, ...] | None]:
    known = _class_labels(schema)
    fits = [
        name for name in _LABELS if name in schema.names and _holds_labels(schema.field(name).type)
    ]
    if not fits:
        raise InputError(
            f"{where}: no label; wanted a column of text or whole numbers named "
            f"{', '.join(_LABELS)}. It has: {', '.join(schema.names)}"
        )
    # A name says more than a number: synset goes before a number that nothing explains.
    for name in fits:
        if name in known or _is_text(schema.field(name).type):
            return name, known.get(name)
    return fits[0], None


def _class_labels(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Column -> class names, as Hugging Face's `datasets` records them in a schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    found = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        names = feature.get("names") if isinstance(feature, dict) else None
        if isinstance(names, dict):
            if not all(key.isdecimal() and len(key) < 10 for key in names):
                continue
            names = [names[key] for key in sorted(names, key=int)]
        if isinstance(names, list) and names:
            found[column] = tuple(map(str, names))
    return found


def _holds_images(kind: pa.DataType) -> bool:
    if _is_struct(kind):
        return any(
            kind.field(i).name == "bytes" and _is_binary(kind.field(i).type)
            for i in range(kind.num_fields)
        )
    return _is_binary(kind)


def _holds_labels(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or _is_text(kind))


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_binary(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_struct(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_struct(kind))
