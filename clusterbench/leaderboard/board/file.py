"""The file of a leaderboard: one JSON document with an entry on each line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from ...doors import amount, check_amount, check_size, read_bytes
from ...errors import InputError, StorageError
from ...files import write_bytes
from ...limits import BOARD
from ...results.schema import StrictModel, first_fault, parse_one_of, parse_part
from . import version_1
from .models import SCHEMA, BoardBenchmark, Entry, Leaderboard, PublishedRow

_REPAIR = "restore it from a copy, or submit the results to a new file"
_MODELS: dict[str, type[StrictModel]] = {
    SCHEMA: Leaderboard,
    version_1.SCHEMA: version_1.LeaderboardVersion1,
}

#: The lines around those of benchmarks, entries and published rows.
_HEAD = f'{{"schema": "{SCHEMA}",\n"benchmarks": ['.encode().split(b"\n")
_ENTRIES, _PUBLISHED = b'],\n"entries": ['.split(b"\n"), b'],\n"published": ['.split(b"\n")
_END = [b"]}", b""]

Part = TypeVar("Part", BoardBenchmark, Entry, PublishedRow)


def read_leaderboard(path: Path) -> Leaderboard:
    """Read a leaderboard, of this version of the format or an earlier one.

    Raises InputError when it is missing, truncated, beyond the limits of size, or not a
    leaderboard: an entry without the aggregated metrics or whose key its own fields do not give, a
    run, a task, a benchmark or a published row that occurs twice.
    """
    path = Path(path)
    return parse_leaderboard(read_bytes(path, BOARD), str(path))


def parse_leaderboard(content: bytes, where: str) -> Leaderboard:
    """The content of a file as `read_leaderboard` reads it; messages begin with `where`."""
    found = parse_one_of(content, where, _MODELS, kind=BOARD, repair=_REPAIR)
    if isinstance(found, version_1.LeaderboardVersion1):
        try:
            return found.today()
        except ValidationError as error:
            raise InputError(f"{where}: {first_fault(error)}; {_REPAIR}") from error
    assert isinstance(found, Leaderboard)
    return found


def write_leaderboard(path: Path, board: Leaderboard) -> None:
    """Write a leaderboard atomically, after its own reader has read it.

    Raises:
        InputError: the reader refuses it, such as one that has grown too large; `path` is as it
            was.
        StorageError: it cannot be written.
    """
    path = Path(path)
    content = Snapshot.of(b"", board).rendered()
    check_content(path, content)
    try:
        again = parse_leaderboard(content, "it")
    except InputError as error:
        raise _unreadable(path, error) from error
    if again != board:
        raise StorageError(f"{path}: reads back otherwise than it was written; it is as it was")
    write_bytes(path, content)


def check_content(path: Path, content: bytes, values: int | None = None) -> None:
    """InputError for a content of so many bytes or values that its reader would refuse it.

    values: how many it may hold, where they have been counted.
    """
    try:
        check_size(Path("it"), len(content), BOARD)
        if values is None or values > (BOARD.values or values):
            check_amount(content, "it", BOARD)
    except InputError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: InputError) -> InputError:
    return InputError(f"{path}: with these entries nobody could read it ({error}); it is as it was")


def line_of(part: StrictModel) -> bytes:
    """A benchmark, an entry or a row as the line that the file holds of it."""
    return json.dumps(part.to_dict(), ensure_ascii=False, allow_nan=False).encode()


def readable_line(part: Part) -> bytes:
    """`line_of`, read back: InputError for what the reader of a leaderboard would refuse."""
    line = line_of(part)
    if parse_part(line, "on the leaderboard", type(part), repair="it is left out") != part:
        raise InputError("reads back from the leaderboard otherwise than it was written")
    return line


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A leaderboard as it was at one moment: the file's content, and each part by its line.

    The lines are those that this version writes of the parts, whatever the content looks like.
    values: how many the content may hold (`doors.amount`).
    """

    content: bytes
    values: int
    benchmarks: dict[bytes, BoardBenchmark]
    entries: dict[bytes, Entry]
    published: dict[bytes, PublishedRow]

    @classmethod
    def of(cls, content: bytes, board: Leaderboard) -> Snapshot:
        """The snapshot of a content that was read."""
        return cls(
            content,
            amount(content),
            {line_of(part): part for part in board.benchmarks},
            {line_of(part): part for part in board.entries},
            {line_of(part): part for part in board.published},
        )

    @classmethod
    def read(cls, path: Path) -> Snapshot:
        """The snapshot of a file, an empty one where there is none; errors as of its reader."""
        if not os.path.lexists(path):
            return cls.of(b"", Leaderboard())
        content = read_bytes(path, BOARD)
        return cls.of(content, parse_leaderboard(content, str(path)))

    def later(self, path: Path) -> Snapshot:
        """The file as it is now. Lines that are known from this snapshot are not read again.

        Itself where nothing has changed. For whoever holds the lock: a board of thousands of
        entries is compared in milliseconds, where reading it takes most of a second.
        """
        content = read_bytes(path, BOARD) if os.path.lexists(path) else b""
        if content == self.content:
            return self
        return self._spliced(content, str(path)) or Snapshot.read(path)

    def rendered(self) -> bytes:
        """The content of a file of these lines."""
        return rendered(tuple(self.benchmarks), tuple(self.entries), tuple(self.published))

    def _spliced(self, content: bytes, where: str) -> Snapshot | None:
        """The snapshot of a content, None where it is of another form than this version writes."""
        lines = _split(content)
        if lines is None:
            return None
        try:
            parts = (
                _known(lines[0], self.benchmarks, BoardBenchmark, where),
                _known(lines[1], self.entries, Entry, where),
                _known(lines[2], self.published, PublishedRow, where),
            )
        except InputError:  # said better by the reader of the whole
            return None
        found = Snapshot(content, self.values + _further(lines, self), *parts)
        keys = {entry.key for entry in found.entries.values()}
        places = {(part.benchmark, part.dataset) for part in found.benchmarks.values()}
        rows = {row.place for row in found.published.values()}
        sizes = [len(keys), len(places), len(rows)]
        return found if sizes == [len(lines[1]), len(lines[0]), len(lines[2])] else None


