"""Parquet and Arrow tables as a data set: Hugging Face's form of image data sets."""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..limits import CLASS_NAME, SAMPLE_ID
from .class_names import LabelledSamples, check_twice
from .containers import container_stamps
from .hub import PREFIX, download
from .kinds import SourceKind
from .process_cache import ProcessCache
from .sample_ids import id_from_key, id_from_path
from .source import BrokenImage, Container, ImageSource, SourceReport
from .splits import container_splits, left_out_note
from .table_columns import TableColumns, find_columns
from .table_files import SUFFIXES, TableFile, leaf, list_tables

if TYPE_CHECKING:
    import pyarrow as pa

_CACHE_BYTES = 256 << 20
_BLOCK_ROWS = 256  # rows of the index that are read together, in their cheapest order: a batch
_STAGE_ABOVE = 3.0  # times that all images would be read


@dataclass(frozen=True, eq=False)
class ParquetSource(ImageSource):
    """Images in tables; `container`, `group` and `position` say file, row group and row in it.

    Reading one image reads its row group; the groups read last stay in memory, up to 256 MB in
    each process. Where the order of the index and of the files differ, read in `reading_order`, or
    `stage` the images (see `datasets.staging`).
    """

    COLUMNS = ("container", "group", "position")
    FORMAT = "parquet"

    root: Path
    source: Path  # a folder of tables, or one table
    origin: str  # what was asked for: the source, or hf:OWNER/NAME@REVISION
    containers: tuple[Container, ...]
    image: str  # the column, or its part, that holds the bytes
    class_names: tuple[str, ...] | None
    container: np.ndarray  # (n,) int32
    group: np.ndarray  # (n,) int32
    position: np.ndarray  # (n,) int32

    def read(self, row: int) -> bytes:
        """The bytes of one image.

        Raises BrokenImage for null or no bytes and for a table that is gone; InputError for a
        table that changed or is damaged.
        """
        held = self.containers[int(self.container[row])]
        group = int(self.group[row])
        key = str(self.root), held
        try:
            images = _groups.get(
                (*key, group, self.image),
                lambda: self._read_group(held, group),
                lambda array: int(array.nbytes),
            )
        except FileNotFoundError as error:
            raise BrokenImage(f"{held.name}: {error.strerror}") from error
        content = images[int(self.position[row])].as_py()
        if not content:
            raise BrokenImage("the table holds no bytes for it")
        return bytes(content)

    def stamps(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Sizes 0, which means not known without reading, and the times of the tables."""
        which = self.container[start:stop]
        zeros = np.zeros(len(which), np.int64)
        return container_stamps(self.root, self.containers, which, zeros)

    def location(self) -> dict[str, Any]:
        """Format, file or folder (or Hugging Face repository) and class names given."""
        return {
            "format": self.FORMAT,
            "source": self.origin or str(self.source.absolute()),
            "class_names": self.class_names,
        }

    def reading_order(self, rows: np.ndarray) -> np.ndarray:
        """By file, row group and row: each group is then read once."""
        return np.lexsort((self.position[rows], self.group[rows], self.container[rows]))

    def held_in(self) -> list[tuple[Path, Container]]:
        """Every table with its file."""
        return [(self.root / held.name, held) for held in self.containers]

    def read_amplification(self, limit: float = float("inf")) -> float:
        """How many times all images are read when the index is read batch after batch.

        Follows the cache of row groups, whose sizes are taken from those of the files. 1.0 is the
        least; groups of which no row is in the index do not count. Counting ends above `limit`.
        """
        key = self.container.astype(np.int64) << 32 | self.group
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
        rows = np.bincount(of)
        held = np.bincount(self.container, minlength=len(self.containers))
        per_row = np.array([c.size for c in self.containers]) / np.maximum(held, 1)
        weight = rows * per_row[self.container[first]]
        cache: OrderedDict[int, None] = OrderedDict()
        inside, read = 0.0, 0
        for start in range(0, len(of), _BLOCK_ROWS):
            for group in np.unique(of[start : start + _BLOCK_ROWS]).tolist():
                if group in cache:
                    cache.move_to_end(group)
                    continue
                cache[group] = None
                inside, read = inside + weight[group], read + int(rows[group])
                while inside > _CACHE_BYTES and len(cache) > 1:
                    inside -= weight[cache.popitem(last=False)[0]]
            if read > limit * len(of):
                break
        return read / len(of)

    def needs_staging(self) -> bool:
        """Whether row groups would be read again and again: more than three times on average."""
        return self.read_amplification(_STAGE_ABOVE) > _STAGE_ABOVE

    def _read_group(self, held: Container, group: int) -> pa.ChunkedArray:
        table = _tables.get((str(self.root), held), lambda: _open_table(self.root, held))
        return leaf(table.read(group, [self.image]), self.image)


_tables: ProcessCache[TableFile] = ProcessCache(limit=64)
_groups: ProcessCache[pa.ChunkedArray] = ProcessCache(limit=_CACHE_BYTES)


def index_parquet(
    source: Path | str, *, class_names: Sequence[str] | None = None, origin: str = ""
) -> ParquetSource:
    """Index a `.parquet` or `.arrow` file, or the ones in a folder and below.

    Only labels and names are read, not the images. Image: the column image, img, jpg, png or webp
    (or the only one that fits), binary or a struct with `bytes`. Label: the column label, class,
    class_name, synset, cls or labels; numbers are named by the schema's ClassLabel names, or
    `class_names`. Name: the column id, key, filename or path, or the image's path, without its
    folder; else the number of the row over all files. Splits are those of the files' names or
    folders; where there are validation and test files, the test files are left out.

    Raises InputError for: nothing there; a damaged file; no such columns; a missing label; two
    samples with one id; no training images.
    """
    path = Path(source)
    root, names = list_tables(path)
    splits = container_splits(names)
    used = [name for name in names if name in splits]
    containers = tuple(Container.found(root, name) for name in used)
    tables = [TableFile(root / name) for name in used] if len(used) <= 64 else None
    n_rows = sum(
        sum((tables[i] if tables else TableFile(root / n)).rows) for i, n in enumerate(used)
    )
    samples = LabelledSamples(
        {"container": np.int32, "group": np.int32, "position": np.int32}, f"source {path}"
    )
    columns: TableColumns | None = None
    width, row = len(str(max(n_rows - 1, 0))), 0
    for number, name in enumerate(used):
        table = tables[number] if tables else TableFile(root / name)
        found = find_columns(table.schema, str(root / name))
        if columns is None:
            columns = found
        elif found != columns:
            raise InputError(
                f"{root / name}: its columns are {_in_words(found)}, but those of {used[0]} are "
                f"{_in_words(columns)}; all files of a data set have the same"
            )
        for group, count in enumerate(table.rows):
            where = f"{root / name}, row group {group}"
            part = table.read(group, columns.small, repeated=True)
            _refuse_long(part, columns, where)
            samples.add(
                _names(part, columns, range(row, row + count), width, where),
                _labels(part, columns, where),
                splits[name],
                functools.partial(_row, where),
                container=number,
                group=group,
                position=np.arange(count),
            )
            row += count
    if columns is None or not samples.n:
        raise InputError(f"source {path}: {len(used)} tables without a row")
    given = class_names if class_names is not None else columns.names
    if given is not None:
        check_twice(given, f"source {path}")
    make_id = id_from_key if columns.name_is_key or not columns.small[1:] else _file_id
    index, values = samples.finish(
        given,
        make_id,
        lambda sample: (
            f"{used[int(sample['container'])]} (row {int(sample['position'])} of row group "
            f"{int(sample['group'])})"
        ),
        numbers=given is not None or not columns.label_is_text,
    )
    return ParquetSource(
        index,
        SourceReport(
            ignored=len(names) - len(used),
            notes=(*left_out_note(names, splits, "tables"), *samples.notes),
        ),
        root,
        path,
        origin,
        containers,
        columns.image_leaf,
        tuple(class_names) if class_names is not None else None,
        **values,
    )


def _open_table(root: Path, held: Container) -> TableFile:
    now = Container.of(root, held.name)
    if now.size != held.size:
        raise InputError(
            f"{root / held.name}: {now.size} bytes, but {held.size} when it was indexed; index it "
            "again"
        )
    return TableFile(root / held.name)


def _row(where: str, place: int) -> str:
    return f"{where}, row {place}, counted from 0"


def _file_id(name: str, class_name: str) -> str:
    return id_from_path(name, class_name)


def _refuse_long(table: pa.Table, columns: TableColumns, where: str) -> None:
    """InputError for a label or name that is too long, before all are texts in memory."""
    import pyarrow.compute as pc

    for column, longest in zip(columns.small, (4 * CLASS_NAME, SAMPLE_ID), strict=False):
        values = leaf(table, column)
        for chunk in values.chunks:
            texts = chunk.dictionary if hasattr(chunk, "dictionary") else chunk
            if texts.type in ("string", "large_string", "binary", "large_binary"):
                found = pc.max(pc.binary_length(texts)).as_py() or 0
                if found > longest:
                    raise InputError(
                        f"{where}: a value of {column} has {found:,} bytes; wanted at most "
                        f"{longest:,}"
                    )


def _labels(table: pa.Table, columns: TableColumns, where: str) -> list[str]:
    values = table.column(columns.label).to_pylist()
    if None in values:
        raise InputError(f"{where}: no label in row {values.index(None)}, counted from 0")
    return [str(value) for value in values]


def _names(
    table: pa.Table, columns: TableColumns, rows: range, width: int, where: str
) -> list[str]:
    if len(columns.small) < 2:
        return [f"{row:0{width}d}" for row in rows]
    values = leaf(table, columns.small[1]).to_pylist()
    if not columns.name and all(value is None for value in values):
        return [f"{row:0{width}d}" for row in rows]
    if None in values or "" in values:
        at = values.index(None) if None in values else values.index("")
        raise InputError(
            f"{where}: no name in row {at} (column {columns.small[1]}), counted from 0"
        )
    return [str(value) for value in values]


def _in_words(columns: TableColumns) -> str:
    fields = dataclasses.asdict(columns)
    return ", ".join(f"{k} {fields[k] or '-'}" for k in ("image", "label", "name")) + (
        f", {len(columns.names)} class names" if columns.names else ""
    )


def _open(location: str, *, class_names: Sequence[str] | None = None) -> ParquetSource:
    folder, origin = download(location) if location.startswith(PREFIX) else (Path(location), "")
    return index_parquet(folder, class_names=class_names, origin=origin)


KIND = SourceKind(
    "parquet",
    _open,
    takes=("class_names",),
    prefix=PREFIX,
    suffixes=SUFFIXES,
    saved={"ParquetSource": ".parquet", "StagedSource": ".staging"},
)
