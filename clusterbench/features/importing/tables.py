"""Features in Parquet files: a column of lists, or a column for each dimension."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...catalog import unknown_name
from ...errors import InputError
from .arrays import reading
from .matrix import FEATURE_NAMES, BlockFile, FeatureFile, checked_shape

_ADVICE = "write it again, for example with pyarrow.parquet.write_table"


def column_names(path: Path) -> list[str]:
    """Names of a file's columns."""
    from pyarrow import parquet

    with reading(path, _ADVICE), parquet.ParquetFile(path) as file:
        return list(file.schema_arrow.names)


def open_parquet(path: Path, array: str | None) -> FeatureFile:
    """Features of a Parquet file, read batch by batch.

    They are the column `array`; else the only column of lists of floats, or the first of
    `FEATURE_NAMES` among several; else all columns of floats, in their order.
    """
    from pyarrow import parquet

    with reading(path, _ADVICE), parquet.ParquetFile(path) as file:
        n, fields = file.metadata.num_rows, {field.name: field for field in file.schema_arrow}
    lists: dict[str, str] = {}
    floats: dict[str, str] = {}
    for field_name, field in fields.items():
        if kind := _value_type(field.type):
            lists[field_name] = kind
        if kind := _float(field.type):
            floats[field_name] = kind
    if array is not None and array not in lists:
        if array in fields:
            raise InputError(
                f"{path}: {array!r} holds {_short(fields[array].type)}; wanted lists of floats"
            )
        raise InputError(f"{path}: {unknown_name('column', array, list(fields)[:1000])}")
    name = array or _known(lists)
    if name is not None:
        kind = lists[name]
        where = f"{path}: {name!r}"
        dim = _first_length(path, name) if n else 0
        checked_shape(where, (n, dim), kind)
        return _ListColumn(path, name, n, dim, kind)
    if lists:
        raise InputError(
            f"{path}: has {len(lists)} columns of lists ({', '.join(list(lists)[:12])}); "
            "say which are the features with --array"
        )
    if not floats:
        listed = ", ".join(f"{name} ({_short(f.type)})" for name, f in list(fields.items())[:12])
        raise InputError(
            f"{path}: holds {listed}; wanted a column of lists of floats, or columns of floats"
        )
    kind = max(floats.values(), key=lambda kind: int(kind.removeprefix("float")))
    checked_shape(str(path), (n, len(floats)), kind)
    return _Columns(path, None, n, len(floats), kind, tuple(floats))


class _ListColumn(BlockFile):
    def blocks(self) -> Iterator[np.ndarray]:
        first = 0
        for batch in _batches(self.path, [str(self.array)], self.block_rows):
            column = batch.column(0)
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
    names: tuple[str, ...]

    def blocks(self) -> Iterator[np.ndarray]:
        first = 0
        for batch in _batches(self.path, list(self.names), self.block_rows):
            out = np.empty((len(batch), self.dim), self.memory_dtype)
            for position, name in enumerate(self.names):
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
        value = batch.column(0)[0]
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
