"""The doors through which files come in: regular files only, sizes looked at before contents.

A pipe is not waited for, a device not read, a file above the limit of its kind not loaded; a JSON
or TOML file is neither too deep nor holds what its format does not have. Whatever is wrong is an
InputError that begins with the path. NumPy's files and HDF5 have doors of their own
(`numpy_files`, `hdf5_files`).
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from .errors import InputError
from .limits import KEY_PARTS, FileKind, check_value
from .printable import shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_QUOTED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'")
_DOT_IN_KEY = re.compile(r"(?<=[\w\"'-])[ \t]*\.[ \t]*(?=[\w\"'-])")


def open_regular(path: Path, kind: FileKind | None = None) -> BinaryIO:
    """Open a regular file, or a link to one, for reading bytes; never waits.

    Raises InputError for what is not there, no regular file, unreadable, or larger than its kind
    may be.
    """
    path = Path(path)
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Before the opening, which for some devices does something, and after it, for good.
        check_regular(path, os.stat(path).st_mode)  # noqa: PTH116
        descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise not_readable(path, error) from error
    try:
        found = os.fstat(descriptor)
        check_regular(path, found.st_mode)
        if kind is not None:
            check_size(path, found.st_size, kind)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_regular(path: Path, mode: int) -> None:
    """InputError unless a mode of `os.stat` is that of a regular file."""
    if stat.S_ISDIR(mode):
        try:
            os.scandir(path).close()
        except OSError as error:
            raise InputError(
                f"{path}: is a folder that cannot be read ({error.strerror or error})"
            ) from error
    if not stat.S_ISREG(mode):
        what = next((name for is_kind, name in _KINDS if is_kind(mode)), "no regular file")
        raise InputError(f"{path}: is {what}; wanted a regular file")


def require_regular(path: Path, kind: FileKind | None = None) -> None:
    """What `open_regular` checks, for a library that opens a file itself."""
    open_regular(path, kind).close()


def check_size(path: Path, size: int, kind: FileKind) -> None:
    """InputError for a file that is larger than one of its kind may be."""
    if size > kind.largest:
        advice = f"; {kind.instead}" if kind.instead else ""
        raise InputError(
            f"{path}: has {size / 1e6:,.1f} MB; {kind.what} has at most "
            f"{kind.largest / 1e6:,.0f} MB{advice}"
        )


def not_readable(path: Path, error: Exception) -> InputError:
    """The error for a file that the system does not open."""
    if isinstance(error, InputError):
        return error
    if isinstance(error, OSError):
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if path.is_symlink():
                return InputError(f"{path}: is a link to a file that is not there")
            return InputError(f"{path}: no such file")
        if error.errno == errno.ELOOP:
            return InputError(f"{path}: is a link that leads round in a circle")
        return InputError(f"{path}: cannot be read ({error.strerror or error})")
    return InputError(f"{shown(repr(str(path)))}: is no path ({error})")


def read_bytes(path: Path, kind: FileKind) -> bytes:
    """The content of a file of a kind."""
    with open_regular(path, kind) as file:
        try:
            # One byte more than there is, for a file that grows; a read takes memory beforehand.
            content = file.read(min(os.fstat(file.fileno()).st_size, kind.largest) + 1)
        except OSError as error:
            raise not_readable(Path(path), error) from error
    check_size(Path(path), len(content), kind)  # it may have grown
    return content


def read_text(path: Path, kind: FileKind) -> str:
    """The content of a UTF-8 file of a kind, without a byte order mark."""
    try:
        return read_bytes(path, kind).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text (byte {error.start:,} is {error.object[error.start]:#04x}); "
            "save it as UTF-8"
        ) from error


def read_json(path: Path, kind: FileKind, *, repair: str = "") -> Any:
    """The JSON value in a file of a kind: strict JSON, each key once, within the limits of values.

    repair: what to do about a file that is not whole, as the end of the message.
    """
    content = read_bytes(path, kind)
    check_amount(content, str(path), kind)
    return parse_json(content, str(path), repair=repair)


def amount(content: bytes) -> int:
    """At most how many values JSON holds, by its commas and brackets."""
    return content.count(b",") + content.count(b"[") + content.count(b"{")


def check_amount(content: bytes, where: str, kind: FileKind) -> None:
    """InputError for JSON that may hold more values than its kind may; nothing is parsed for it."""
    if kind.values is None:
        return
    most = amount(content)
    if most > kind.values:
        raise InputError(
            f"{where}: holds up to {most:,} values; {kind.what} has at most {kind.values:,}"
        )


def parse_json(content: bytes | str, where: str, *, repair: str = "") -> Any:
    """`content` as JSON, as `read_json` reads it; messages begin with `where`."""
    advice = f"; {repair}" if repair else ""
    try:
        value = json.loads(content, object_pairs_hook=_each_key_once, parse_constant=_no_number)
    except RecursionError as error:
        raise InputError(f"{where}: not whole JSON (nested too deeply){advice}") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, a repeated key
        raise InputError(f"{where}: not whole JSON ({error}){advice}") from error
    try:
        check_value(value, where)
    except InputError as error:
        raise InputError(f"{error}{advice}") from error
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {shown(repr(key))} occurs twice")
            seen.add(key)
    return content


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def parse_toml(content: bytes, where: str) -> dict[str, Any]:
    """`content` as TOML, whose whole numbers have at most 64 bits; messages begin with `where`."""
    try:
        text = content.decode("utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            # A key of thousands of parts takes the parser memory by the square of them.
            if line.count(".") > KEY_PARTS and _parts(line) > KEY_PARTS:
                raise ValueError(f"line {number}: a key of more than {KEY_PARTS} parts")
        value: dict[str, Any] = tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError as error:
        raise InputError(f"{where}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # a TOMLDecodeError or UnicodeDecodeError, or too many digits
        raise InputError(f"{where}: not valid TOML: {error}") from error
    try:
        check_value(_without_floats(value), f"{where}: not valid TOML")
    except RecursionError as error:
        raise InputError(f"{where}: not valid TOML: nested too deeply") from error
    return value


def _parts(line: str) -> int:
    return len(_DOT_IN_KEY.findall(_QUOTED.sub("q", line)))


def _without_floats(value: Any) -> Any:
    """TOML has inf and nan, which the one who asks for a value judges."""
    if isinstance(value, dict):
        return {key: _without_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_floats(item) for item in value]
    return None if isinstance(value, float) else value


def check_fields(value: Any, wanted: Mapping[str, type | tuple[type, ...]], where: str) -> None:
    """InputError unless a JSON value is an object that has some fields, each of its type.

    bool counts as no number.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: is a {type(value).__name__}; wanted an object")
    for name, kind in wanted.items():
        if name not in value:
            raise InputError(f"{where}: has no {name!r}")
        found = value[name]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
            listed = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
            raise InputError(f"{where}: {name} is {shown(repr(found))}; wanted {listed}")
