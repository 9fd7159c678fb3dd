"""Rows of the literature, read from a TOML or JSON file and put on a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ...doors import parse_toml, read_bytes, read_json
from ...errors import InputError
from ...files import remove_leftovers, write_bytes
from ...limits import DECLARATION
from ...results.schema import StrictModel, first_fault
from ..board.file import Snapshot, readable_line
from ..board.lock import check_place, locked
from ..board.models import PublishedRow
from .entering import Entered, Entering
from .submit import real_path


class PublishedFile(StrictModel):
    """What such a file holds: `[[published]]` tables, each a row."""

    published: Annotated[list[PublishedRow], Field(min_length=1)]


def read_published(path: Path) -> list[PublishedRow]:
    """The rows of a .toml or .json file, `published` being a list of them.

    Raises InputError, naming the file, for another file, an unknown or missing key, a row without
    source or scores, scores in percent, and a row that occurs twice.
    """
    path = Path(path)
    if path.suffix == ".json":
        content = read_json(path, DECLARATION)
    elif path.suffix == ".toml":
        content = parse_toml(read_bytes(path, DECLARATION), str(path))
    else:
        raise InputError(f"{path}: wanted a .toml or .json file of published rows")
    try:
        rows = PublishedFile.model_validate(content).published
    except ValidationError as error:
        raise InputError(f"{path}: {first_fault(error)}") from error
    seen = set()
    for number, row in enumerate(rows):
        where = f"{path}: published.{number}"
        if not row.source:
            raise InputError(f"{where}: source is empty; say who published it where")
        if not row.metrics:
            raise InputError(f"{where}: metrics is empty; wanted at least one score")
        for name, value in row.metrics.items():
            if not -1 <= value <= 1:
                raise InputError(f"{where}: {name} is {value}; scores are fractions, not percent")
        if row.place in seen:
            raise InputError(f"{where}: the same row as an earlier one, but for its scores")
        seen.add(row.place)
        readable_line(row)
    return rows


def publish(
    rows: Sequence[PublishedRow], leaderboard: Path, *, replace: bool = False
) -> dict[Entered, int]:
    """Add rows of the literature to a leaderboard file, all or none; how many became what.

    Raises InputError for other scores of a row that is there, unless `replace` is given, and for a
    damaged or full leaderboard; StorageError as `submit` does.
    """
    target = real_path(Path(leaderboard))
    snapshot = Snapshot.read(target)
    check_place(target)
    with locked(target):
        remove_leftovers(target)
        entering = Entering(snapshot.later(target), replace)
        statuses = [entering.add_published(row) for row in rows]
        if any(status != "unchanged" for status in statuses):
            write_bytes(target, entering.content(target))
    names: tuple[Entered, ...] = ("added", "replaced", "unchanged")
    return {status: statuses.count(status) for status in names}
