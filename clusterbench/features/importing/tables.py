"""Features in Parquet files: a column of lists, or a column for each dimension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...doors import require_regular
from ...errors import InputError
from ...limits import DIMENSIONS, check_unpacked
from ...printable import shown
from .arrays import reading
from .families import Columns, choose_columns, listed, refuse_used
from .matrix import FEATURE_NAMES, ArrayEntry, BlockFile, FeatureFile, checked_shape
from .roles import role_of

_ADVICE = "write it again, for example with pyarrow.parquet.write_table"


def parquet_entries(path: Path) -> dict[str, ArrayEntry]:
    """The columns of a file; a second axis of -1 stands for lists, whose length rows say."""
    n, fields, _ = _schema(path)
    found = {}
    for name, kind in fields.items():
        inner = _value_type(kind)
        scalar = _float(kind) or _short(kind)
        found[name] = ArrayEntry((n, -1), inner) if inner else ArrayEntry((n,), scalar)
    return found


def open_parquet(path: Path, array: str | None, used: Mapping[str, str]) -> FeatureFile:
    """Features of a Parquet file, read batch by batch.

    They are the column `array`; else the only column of lists of floats, or the first of
    `FEATURE_NAMES` among several; else the columns of floats that `choose_columns` takes. A column
    that is `used` for something else, that is an index of pandas, or whose name says what it is,
    is left out.
    """
    n, fields, indices = _schema(path)
    used = {**dict.fromkeys(indices, "pandas' row numbers"), **used}
    named = {name for name in fields if role_of(name)}
    lists = {name: kind for name, t in fields.items() if (kind := _value_type(t))}
    floats = {name: _float(kind) for name, kind in fields.items()}
    name = array if array in lists else None
    if name is not None:
        refuse_used(path, name, used)
    elif array is None:
        free = {name: kind for name, kind in lists.items() if not (name in used or name in named)}
        name = _known(free)
        if name is None and free:
            raise InputError(
                f"{path}: has {len(free)} columns of lists ({', '.join(list(free)[:12])}); "
                "say which are the features with --array"
            )
    if name is not None:
        kind = lists[name]
        where = f"{path}: {shown(repr(name))}"
        _check_stored(path, [name], where)
        dim = _first_length(path, name) if n else 0
        checked_shape(where, (n, dim), kind)
        return _ListColumn(path, name, n, dim, kind)
    if array in fields and not floats[array]:
        raise InputError(
            f"{path}: {shown(repr(array))} holds {_short(fields[array])}; wanted lists of floats"
        )
    if array is None and not any(floats.values()):
        found = listed([f"{name} ({_short(kind)})" for name, kind in fields.items()])
        raise InputError(
            f"{path}: holds {found or 'nothing'}; wanted a column of lists of floats, or columns "
            "of floats"
        )
    columns = choose_columns(path, floats, used, array)
    kinds = [kind for name in columns.names if (kind := floats[name])]
    kind = max(kinds, key=lambda kind: int(kind.removeprefix("float")))
    checked_shape(str(path), (n, len(columns.names)), kind)
    _check_stored(path, columns.names, str(path))
    return _Columns(path, array, n, len(columns.names), kind, columns)


def _schema(path: Path) -> tuple[int, dict[str, Any], list[str]]:
    """Number of rows, the type of each column, and the columns that were pandas' index."""
    from pyarrow import parquet

    require_regular(path)
    with reading(path, _ADVICE), parquet.ParquetFile(path) as file:
        n, schema = file.metadata.num_rows, file.schema_arrow
        fields = {field.name: field.type for field in schema}
        if len(fields) < len(schema):
            twice = next(name for name in fields if schema.names.count(name) > 1)
            raise InputError(f"{path}: two columns are named {shown(repr(twice))}; rename one")
        try:
            stored = (schema.pandas_metadata or {}).get("index_columns", [])
            indices = [name for name in stored if isinstance(name, str) and name in fields]
        except (ValueError, AttributeError, TypeError):
            indices = []  # no metadata of pandas, whatever they call themselves
    return n, fields, indices


