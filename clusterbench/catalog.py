"""What there is by name: shipped declarations, the user's, and what code registers.

Unknown names get suggestions.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .doors import parse_toml, read_bytes
from .errors import InputError
from .limits import DECLARATION, NAME, check_name
from .printable import shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Entry = TypeVar("Entry")

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
        return Path(home).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("clusterbench", appauthor=False))


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; one that cannot be read or is not TOML is an InputError that names it.

    It keeps to the limits of declarations (see limits), and its whole numbers to 64 bits.
    """
    return parse_toml(read_bytes(path, DECLARATION), str(path))


def check_stem(path: Path) -> str:
    """The name that a declaration's file or folder gives it; InputError for none to be shown."""
    name = path.stem if path.suffix == ".toml" else path.name
    check_name(name, f"{path}: its name")
    return name


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not there, with the nearest names that are."""
    names = sorted(known)
    by_lower = {n.lower(): n for n in names}
    near = (
        [by_lower[n] for n in difflib.get_close_matches(name.lower(), by_lower, 3, 0.5)]
        if len(name) <= NAME
        else []
    )
    if near:
        hint = f"did you mean {' or '.join(map(shown, near))}?"
    elif len(names) <= 12:
        hint = f"known: {', '.join(map(shown, names)) or 'none'}"
    else:
        hint = f"there are {len(names)}, for example {', '.join(map(shown, names[:5]))}"
    return InputError(f"unknown {kind} {shown(repr(name))}; {hint}")


class Registry(Generic[Entry]):
    """Things of one kind by name: classes, or rows that describe themselves.

    Nothing is imported before it is asked for. Built-in ones are named in code; other packages add
    theirs by entry point.

    Args:
        kind: what one is called, for messages: "method".
        built_in: name -> "module:attribute", the module being one of `package`.
        package: dotted name of the package.
        base: "module:Class" of what each is a subclass or an instance of.
        entry_points: group of the entry points that join; "" for none.
    """

    def __init__(
        self,
        kind: str,
        built_in: Mapping[str, str],
        *,
        package: str,
        base: str,
        entry_points: str = "",
    ) -> None:
        self.kind, self.package, self.base = kind, package, base
        self.built_in = dict(built_in)
        self.entry_points = entry_points

    def names(self) -> list[str]:
        """All names, the built-in ones first."""
        added = sorted({point.name for point in self._points()})
        return [*self.built_in, *(name for name in added if name not in self.built_in)]

    def ignored(self) -> list[str]:
        """A line for each entry point that is not taken, since another has its name."""
        seen = dict.fromkeys(self.built_in, f"the built-in {self.kind}")
        lines = []
        for point in sorted(self._points(), key=lambda point: (point.name, point.value)):
            if point.name in seen:
                lines.append(
                    f"entry point {point.value} of {self.kind} {shown(repr(point.name))} is not "
                    f"used: {seen[point.name]} has that name; rename it"
                )
            seen.setdefault(point.name, f"entry point {point.value}")
        return lines

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self.names()

    def __iter__(self) -> Iterator[Entry]:
        return (self.get(name) for name in self.names())

    def get(self, name: str) -> Entry:
        """What is registered under a name.

        Raises:
            InputError: no such name (the nearest ones are suggested), or a thing of another kind.
        """
        if name in self.built_in:
            return self._named(name, self._load(self.built_in[name]), self.built_in[name])
        for point in sorted(self._points(), key=lambda point: point.value):
            if point.name == name:
                return self._checked(point)
        raise unknown_name(self.kind, name, self.names())

    def module_of(self, attribute: str) -> str | None:
        """The module of a built-in one, or of the base, by the attribute's name; else None."""
        for place in (self.base, *self.built_in.values()):
            module, _, name = place.partition(":")
            if name == attribute:
                return module
        return None

    def _load(self, place: str) -> Any:
        module, _, name = place.partition(":")
        return getattr(importlib.import_module(f".{module}", self.package), name)

    def _points(self) -> Iterable[EntryPoint]:
        if not self.entry_points:
            return ()
        from importlib import metadata

        return metadata.entry_points(group=self.entry_points)

    def _checked(self, point: EntryPoint) -> Entry:
        base = self._load(self.base)
        try:
            loaded = point.load()
        except Exception as error:  # whatever the other package runs into
            raise InputError(
                f"entry point {point.value} of {self.kind} {point.name!r} cannot be loaded "
                f"({type(error).__name__}: {error}); mend or uninstall the package"
            ) from error
        fits = issubclass(loaded, base) if isinstance(loaded, type) else isinstance(loaded, base)
        if not fits:
            what = f"{self.package}.{base.__name__}"
            raise InputError(
                f"entry point {point.value} of {self.kind} {point.name!r} is {loaded!r}; "
                f"expected a subclass of {what}, or a row of that type"
            )
        return self._named(point.name, loaded, point.value)

    def _named(self, name: str, found: Any, place: str) -> Entry:
        """`found`, whose own name must be the one it is listed under: results are read by it."""
        own = getattr(found, "name", name)
        if own != name:
            raise InputError(
                f"{self.kind} {name!r} ({place}) calls itself {own!r}; give both the same name"
            )
        entry: Entry = found
        return entry
