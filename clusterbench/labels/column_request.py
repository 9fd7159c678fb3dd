"""Which of a file's columns are asked for, and what is said when it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..catalog import unknown_name
from ..errors import InputError
from ..printable import shown
from .keys import ID_NAMES, identifies

_SHOWN = 12  # names listed in an error
_NAME = 60  # characters of each


@dataclass(frozen=True)
class ColumnRequest:
    """What was asked for; read_labels says what each field means."""

    path: Path
    known: tuple[str, ...]
    column: str | None
    option: str
    alone: tuple[str, ...] = ()

    def choose(
        self, names: Sequence[str], *, lone: bool = False, hint: str = ""
    ) -> tuple[int, int | None]:
        """Positions of the labels and of the ids among the names of a file's columns.

        lone: the only column that does not name samples is taken whatever it is called; a column
        `0`, as pandas calls one without a name, is in any case. hint: ends the error for a file
        with no known name. Raises InputError when the column is not there, or twice.
        """
        ids = find_name(names, ID_NAMES)
        labels = find_name(names, self.known if self.column is None else (self.column,))
        if labels is None and self.column is not None:
            some = [shown(name, _NAME) for name in names[:1000]]  # JSON may have a key per sample
            raise InputError(f"{self.path}: {unknown_name('column', self.column, some)}")
        if labels is None:
            labels = self._lone(names, ids, lone)
        if labels is None:
            raise InputError(
                f"{self.path}: holds {listed(names)}, and nothing named "
                f"{', '.join(self.known)}; say which to read with {self.option}{hint}"
            )
        ids = None if ids == labels else ids
        for position in (labels, ids):
            if position is not None and names.count(names[position]) > 1:
                name = shown(repr(names[position]))
                raise InputError(f"{self.path}: two columns are named {name}; rename one")
        return labels, ids

    def _lone(self, names: Sequence[str], ids: int | None, lone: bool) -> int | None:
        others = [at for at in range(len(names)) if at != ids]
        if len(others) > 1:
            others = [at for at in others if not identifies(names[at])]
        if len(others) != 1:
            return None
        taken = lone or names[others[0]].strip() == "0"
        return others[0] if taken or find_name(names, self.alone) == others[0] else None

    def where(self, name: str) -> str:
        """The file and the column taken, for errors."""
        return f"{self.path}: {shown(repr(name))}"


def listed(names: Sequence[str]) -> str:
    """The first names of a file's columns, for errors."""
    some = ", ".join(shown(name, _NAME) for name in names[:_SHOWN])
    return (some + (", ..." if len(names) > _SHOWN else "")) or "nothing"


def find_name(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Position of the first of `wanted` that is there, as it is written or else in any case."""
    folded = [name.strip().casefold() for name in names]
    for name in wanted:
        if name in names:
            return names.index(name)
        if name.casefold() in folded:
            return folded.index(name.casefold())
    return None


@contextmanager
def reading(path: Path, advice: str) -> Iterator[None]:
    """Turn what a library raises while it reads into one InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file raises whatever the reading meets first
        reason = " ".join(str(error).split()) or type(error).__name__
        kind = path.suffix.lower()
        raise InputError(
            f"{path}: not a readable {kind} file ({shown(reason)}); {advice}"
        ) from error