def _check_stored(path: Path, names: Sequence[str], where: str) -> None:
    """InputError for columns that hold far more numbers than features have, or than are stored."""
    from pyarrow import parquet

    numbers = stored = 0
    wanted = set(names)
    with reading(path, _ADVICE), parquet.ParquetFile(path) as file:
        n = max(1, file.metadata.num_rows)
        for group in range(file.metadata.num_row_groups):
            row_group = file.metadata.row_group(group)
            for at in range(row_group.num_columns):
                column = row_group.column(at)
                place = column.path_in_schema
                if place in wanted or (len(names) == 1 and place.startswith(f"{names[0]}.")):
                    numbers += column.num_values
                    stored += column.total_compressed_size
    if numbers > n * DIMENSIONS:
        raise InputError(
            f"{where}: holds lists of {numbers // n:,} numbers; wanted at most {DIMENSIONS:,}"
        )
    check_unpacked(where, 4 * numbers, stored)


class _ListColumn(BlockFile):
    def blocks(self) -> Iterator[np.ndarray]:
        first = 0
        for batch in _batches(self.path, [str(self.array)], self.block_rows):
            column = batch.column(str(self.array))
            lengths = column.value_lengths() if not _fixed(column.type) else None
            _refuse(column.is_null(), self.where, first, "holds no list")
            if lengths is not None:
                other = lengths.to_numpy(zero_copy_only=False) != self.dim
                if other.any():
                    row = int(other.argmax())
                    raise InputError(
                        f"{self.where}: row {first + row} holds {lengths[row].as_py()} numbers and "
                        f"row 0 holds {self.dim}; wanted lists of one length"
                    )
            values = column.flatten()
            if values.null_count:
                row = int(values.is_null().to_numpy(zero_copy_only=False).argmax()) // self.dim
                raise InputError(f"{self.where}: a number is missing in row {first + row}")
            numbers = values.to_numpy(zero_copy_only=False)
            yield numbers.reshape(len(batch), self.dim).astype(self.memory_dtype, copy=False)
            first += len(batch)


@dataclass(frozen=True, eq=False)
class _Columns(BlockFile):
    taken: Columns

    @property
    def columns(self) -> Columns:
        return self.taken

    def blocks(self) -> Iterator[np.ndarray]:
        first = 0
        for batch in _batches(self.path, list(self.taken.names), self.block_rows):
            out = np.empty((len(batch), self.dim), self.memory_dtype)
            for position, name in enumerate(self.taken.names):
                column = batch.column(name)
                _refuse(column.is_null(), f"{self.path}: {name!r}", first, "holds no number")
                out[:, position] = column.to_numpy(zero_copy_only=False)
            yield out
            first += len(batch)


def _batches(path: Path, columns: list[str], rows: int) -> Iterator[Any]:
    from pyarrow import parquet

    # A row group may be as large as the file: read it through a small buffer, not at once.
    with (
        reading(path, _ADVICE),
        parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file,
    ):
        yield from file.iter_batches(batch_size=rows, columns=columns, use_threads=False)


def _refuse(missing: Any, where: str, first: int, what: str) -> None:
    rows = missing.to_numpy(zero_copy_only=False)
    if rows.any():
        raise InputError(f"{where}: row {first + int(rows.argmax())} {what}")


def _first_length(path: Path, name: str) -> int:
    for batch in _batches(path, [name], 1):
        value = batch.column(name)[0]
        return len(value) if value.is_valid else 0
    return 0


def _known(names: dict[str, str]) -> str | None:
    if len(names) == 1:
        return next(iter(names))
    by_case = {name.casefold(): name for name in reversed(names)}
    return next((by_case[known] for known in FEATURE_NAMES if known in by_case), None)


def _float(kind: Any) -> str | None:
    from pyarrow import types

    if types.is_floating(kind):
        return {16: "float16", 32: "float32", 64: "float64"}[kind.bit_width]
    return None


def _value_type(kind: Any) -> str | None:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _float(kind.value_type)
    return None


def _fixed(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_fixed_size_list(kind))


def _short(kind: Any) -> str:
    return str(kind).split("<")[0]
