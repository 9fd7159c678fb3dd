"""Parquet and Arrow files as row groups, read one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..doors import require_regular
from ..errors import InputError
from .litter import is_litter
from .splits import split_of

if TYPE_CHECKING:
    import pyarrow as pa

#: Suffixes of the files that can be read.
SUFFIXES = (".parquet", ".arrow")
_FEW, _ROW_BYTES = 100_000, 16  # more rows than _FEW take at least so many bytes each
_BATCH = 256  # rows of images in memory at a time while a file is read once through


class TableFile:
    """A Parquet file by its row groups, or an Arrow file or stream by its record batches.

    Arrow files are mapped into memory. Raises InputError for a file that is not what its suffix
    says, or is cut off.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        require_regular(path)
        self.path = path
        self._batches: list[pa.RecordBatch] | None = None
        self._repeated: Any = None
        try:
            if path.suffix == ".parquet":
                import pyarrow.parquet as pq

                self._parquet = pq.ParquetFile(path, pre_buffer=False)
                self.schema: pa.Schema = self._parquet.schema_arrow
                meta = self._parquet.metadata
                self.rows = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
            else:
                self.schema, self._batches = _mapped(path)
                self.rows = [batch.num_rows for batch in self._batches]
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"{path}: not a whole {path.suffix[1:]} file ({first}); fetch it again"
            ) from error
        held, rows = path.stat().st_size, sum(self.rows)
        if min(self.rows, default=0) < 0 or rows > max(_FEW, held // _ROW_BYTES):
            raise InputError(
                f"{path}: {rows:,} rows in {held:,} bytes, which cannot hold as many images; fetch "
                "it again"
            )

    def read(self, group: int, columns: list[str], *, repeated: bool = False) -> pa.Table:
        """Some columns of a row group; `image.path` is a part of a struct and stays in one.

        repeated: texts that repeat stay one text and numbers of it. In a file they cost nothing,
        and each on its own would cost the memory its length in every row.
        """
        import pyarrow as pa

        try:
            if self._batches is None:
                file = self._with_dictionaries(columns) if repeated else self._parquet
                table = file.read_row_group(group, columns=columns, use_threads=False)
            else:
                names = list(dict.fromkeys(column.split(".")[0] for column in columns))
                table = pa.Table.from_batches([self._batches[group].select(names)])
                table.validate(full=True)  # offsets in a file lead anywhere
        except (pa.ArrowException, OSError) as error:
            raise InputError(
                f"{self.path}: row group {group} cannot be read ({str(error).splitlines()[0]}); "
                "fetch the file again"
            ) from error
        return table

    def _with_dictionaries(self, columns: list[str]) -> Any:
        if self._repeated is None:
            import pyarrow.parquet as pq

            self._repeated = pq.ParquetFile(self.path, pre_buffer=False, read_dictionary=columns)
        return self._repeated

    def batches(self, column: str) -> Iterator[pa.ChunkedArray]:
        """One column (or part of a struct) from first to last row, a few rows at a time."""
        import pyarrow as pa

        if self._batches is None:
            for batch in self._parquet.iter_batches(_BATCH, columns=[column], use_threads=False):
                yield leaf(pa.Table.from_batches([batch]), column)
            return
        for batch in self._batches:
            for start in range(0, batch.num_rows, _BATCH):
                yield leaf(pa.Table.from_batches([batch.slice(start, _BATCH)]), column)


def leaf(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column, or with `name.part` a part of its structs; null where the struct is null."""
    import pyarrow.compute as pc

    name, _, part = column.partition(".")
    if column in table.column_names:  # a column whose own name has a dot
        return table.column(column)
    return pc.struct_field(table.column(name), part) if part else table.column(name)


def list_tables(source: Path) -> tuple[Path, list[str]]:
    """(root, POSIX paths below it, sorted) of a file, or of the tables in a folder and below.

    Raises InputError for nothing there, and for tables in several folders that are not splits:
    they are several data sets.
    """
    if source.exists() and not source.is_dir():
        return source.parent, [source.name]
    if not source.is_dir():
        raise InputError(f"source {source} does not exist; wanted Parquet or Arrow files")
    names = []
    for folder, folders, files in os.walk(source):
        folders[:] = [name for name in folders if not is_litter(name)]
        names += [
            Path(folder, name).relative_to(source).as_posix()
            for name in files
            if name.endswith(SUFFIXES) and not is_litter(name)
        ]
    if not names:
        raise InputError(f"source {source}: no *.parquet or *.arrow in it")
    _check_one_data_set(source, names)
    return source, sorted(names)


def _check_one_data_set(source: Path, names: list[str]) -> None:
    homes = set()
    for name in names:
        folders = name.split("/")[:-1]
        homes.add("/".join(f for f in folders if f != "data" and not split_of(f"{f}/")))
    if len(homes) > 1:
        listed = ", ".join(f"{home or '.'}/" for home in sorted(homes)[:4])
        raise InputError(
            f"source {source}: tables lie in {len(homes)} folders ({listed}), which are several "
            "data sets; give one of the folders"
        )


def _mapped(path: Path) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    import pyarrow as pa

    mapped = pa.memory_map(str(path))
    if bytes(mapped.read(6)) == b"ARROW1":
        reader = pa.ipc.open_file(mapped)
        return reader.schema, [reader.get_batch(i) for i in range(reader.num_record_batches)]
    mapped.seek(0)
    reader = pa.ipc.open_stream(mapped)
    return reader.schema, list(reader)
