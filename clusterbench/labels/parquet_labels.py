"""Labels in a Parquet file, whose footer is judged before a column is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from ..doors import open_regular
from ..errors import InputError
from ..limits import PARQUET_FOOTER, ROWS, unpacked_limit
from .column_request import ColumnRequest, reading
from .encoding import LabelColumn, id_texts
from .parquet_pages import unpacked_bytes

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

_ADVICE = "write it again, for example with pyarrow.parquet.write_table"


def read_parquet(request: ColumnRequest) -> LabelColumn:
    """The column asked for of a .parquet file, and the ids beside it."""
    with _opened(request) as file:
        names = file.schema_arrow.names
        taken = [at for at in request.choose(names, lone=True) if at is not None]
    columns = _read(request, taken)
    where = request.where(names[taken[0]])
    ids = id_texts(columns[1], where) if taken[1:] else None
    keys = {name: partial(_key, request, at) for at, name in enumerate(names) if at != taken[0]}
    return LabelColumn(where, columns[0], ids, names[taken[0]], keys)


def _key(request: ColumnRequest, at: int) -> np.ndarray | None:
    from pyarrow import types

    with _opened(request) as file:
        field = file.schema_arrow.field(at)
    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        return None  # binary columns hold images
    return id_texts(_read(request, [at])[0], request.where(field.name))


@contextmanager
def _opened(
    request: ColumnRequest, categories: Sequence[str] = ()
) -> Iterator[parquet.ParquetFile]:
    from pyarrow import parquet

    with reading(request.path, _ADVICE), open_regular(request.path) as handle:
        _check_footer(handle)
        # An open file, not a path: folder names such as label=3 would be taken for columns.
        with parquet.ParquetFile(handle, read_dictionary=list(categories)) as file:
            if file.metadata.num_rows > ROWS:
                raise InputError(
                    f"{request.path}: says it has {file.metadata.num_rows:,} rows; wanted at most "
                    f"{ROWS:,}"
                )
            yield file


def _check_footer(handle: BinaryIO) -> None:
    size = os.fstat(handle.fileno()).st_size
    handle.seek(max(0, size - 8))
    end = handle.read(8)
    handle.seek(0)
    if end.endswith(b"PARE"):
        raise ValueError("it is encrypted")
    length = int.from_bytes(end[:4], "little")
    if end.endswith(b"PAR1") and length > PARQUET_FOOTER:
        raise ValueError(f"its footer has {length / 1e6:,.0f} MB")


def _read(request: ColumnRequest, taken: Sequence[int]) -> list[pa.ChunkedArray]:
    """Columns by position. Texts come as categories, since a long one may stand in every row."""
    with _opened(request) as file:
        fields = [file.schema_arrow.field(at) for at in taken]
        leaves = []
        for at, field in zip(taken, fields, strict=True):
            found = _leaves(file, at)
            if len(found) != 1:  # a struct; `decode` says what it is
                raise InputError(
                    f"{request.where(field.name)}: values are of type "
                    f"{str(field.type).split('<')[0]}; labels are whole numbers or strings"
                )
            leaves.append(found[0])
        paths = [file.schema.column(leaf).path for leaf in leaves]
        for leaf, field in zip(leaves, fields, strict=True):
            _check_size(request, file, leaf, field.name)
    texts = [path for path, field in zip(paths, fields, strict=True) if _is_text(field.type)]
    with _opened(request, texts) as file:
        table = file.read(columns=paths)
        table.validate(full=True)  # text is UTF-8, and categories are there, only if one looks
        return [table.column(field.name) for field in fields]


def _leaves(file: parquet.ParquetFile, at: int) -> list[int]:
    """Positions of the leaf columns of a column of the schema."""
    widths = [_width(field.type) for field in file.schema_arrow]
    return list(range(sum(widths[:at]), sum(widths[: at + 1])))


def _width(kind: pa.DataType) -> int:
    from pyarrow import types

    if types.is_dictionary(kind) or not kind.num_fields:
        return 1
    return sum(_width(kind.field(number).type) for number in range(kind.num_fields))


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind))


def _check_size(request: ColumnRequest, file: parquet.ParquetFile, leaf: int, name: str) -> None:
    """InputError for a column that takes much more in memory than it does in the file."""
    groups = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
    chunks = [group.column(leaf) for group in groups]
    stored = min(sum(chunk.total_compressed_size for chunk in chunks), request.path.stat().st_size)
    limit = unpacked_limit(stored)
    values = sum(
        max(chunk.num_values, group.num_rows) for chunk, group in zip(chunks, groups, strict=True)
    )
    unpacked = max(sum(chunk.total_uncompressed_size for chunk in chunks), 8 * values)
    if unpacked <= limit:
        # What the pages say, by which they are decompressed.
        unpacked = 0
        with open_regular(request.path) as handle:
            for chunk in chunks:
                starts = (chunk.dictionary_page_offset, chunk.data_page_offset)
                start = min(at for at in starts if at)
                unpacked += unpacked_bytes(handle, start, chunk.total_compressed_size, limit)
                if unpacked > limit:
                    break
    if unpacked > limit:
        raise InputError(
            f"{request.where(name)}: takes {unpacked / 1e6:,.0f} MB in memory; "
            f"wanted at most {limit / 1e6:,.0f} MB"
        )
