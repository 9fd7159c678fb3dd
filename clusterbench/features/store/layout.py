"""The files of a feature store and its manifest, `store.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import sha256_json, write_json
from .identity import identity_hash

FORMAT = "clusterbench-features/2"
MANIFEST = "store.json"
INDEX = "index.h5"
VIRTUAL = "features.h5"
BROKEN = "broken.jsonl"
PLAN = "extraction.json"
ORIGIN = "origin.json"
CLAIMS = ".claims"
DAMAGED = ".damaged-"  # before the name of a shard that is being repaired
DATASET = "features"

#: Every file of a store's folder that is no shard.
OWN_FILES = (INDEX, VIRTUAL, BROKEN, MANIFEST, PLAN, ORIGIN, CLAIMS)

_KEYS = frozenset(
    ("n", "dim", "dtype", "shard_rows", "broken", "shard_identity", "source", "shards", "files")
)


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


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write `store.json` of a folder; its last key is a checksum over the others."""
    write_json(path / MANIFEST, manifest | {"checksum": sha256_json(manifest)})


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a store's folder.

    Raises InputError for: no such folder; a folder that is not a store; an unfinished extraction;
    another format; a manifest that was edited or damaged, with the first field that says so.
    """
    if not path.exists():
        raise InputError(f"no feature store at {path}; make one with `clusterbench extract`")
    if not path.is_dir():
        raise InputError(f"{path} is a file; a feature store is a folder of HDF5 shards")
    file = path / MANIFEST
    if not file.is_file():
        raise _unfinished(path)
    try:
        text = file.read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
        found = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not a feature store's manifest ({error!r})") from error
    if found != FORMAT:
        raise InputError(
            f"{file}: format is {found!r}; this version reads {FORMAT!r}: extract again"
        )
    return checked_manifest(manifest, file)


def checked_manifest(manifest: dict[str, Any], where: Path) -> dict[str, Any]:
    """A manifest without its checksum; InputError when it is not as it was written."""
    try:
        content = {key: value for key, value in manifest.items() if key != "checksum"}
        fields, identity = content["fields"], content["identity"]
        if identity_hash(fields) != identity:
            raise InputError(
                f"{where}: its fields hash to {identity_hash(fields)[:12]}, but it records "
                f"identity {identity[:12]}: the file was edited; extract the features again"
            )
        checksum = sha256_json(content)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # ValueError: a NaN
        raise InputError(f"{where}: not a feature store's manifest ({error!r})") from error
    missing = _KEYS - content.keys()
    if missing:
        raise InputError(f"{where}: has no {', '.join(sorted(missing))}; extract again")
    if checksum != manifest.get("checksum"):
        raise InputError(
            f"{where}: it does not hash to its checksum: the file was edited or damaged; "
            "`clusterbench cache repair` writes it again"
        )
    return content


def shards_of(path: Path, entries: Sequence[dict[str, Any]]) -> tuple[Shard, ...]:
    """Shards of a store's folder from its manifest's entries."""
    first, shards = 0, []
    for entry in entries:
        rows = int(entry["rows"])
        shards.append(
            Shard(
                path / entry["file"], first, rows, str(entry["sha256"]), str(entry["file_sha256"])
            )
        )
        first += rows
    return tuple(shards)


def _unfinished(path: Path) -> InputError:
    if (path / PLAN).is_file():
        done = len(shard_files(path))
        try:
            total = json.loads((path / PLAN).read_text(encoding="utf-8"))["shards"]
        except (OSError, ValueError, KeyError, TypeError):
            total = "?"
        return InputError(
            f"{path}: extraction is not finished ({done} of {total} shards); "
            "run the same `clusterbench extract` command again to go on"
        )
    return InputError(
        f"{path} is not a feature store: it has no {MANIFEST}; make one with `clusterbench extract`"
    )