def rendered(
    benchmarks: Sequence[bytes], entries: Sequence[bytes], published: Sequence[bytes]
) -> bytes:
    """The content of a file of these lines, in their order."""
    parts = [
        *_HEAD,
        *_with_commas(benchmarks),
        *_ENTRIES,
        *_with_commas(entries),
        *_PUBLISHED,
        *_with_commas(published),
        *_END,
    ]
    return b"\n".join(parts)


def _with_commas(lines: Sequence[bytes]) -> Iterable[bytes]:
    return [*(line + b"," for line in lines[:-1]), *lines[-1:]]


def _split(content: bytes) -> tuple[list[bytes], list[bytes], list[bytes]] | None:
    """The lines between those of the form, without their commas; None for any other content.

    `rendered` of them is the content.
    """
    lines = content.split(b"\n")
    if lines[:2] != _HEAD:
        return None
    found, at = [], 2
    for mark in (_ENTRIES, _PUBLISHED, _END):
        try:
            end = lines.index(mark[0], at)
        except ValueError:
            return None
        part = lines[at:end]
        if lines[end : end + 2] != mark or not all(line.endswith(b",") for line in part[:-1]):
            return None
        found.append([line[:-1] for line in part[:-1]] + part[-1:])
        at = end + 2
    return (found[0], found[1], found[2]) if at == len(lines) else None


def _further(lines: tuple[list[bytes], ...], known: Snapshot) -> int:
    """How many values more lines hold than those of a snapshot; no line is there twice."""
    change = 0
    parts = (known.benchmarks.keys(), known.entries.keys(), known.published.keys())
    for here, there in zip(lines, parts, strict=True):
        new = [line for line in here if line not in there]
        change += sum(amount(line) + 1 for line in new)
        if len(here) - len(new) < len(there):
            change -= sum(amount(line) + 1 for line in there - set(here))
    return change


def _known(
    lines: list[bytes], known: dict[bytes, Part], model: type[Part], where: str
) -> dict[bytes, Part]:
    """Each line with its part; those not `known` are read, and must be as they are written."""
    found: dict[bytes, Part] = {}
    for line in lines:
        part = known.get(line)
        if part is None:
            part = parse_part(line, where, model, repair=_REPAIR)
            if line_of(part) != line:
                raise InputError(f"{where}: a line that this version would write otherwise")
        found[line] = part
    return found
