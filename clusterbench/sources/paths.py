"""A CSV or TSV file that lists image files as a data set."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .class_names import resolve
from .image_files import FileSource
from .index_builder import IndexBuilder
from .kinds import SourceKind
from .sample_ids import id_from_key, id_from_path
from .source import Container, SourceReport

if TYPE_CHECKING:
    import pyarrow as pa

_PATHS = ("path", "file", "filename", "image")
_CLASSES = ("class", "label", "class_name")
_SPLITS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1}
_TRIED = 100  # files looked for before a root is called wrong
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class PathsSource(FileSource):
    """Image files at any path; `file` holds the paths below `root`, as UTF-8 bytes."""

    COLUMNS = ("file",)
    FORMAT = "csv"

    root: Path
    table: Path  # the CSV file
    containers: tuple[Container, ...]  # the CSV file as it was
    class_names: tuple[str, ...] | None
    file: np.ndarray  # (n,) bytes S<width>

    def path(self, row: int) -> Path:
        """The file of one sample."""
        return self.root / os.fsdecode(bytes(self.file[row]))

    def location(self) -> dict[str, Any]:
        """Format, CSV file, root of its paths and class names given."""
        return {
            "format": self.FORMAT,
            "source": str(self.table.absolute()),
            "root": str(self.root.absolute()),
            "class_names": self.class_names,
        }

    def held_in(self) -> list[tuple[Path, Container]]:
        """The CSV file."""
        return [(self.table.parent / held.name, held) for held in self.containers]


def index_paths(
    table: Path | str,
    *,
    root: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> PathsSource:
    """Index the image files that a CSV (commas) or TSV (tabs) file lists.

    Columns, by the header: path, file, filename or image; class, label or class_name; perhaps id;
    perhaps split (train or val). Paths are relative to `root`, by default the file's folder. A
    class is a name, or with `class_names` perhaps a number. The id is class/id, or else the path
    from the component that is the class on, without extension, or else class/name.

    A file that is missing is a broken image when it is read: looking for all of them takes long.
    Raises InputError for: no such file or columns; a row without path or class; another split;
    two rows with one id; none of the first 100 files being there; no training images.
    """
    table = Path(table)
    if not table.is_file():
        raise InputError(f"source {table} does not exist; wanted a CSV or TSV file")
    root = Path(root) if root is not None else table.parent
    builder = IndexBuilder({"file": "S1", "line": np.int64})
    prefix = f"{root.absolute()}/"  # folders above the root mean nothing
    tried = 0
    found = False
    row = 0
    for path, label, key, split in _chunks(table):
        classes = resolve(label, class_names, str(table)) if class_names is not None else label
        if tried < _TRIED and not found:
            some = path[: _TRIED - tried]
            found = any((root / name).exists() for name in some)
            tried += len(some)
            if not found and tried >= _TRIED:
                _refuse_root(table, root, path[0], tried)
        if key is None:
            ids = [
                id_from_path(p.removeprefix(prefix), c) for p, c in zip(path, classes, strict=True)
            ]
        else:
            ids = [id_from_key(k, c) for k, c in zip(key, classes, strict=True)]
        lines = np.arange(row, row + len(path))
        builder.add(ids, classes, split, file=[p.encode() for p in path], line=lines)
        row += len(path)
        last = path[0]
    if not row:
        raise InputError(f"{table}: no rows below its header")
    if not found:
        _refuse_root(table, root, last, tried)
    index, columns = builder.finish(lambda sample: f"row {int(sample['line'])} of {table}")
    if not len(index.rows("train")):
        raise InputError(f"source {table}: no training images; all rows are val")
    return PathsSource(
        index,
        SourceReport(),
        root,
        table,
        (Container.of(table.parent, table.name),),
        tuple(class_names) if class_names is not None else None,
        columns["file"],
    )


_Chunk = tuple[list[str], list[str], "list[str] | None", np.ndarray]


def _chunks(table: Path) -> Iterator[_Chunk]:
    """Paths, classes, ids and splits of some thousand rows at a time."""
    import pyarrow as pa
    from pyarrow import csv

    names = _header(table)
    path = _column(names, _PATHS, table, "a path")
    label = _column(names, _CLASSES, table, "a class")
    used = [path, label, *(n for n in ("id", "split") if n in names and n not in (path, label))]
    row = 0
    try:
        reader = csv.open_csv(
            table,
            csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
            csv.ParseOptions(delimiter=_delimiter(table)),
            csv.ConvertOptions(
                column_types={name: pa.string() for name in used},
                include_columns=used,
                strings_can_be_null=False,
            ),
        )
        for batch in reader:
            if not batch.num_rows:
                continue
            values = {name: batch.column(name).to_pylist() for name in used}
            for name in used:
                if "" in values[name]:
                    at = row + values[name].index("")
                    raise InputError(f"{table}: no {name} in row {at}, counted from 0")
            yield values[path], values[label], values.get("id"), _splits(batch, values, table, row)
            row += batch.num_rows
    except pa.ArrowInvalid as error:
        raise InputError(f"{table}: {str(error).splitlines()[0]}") from error


def _header(table: Path) -> list[str]:
    import csv

    with table.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        names = next(csv.reader(handle, delimiter=_delimiter(table)), [])
    if len(set(names)) < len(names):
        raise InputError(f"{table}: its header has a column twice: {', '.join(names)}")
    return names


def _delimiter(table: Path) -> str:
    return "\t" if table.suffix.lower() == ".tsv" else ","


def _column(names: list[str], wanted: Sequence[str], table: Path, what: str) -> str:
    for name in wanted:
        if name in names:
            return name
    raise InputError(
        f"{table}: its header is {', '.join(names) or 'empty'}; wanted {what} column named "
        f"{', '.join(wanted)}"
    )


def _splits(
    batch: pa.RecordBatch, values: dict[str, list[str]], table: Path, row: int
) -> np.ndarray:
    splits = values.get("split")
    if splits is None:
        return np.zeros(batch.num_rows, np.uint8)
    for at, split in enumerate(splits):
        if split not in _SPLITS:
            raise InputError(
                f"{table}: split {split!r} in row {row + at}, counted from 0; wanted train or val"
            )
    return np.array([_SPLITS[split] for split in splits], np.uint8)


def _refuse_root(table: Path, root: Path, example: str, tried: int) -> None:
    raise InputError(
        f"{table}: none of its first {tried} files is there (for example {root / example}); give "
        "the folder that the paths begin in (root, --root)"
    )


KIND = SourceKind(
    "csv",
    index_paths,
    takes=("class_names", "root"),
    suffixes=(".csv", ".tsv"),
    saved={"PathsSource": ".paths"},
)
