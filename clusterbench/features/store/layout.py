"""The files of a feature store: their names, its shards, an extraction that is not finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...doors import check_fields, read_json
from ...errors import InputError
from ...limits import FREE_DEPTH, FREE_TEXT, STORE_RECORD, check_value
from ...printable import shown
from .claims import CLAIMS

FORMAT = "clusterbench-features/2"
MANIFEST = "store.json"
INDEX = "index.h5"
VIRTUAL = "features.h5"
BROKEN = "broken.jsonl"
PLAN = "extraction.json"
ORIGIN = "origin.json"
DAMAGED = ".damaged-"  # before the name of a shard that is being repaired
DATASET = "features"

#: Every file of a store's folder that is no shard.
OWN_FILES = (INDEX, VIRTUAL, BROKEN, MANIFEST, PLAN, ORIGIN, CLAIMS)


@dataclass(frozen=True)
class Shard:
    """Rows [first, first + rows) of a store, in one HDF5 file from its row `skip` on.

    sha256: of the rows' bytes. file_sha256: of the whole file, "" inside a packed file.
    """

    path: Path
    first: int
    rows: int
    sha256: str
    file_sha256: str
    skip: int = 0

    @property
    def span(self) -> str:
        """Its rows, for messages."""
        return f"rows {self.first:,} to {self.first + self.rows - 1:,}" if self.rows else "no rows"


def most_bytes(shard: Shard, row_bytes: int) -> int:
    """Bytes that the file of a shard may have: twice its rows, and room for what stands beside."""
    return (64 << 20) + shard.rows * (2 * row_bytes + 1024)


def shard_name(number: int) -> str:
    """File name of a shard: `shard-00012.h5`."""
    return f"shard-{number:05d}.h5"


def shard_files(path: Path) -> list[Path]:
    """A folder's shards by their names, in order; a file such as `shard-mine.h5` is none."""
    return sorted(file for file in path.glob("shard-*.h5") if file.stem[len("shard-") :].isdigit())


def temporary_files(path: Path) -> list[Path]:
    """What processes that were killed while writing have left in a store's folder."""
    patterns = [f".{name}.*.tmp" for name in (*OWN_FILES, "shard-*.h5")]
    return [file for pattern in patterns for file in sorted(path.glob(pattern))]


def shards_of(path: Path, entries: Sequence[dict[str, Any]]) -> tuple[Shard, ...]:
    """Shards of a store's folder from its manifest's entries; their names are built here."""
    first, shards = 0, []
    for number, entry in enumerate(entries):
        file = path / shard_name(number)
        shards.append(Shard(file, first, entry["rows"], entry["sha256"], entry["file_sha256"]))
        first += entry["rows"]
    return tuple(shards)


def read_plan(path: Path) -> dict[str, Any]:
    """What an unfinished extraction in a folder records; InputError for what is no such file.

    fields: the identity of its shards; shard_rows, n, shards: whole numbers.
    """
    file = path / PLAN
    content: dict[str, Any] = read_json(file, STORE_RECORD)
    check_fields(content, {"fields": dict, "shard_rows": int, "n": int}, str(file))
    check_fields(content["fields"], {"encoder": str}, f"{file}: fields")
    check_value(content["fields"], f"{file}: fields", depth=FREE_DEPTH + 2, text=FREE_TEXT)
    return content


def told_plan(path: Path) -> tuple[str, str]:
    """Encoder and number of shards of an unfinished extraction, for messages; "" and "?"."""
    try:
        content = read_json(path / PLAN, STORE_RECORD)
        check_fields(content, {"fields": dict, "shards": int}, "")
        check_fields(content["fields"], {"encoder": str}, "")
    except InputError:
        return "", "?"
    return shown(content["fields"]["encoder"]), f"{content['shards']:,}"


def unfinished(path: Path) -> InputError:
    """The error for a folder without a manifest: an extraction to go on with, or no store."""
    if (path / PLAN).is_file():
        done = len(shard_files(path))
        return InputError(
            f"{path}: extraction is not finished ({done} of {told_plan(path)[1]} shards); "
            "run the same `clusterbench extract` command again to go on"
        )
    return InputError(
        f"{path} is not a feature store: it has no {MANIFEST}; make one with `clusterbench extract`"
    )
