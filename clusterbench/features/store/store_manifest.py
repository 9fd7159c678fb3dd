"""What a store's manifest may say: each field's type and range, and how the fields agree.

A manifest is read from a file that anyone may have written, checksum and all. Names of files in it
are compared with those that this package builds, never used.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...catalog import unknown_name
from ...doors import not_readable, read_json
from ...errors import InputError
from ...files import sha256_json, write_json
from ...limits import (
    DIMENSIONS,
    FREE_DEPTH,
    FREE_TEXT,
    FREE_VALUES,
    ROWS,
    STORE_RECORD,
    check_name,
    check_value,
)
from ...printable import shown
from .identity import identity_hash
from .layout import BROKEN, FORMAT, INDEX, MANIFEST, VIRTUAL, shard_name, unfinished
from .values import DTYPES, storage_dtype

#: The files whose hashes a manifest has.
HASHED = (INDEX, VIRTUAL, BROKEN)

_KEYS = (
    *("format", "identity", "fields", "n", "dim", "dtype", "shard_rows", "broken"),
    *("shard_identity", "source", "files", "shards"),
)
_SHARD_KEYS = ("file", "start", "rows", "sha256", "file_sha256")
_HASH = re.compile("[0-9a-f]{64}")
_EDITED = "the file was edited"
_REPAIR = "`clusterbench cache repair` writes it again"


def checked_manifest(value: Any, where: Path) -> dict[str, Any]:
    """A manifest without its checksum; InputError, naming the field, when it is no sound one."""
    try:
        return _checked(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a store's folder.

    Raises InputError for: no such folder; a folder that is not a store; an unfinished extraction;
    another format; a manifest that was edited or damaged, with the first field that says so.
    """
    require_folder(path)
    file = path / MANIFEST
    if not os.path.lexists(file):
        raise unfinished(path)
    return checked_manifest(read_json(file, STORE_RECORD, repair=_REPAIR), file)


