"""A CSV or TSV file that lists image files as a data set."""

from __future__ import annotations

import functools
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import open_regular
from ..errors import InputError
from ..printable import shown
from .class_names import LabelledSamples
from .image_files import FileSource
from .kinds import SourceKind
from .once import refuse_again
from .sample_ids import id_from_key, id_from_path
from .source import Container, SourceReport
from .splits import evaluated, split_of_word
from .words import counted

_PATHS = ("path", "file", "filename", "image")
_CLASSES = ("class", "label", "class_name")
_TRIED = 100  # files looked for before a root is called wrong
_BLOCK_BYTES = 1 << 20
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LEFT_OUT = 2  # in place of a split's number


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
    perhaps split (train, val or test, as `splits` spells them; where there are val and test, test
    is left out). Paths are relative to `root`, by default the file's folder. A class is a name, or
    with `class_names` perhaps a number. The id is class/id, or else the path from the component
    that is the class on, without extension, or else class/name.

    A file that is missing is a broken image when it is read: looking for all of them takes long.
    Raises InputError for: no such file or columns; a row without path or class; another split;
    two rows with one id, or with one file and two classes or splits; none of the first 100 files
    being there; no training images.
    """
    table = Path(table)
    if table.is_dir():
        raise InputError(f"source {table} is a folder; wanted a CSV or TSV file")
    root = Path(root) if root is not None else table.parent
    where = f"source {table}"
    header = _header(table)
    samples = LabelledSamples({"file": "S1", "line": np.int64}, where)
    prefix = f"{root.absolute()}/"  # folders above the root mean nothing
    numbers, notes = _split_numbers(table, header)
    has_ids = "id" in header
    tried, found, row, out = 0, False, 0, 0
    last = ""
    for lines, path, label, key, split in _chunks(table, header, numbers):
        row += len(lines)
        out += len(lines) - len(path)
        if not path:
            continue
        if tried < _TRIED and not found:
            some = path[: _TRIED - tried]
            found = any(_is_there(root / name) for name in some)
            tried += len(some)
            if not found and tried >= _TRIED:
                _refuse_root(table, root, path[0], tried)
        used = lines[split != _LEFT_OUT]
        samples.add(
            [p.removeprefix(prefix) for p in path] if key is None else key,
            label,
            split[split != _LEFT_OUT],
            functools.partial(_row, table, used),
            file=[p.encode() for p in path],
            line=used,
        )
        last = path[0]
    if not samples.n:
        what = "used" if row else "below its header"
        raise InputError(f"{table}: no rows {what}")
    if not found:
        _refuse_root(table, root, last, tried)
    index, columns = samples.finish(
        class_names,
        id_from_key if has_ids else id_from_path,
        lambda sample: f"row {int(sample['line'])} of {table}",
        numbers=class_names is not None,
    )
    refuse_again(columns["file"], index, lambda at: f"row {int(columns['line'][at])} of {table}")
    if out:
        notes += (f"{counted(out, 'row')} left out",)
    return PathsSource(
        index,
        SourceReport(ignored=out, notes=(*notes, *samples.notes)),
        root,
        table,
        (Container.of(table.parent, table.name),),
        tuple(class_names) if class_names is not None else None,
        columns["file"],
    )


def _row(table: Path, lines: np.ndarray, place: int) -> str:
    return f"{table}, row {int(lines[place])}, counted from 0"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds NUL
        return False


_Chunk = tuple[np.ndarray, list[str], list[str], "list[str] | None", np.ndarray]


def _chunks(table: Path, names: list[str], numbers: dict[str, int] | None) -> Iterator[_Chunk]:
    """Some thousand rows at a time: their numbers and splits, and of the ones used paths, ..."""
    path = _column(names, _PATHS, table, "a path")
    label = _column(names, _CLASSES, table, "a class")
    used = [path, label, *(n for n in ("id", "split") if n in names and n not in (path, label))]
    row = 0
    for values in _batches(table, used):
        lines = np.arange(row, row + len(values[path]))
        split = np.zeros(len(lines), np.uint8)
        if numbers is not None:
            split = np.array([numbers[word] for word in values["split"]], np.uint8)
        kept = np.flatnonzero(split != _LEFT_OUT)
        if len(kept) < len(lines):
            values = {name: [column[i] for i in kept] for name, column in values.items()}
        for name in used:
            blank = next((at for at, text in enumerate(values[name]) if not text.strip()), None)
            if blank is not None:
                raise InputError(f"{table}: no {name} in row {row + kept[blank]}, counted from 0")
        for at, text in enumerate(values[path]):
            if "\0" in text:
                raise InputError(f"{table}: the path in row {row + kept[at]} holds a NUL byte")
        yield lines, values[path], values[label], values.get("id"), split
        row += len(lines)


def _batches(table: Path, used: list[str]) -> Iterator[dict[str, list[str]]]:
    """Columns as texts, some thousand rows at a time."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        with open_regular(table) as handle:
            reader = csv.open_csv(
                handle,
                csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                csv.ParseOptions(delimiter=_delimiter(table)),
                csv.ConvertOptions(
                    column_types={name: pa.string() for name in used},
                    include_columns=used,
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                if batch.num_rows:
                    yield {name: batch.column(name).to_pylist() for name in used}
    except pa.ArrowException as error:
        raise InputError(f"{table}: {str(error).splitlines()[0]}") from error


def _split_numbers(table: Path, names: list[str]) -> tuple[dict[str, int] | None, tuple[str, ...]]:
    """(word -> 0 train, 1 val, or left out; notes), looked for in all rows; None without column."""
    if "split" not in names:
        return None, ()
    words: dict[str, str] = {}
    row = 0
    for values in _batches(table, ["split"]):
        for at, word in enumerate(values["split"]):
            if word in words:
                continue
            words[word] = split_of_word(word.strip())
            if not words[word]:
                raise InputError(
                    f"{table}: split {shown(repr(word))} in row {row + at}, counted from 0; wanted "
                    "train, val or test"
                )
        row += len(values["split"])
    used = {"train": 0, evaluated(words.values()): 1}
    notes = tuple(
        f"rows of split {word!r} are left out: "
        + ("val is there, and evaluates" if split == "test" else "their images have no class")
        for word, split in words.items()
        if split not in used
    )
    return {word: used.get(split, _LEFT_OUT) for word, split in words.items()}, notes


def _header(table: Path) -> list[str]:
    import csv

    with open_regular(table) as handle:
        first = handle.read(_BLOCK_BYTES).decode("utf-8-sig", errors="replace")
    try:
        names = next(csv.reader(io.StringIO(first, newline=""), delimiter=_delimiter(table)), [])
    except csv.Error as error:
        raise InputError(f"{table}: its header cannot be read ({error})") from error
    if len(set(names)) < len(names):
        raise InputError(f"{table}: its header has a column twice: {', '.join(names)}")
    return names


def _delimiter(table: Path) -> str:
    return "\t" if table.suffix.lower() == ".tsv" else ","


def _column(names: list[str], wanted: Sequence[str], table: Path, what: str) -> str:
    for name in wanted:
        if name in names:
            return name
    wanted_mark = _delimiter(table)
    for mark, called in ((";", "semicolons"), ("\t", "tabs"), (",", "commas"), ("|", "bars")):
        if mark != wanted_mark and any(mark in name for name in names):
            raise InputError(
                f"{table}: its columns are separated by {called}; wanted commas in a .csv, tabs in "
                "a .tsv: save or rename it so"
            )
    raise InputError(
        f"{table}: its header is {', '.join(names) or 'empty'}; wanted {what} column named "
        f"{', '.join(wanted)}"
    )


def _refuse_root(table: Path, root: Path, example: str, tried: int) -> None:
    why = "give the folder that the paths begin in (root, --root)"
    if _URL.match(example):
        why = "they are addresses, and nothing is fetched: give paths of files"
    elif example.startswith("~"):
        why = "~ is not replaced by the home folder: write paths in full, or below --root"
    elif "\\" in example:
        why = "their parts are separated by backslashes: write / instead"
    raise InputError(
        f"{table}: none of its first {counted(tried, 'file')} is there (for example "
        f"{shown(example if _URL.match(example) else str(root / example))}); {why}"
    )


KIND = SourceKind(
    "csv",
    index_paths,
    takes=("class_names", "root"),
    suffixes=(".csv", ".tsv"),
    saved={"PathsSource": ".paths"},
)
