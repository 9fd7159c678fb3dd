"""Where declarations are found: shipped TOML, the user's folder; unknown names get suggestions."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PACKAGE = Path(__file__).resolve().parent


def shipped(kind: str) -> Path:
    """Folder of the shipped declarations of a kind ("benchmarks" or "features").

    In a wheel they lie inside the package under `_data`; in a checkout (editable install) at the
    top level of the repository.
    """
    installed = _PACKAGE / "_data" / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def folders(kind: str) -> list[Path]:
    """Folders searched for declarations of a kind, the user's first.

    The user's folder is `$CLUSTERBENCH_HOME/<kind>`, by default
    `platformdirs.user_data_dir("clusterbench")/<kind>`.
    """
    return [user_home() / kind, shipped(kind)]


def user_home() -> Path:
    """`$CLUSTERBENCH_HOME`, or the platform's user data folder."""
    if home := os.environ.get("CLUSTERBENCH_HOME"):
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_data_dir("clusterbench", appauthor=False))


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; a syntax error becomes an InputError that names the file."""
    try:
        with Path(path).open("rb") as handle:
            content: dict[str, Any] = tomllib.load(handle)
            return content
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not there, with the nearest names that are."""
    names = sorted(known)
    by_lower = {n.lower(): n for n in names}
    near = [by_lower[n] for n in difflib.get_close_matches(name.lower(), by_lower, 3, 0.5)]
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif len(names) <= 12:
        hint = f"known: {', '.join(names) or 'none'}"
    else:
        hint = f"there are {len(names)}, for example {', '.join(names[:5])}"
    return InputError(f"unknown {kind} {name!r}; {hint}")
