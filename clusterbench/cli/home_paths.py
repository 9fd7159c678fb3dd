"""`~` in the paths that verbs are given: a shell leaves it in `--output=~/x` and in variables."""

from __future__ import annotations

import functools
import inspect
import os
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError

#: Words of a metavar by which an argument that is a text may be a path as well.
_PATHS = ("FILE", "FOLDER", "DIR", "SOURCE", "TASK")
#: What may stand before a path in the name of an encoder.
_PREFIXES = ("onnx:",)


def expanding(verb: Callable[..., None]) -> Callable[..., None]:
    """`verb`, whose path arguments and options get the user's folder for `~` and `~name`.

    A path is what is declared as one, and a text whose metavar says that it may be a file, a
    folder or a source.
    """
    paths = {name for name, _ in path_parameters(verb)}

    @functools.wraps(verb)
    def called(**given: Any) -> None:
        verb(**{k: _each(v) if k in paths or _prefixed(v) else v for k, v in given.items()})

    return called


def path_parameters(verb: Callable[..., None]) -> list[tuple[str, Any]]:
    """Name and declaration (Typer's) of each parameter of a verb that may be a path."""
    found = []
    hints = _hints(verb)
    for name in inspect.signature(verb).parameters:
        kind, *declared = typing.get_args(hints[name]) or (None,)
        if not declared:  # Typer's context, which nobody gives
            continue
        wanted = _kinds(kind)
        metavar = (declared[0].metavar or "").partition(".")[0]
        words = set(metavar.replace("|", " ").split())
        if any(inspect.isclass(k) and issubclass(k, Path) for k in wanted) or (
            str in wanted and words & set(_PATHS)
        ):
            found.append((name, declared[0]))
    return found


def _kinds(annotation: Any) -> set[Any]:
    """`list[Path] | None` -> itself and all that it is made of."""
    return {annotation}.union(*(_kinds(part) for part in typing.get_args(annotation)))


def _hints(verb: Callable[..., None]) -> dict[str, Any]:
    return typing.get_type_hints(inspect.unwrap(verb), include_extras=True)


def _each(value: Any) -> Any:
    if isinstance(value, Path):
        return Path(expanded(str(value)))
    if isinstance(value, str):
        return expanded(value)
    if isinstance(value, list):
        return [_each(item) for item in value]
    return value


def _prefixed(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(tuple(f"{p}~" for p in _PREFIXES))


def expanded(path: str) -> str:
    """`path` with the user's folder for `~`, or another user's for `~name`.

    A file that is called so stays what it is. Raises InputError for a user that there is not.
    """
    for prefix in _PREFIXES:
        if path.startswith(prefix):
            return prefix + expanded(path.removeprefix(prefix))
    if not path.startswith("~"):
        return path
    found = os.path.expanduser(path)  # noqa: PTH111  # which leaves an unknown user as it is
    if found == path and not os.path.lexists(path):
        user = path[1:].partition("/")[0]
        raise InputError(
            f"{path!r}: there is no user {user!r}; for a file or folder of that name in this "
            f"folder, write ./{path}"
        )
    return found