def require_folder(path: Path) -> None:
    """InputError unless a path is that of a folder that is there."""
    try:
        found = path.stat().st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise InputError(
                f"no feature store at {path}; make one with `clusterbench extract`"
            ) from error
        raise not_readable(path, error) from error
    if not stat.S_ISDIR(found):
        raise InputError(f"{path} is a file; a feature store is a folder of HDF5 shards")


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write `store.json` of a folder; its last key is a checksum over the others."""
    write_json(path / MANIFEST, manifest | {"checksum": sha256_json(manifest)})


def check_identity(fields: Any) -> None:
    """InputError unless a store can be made of these identity fields, and read again.

    That is: encoder (a name), dtype and index, and what else there is within the limits of
    settings whose form is free.
    """
    if not isinstance(fields, dict):
        raise InputError(f"fields are {shown(repr(fields))}; wanted an object")
    check_value(fields, "fields", depth=FREE_DEPTH + 2, values=FREE_VALUES, text=FREE_TEXT)
    for key in ("encoder", "dtype", "index"):
        if key not in fields:
            raise InputError(f"fields: has no {key}")
    check_name(fields["encoder"], "the encoder's name")
    if fields["dtype"] not in DTYPES:
        raise InputError(f"fields: dtype is {shown(repr(fields['dtype']))}; wanted {_one(DTYPES)}")
    _check_hash(fields["index"], "fields: index")


def _checked(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"not a feature store's manifest (a {type(value).__name__})")
    if "format" not in value:
        raise InputError("not a feature store's manifest (it has no format)")
    if value["format"] != FORMAT:
        found = shown(repr(value["format"]))
        raise InputError(f"format is {found}; this version reads {FORMAT!r}: extract again")
    for key in ("fields", "identity"):
        if key not in value:
            raise InputError(f"not a feature store's manifest (it has no {key})")
    identity = identity_hash(value["fields"])
    if identity != value["identity"]:
        raise InputError(
            f"its fields hash to {identity[:12]}, but it records identity "
            f"{_start(value['identity'])}: {_EDITED}; extract the features again"
        )
    content = {key: item for key, item in value.items() if key != "checksum"}
    missing = set(_KEYS) - content.keys()
    if missing:
        raise InputError(f"has no {', '.join(sorted(missing))}; extract again")
    if sha256_json(content) != value.get("checksum"):
        raise InputError(
            f"it does not hash to its checksum: {_EDITED} or damaged; "
            "`clusterbench cache repair` writes it again"
        )
    try:
        _check_content(content)
    except InputError as error:
        raise InputError(f"{error}: {_EDITED}; extract or import the features again") from error
    return content


def _check_content(content: dict[str, Any]) -> None:
    _check_keys(content, _KEYS, "")
    check_identity(content["fields"])
    n = _whole(content, "n", 0, ROWS)
    _whole(content, "dim", 1, DIMENSIONS)
    wanted = storage_dtype(content["fields"]["dtype"]).name
    if content["dtype"] != wanted:
        raise InputError(f"dtype is {shown(repr(content['dtype']))}; its fields give {wanted!r}")
    shard_rows = _whole(content, "shard_rows", 1, ROWS)
    broken = _whole(content, "broken", 0, ROWS)
    _check_hash(content["shard_identity"], "shard_identity")
    source = content["source"]
    if source is None:
        of_source = n
    else:
        _check_keys(source, ("index", "n"), "source")
        _check_hash(source["index"], "source: index")
        of_source = _whole(source, "n", 0, ROWS, "source: ")
    if n + broken != of_source:
        raise InputError(f"n is {n:,} and broken {broken:,}; wanted {of_source:,} together")
    _check_keys(content["files"], HASHED, "files")
    for name in HASHED:
        _check_hash(content["files"][name], f"files: {name}")
    _check_shards(content["shards"], of_source, shard_rows, n, may_lack=source is not None)


def _check_shards(shards: Any, of_source: int, step: int, n: int, *, may_lack: bool) -> None:
    """Shard s holds the readable ones among samples [s * step, (s + 1) * step) of the source."""
    if not isinstance(shards, list):
        raise InputError(f"shards are {shown(repr(shards))}; wanted a list")
    count = -(-of_source // step)
    if len(shards) != count:
        raise InputError(f"has {len(shards):,} shards; {of_source:,} rows, {step:,} in each, give "
                         f"{count:,}")  # fmt: skip
    total = 0
    for number, entry in enumerate(shards):
        where = f"shard {number}"
        _check_keys(entry, _SHARD_KEYS, where)
        if entry["file"] != shard_name(number):
            found = shown(repr(entry["file"]))
            raise InputError(f"{where} is the file {found}; wanted {shard_name(number)!r}")
        start = number * step
        size = min(step, of_source - start)
        _whole(entry, "start", start, start, f"{where}: ")
        total += _whole(entry, "rows", 0 if may_lack else size, size, f"{where}: ")
        for key in ("sha256", "file_sha256"):
            _check_hash(entry[key], f"{where}: {key}")
    if total != n:
        raise InputError(f"its shards have {total:,} rows, and n is {n:,}")


def _check_keys(table: Any, known: Collection[str], where: str) -> None:
    before = f"{where}: " if where else ""
    if not isinstance(table, dict):
        raise InputError(f"{before or 'it '}is {shown(repr(table))}; wanted an object")
    for key in known:
        if key not in table:
            raise InputError(f"{before}has no {key}")
    for key in table:
        if key not in known:
            raise InputError(f"{before}{unknown_name('key', key, known)}")


def _whole(table: dict[str, Any], key: str, low: int, high: int, before: str = "") -> int:
    value = table[key]
    if type(value) is not int or not low <= value <= high:
        wanted = f"{low:,}" if low == high else f"a whole number, {low:,} to {high:,}"
        raise InputError(f"{before}{key} is {shown(repr(value))}; wanted {wanted}")
    return value


def _check_hash(value: Any, where: str) -> None:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise InputError(f"{where} is {shown(repr(value))}; wanted a SHA-256, 64 digits of 0-9a-f")


def _start(value: Any) -> str:
    return shown(value[:12] if isinstance(value, str) else repr(value), 40)


def _one(names: Collection[str]) -> str:
    return f"one of {', '.join(names)}"
