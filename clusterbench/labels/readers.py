"""The column of labels in a file of each format, and the sample ids beside it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..catalog import unknown_name
from ..errors import InputError
from .encoding import LabelColumn, id_texts

_ID_NAMES = ("id", "ids")
_SHOWN = 12  # names listed in an error


@dataclass(frozen=True)
class ColumnRequest:
    """What was asked for; read_labels says what each field means."""

    path: Path
    known: tuple[str, ...]
    column: str | None
    option: str
    alone: tuple[str, ...] = ()

    def choose(
        self, names: Sequence[str], *, lone: bool = False, hint: str = ""
    ) -> tuple[int, int | None]:
        """Positions of the labels and of the ids among the names of a file's columns.

        lone: the only column that is not the ids is taken whatever its name. hint: ends the error
        for a file with no known name. Raises InputError when the column is not there, or twice.
        """
        ids = _find(names, _ID_NAMES)
        labels = _find(names, self.known if self.column is None else (self.column,))
        if labels is None and self.column is not None:
            some = names[:1000]  # a JSON object may have a key per sample
            raise InputError(f"{self.path}: {unknown_name('column', self.column, some)}")
        others = [position for position in range(len(names)) if position != ids]
        if labels is None and len(others) == 1 and (lone or _find(names, self.alone) == others[0]):
            labels = others[0]
        if labels is None:
            listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            raise InputError(
                f"{self.path}: holds {listed or 'nothing'}, and nothing named "
                f"{', '.join(self.known)}; say which to read with {self.option}{hint}"
            )
        ids = None if ids == labels else ids
        for position in (labels, ids):
            if position is not None and names.count(names[position]) > 1:
                raise InputError(
                    f"{self.path}: two columns are named {names[position]!r}; rename one"
                )
        return labels, ids

    def where(self, name: str) -> str:
        """The file and the column taken, for errors."""
        return f"{self.path}: {name!r}"


def _find(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Position of the first of `wanted` that is there, as it is written or else in any case."""
    plain = [name.strip().casefold() for name in names]
    for name in wanted:
        if name in names:
            return names.index(name)
        if name.casefold() in plain:
            return plain.index(name.casefold())
    return None


@contextmanager
def _reading(path: Path, advice: str) -> Iterator[None]:
    """Turn what a library raises while it reads into one InputError that names the file."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a damaged file raises whatever the reading meets first
        reason = " ".join(str(error).split()) or type(error).__name__
        kind = path.suffix.lower()
        raise InputError(
            f"{path}: not a readable {kind} file ({reason[:200]}); {advice}"
        ) from error


def _read_numpy(request: ColumnRequest) -> LabelColumn:
    path = request.path
    with path.open("rb") as handle:
        start = handle.read(6)
    if not start.startswith((b"\x93NUMPY", b"PK")):  # np.load would take it for a pickle
        raise InputError(
            f"{path}: not a NumPy file, it starts with {start!r}; save it with numpy.save or savez"
        )
    with _reading(path, "save integers or strings again, with numpy.save or numpy.savez"):
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return _lone_array(request, content)
        with content as archive:
            names = archive.files
            position, at = request.choose(names, lone=True)
            # A member that is not an array comes as bytes.
            labels = np.asarray(archive[names[position]])
            ids = None if at is None else np.asarray(archive[names[at]])
    where = request.where(names[position])
    texts = None if ids is None else id_texts(ids, where)
    return LabelColumn(where, labels, texts, names[position])


def _lone_array(request: ColumnRequest, array: np.ndarray) -> LabelColumn:
    # It has no name, so `request.column` can only be meant for other files.
    return LabelColumn(f"{request.path}: the array", array)


def _read_csv(request: ColumnRequest) -> LabelColumn:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    path, delimiter = request.path, "\t" if request.path.suffix.lower() == ".tsv" else ","
    first = _first_line(path, delimiter)
    header = not all(map(_is_number, first)) or request.column in first
    position, at = _csv_columns(request, first, header)
    taken = [str(column) for column in (position, at) if column is not None]

    def load(types: dict[str, Any]) -> Any:
        # Columns go by position: names may repeat, and the first line may be a sample.
        with _reading(path, "wanted UTF-8 text, every line with the same number of fields"):
            return arrow_csv.read_csv(
                path,
                arrow_csv.ReadOptions(
                    column_names=[str(column) for column in range(len(first))],
                    skip_rows_after_names=int(header),
                ),
                arrow_csv.ParseOptions(
                    delimiter=delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=len(first) > 1,  # alone, an empty cell is an empty line
                ),
                arrow_csv.ConvertOptions(include_columns=taken, column_types=types),
            )

    table = load(dict.fromkeys(taken[1:], pa.string()))
    if pa.types.is_temporal(table.column(0).type):  # names that look like dates are still names
        table = load(dict.fromkeys(taken, pa.string()))
    where = request.where(first[position]) if header else f"{path}: the labels"
    ids = id_texts(table.column(1), where) if taken[1:] else None
    return LabelColumn(where, table.column(0), ids, first[position] if header else None)


def _csv_columns(request: ColumnRequest, first: list[str], header: bool) -> tuple[int, int | None]:
    if header:
        hint = f"; if that line is a sample, put a header line such as {request.known[0]} above it"
        return request.choose(first, hint=hint)
    if len(first) == 1 and request.column is None:
        return 0, None
    raise InputError(
        f"{request.path}: the first line holds {len(first)} numbers and no column names, so which "
        f"column holds the labels? Put a header line above it, or keep one column and leave "
        f"{request.option} out"
    )


def _first_line(path: Path, delimiter: str) -> list[str]:
    with (
        _reading(path, "save it as UTF-8"),
        path.open(encoding="utf-8-sig", newline="") as handle,
    ):
        first = next(csv.reader(handle, delimiter=delimiter), [])
    if not first:
        raise InputError(f"{path}: the first line is empty; wanted a header or a label")
    return first


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _read_parquet(request: ColumnRequest) -> LabelColumn:
    from pyarrow import parquet

    advice = "write it again, for example with pyarrow.parquet.write_table"
    # Not read_table, which would take folder names such as label=3 for columns.
    with _reading(request.path, advice), parquet.ParquetFile(request.path) as file:
        names = file.schema_arrow.names
        taken = [names[at] for at in request.choose(names, lone=True) if at is not None]
        table = file.read(columns=taken)
    where = request.where(taken[0])
    ids = id_texts(table.column(taken[1]), where) if taken[1:] else None
    return LabelColumn(where, table.column(taken[0]), ids, taken[0])


def _read_json(request: ColumnRequest) -> LabelColumn:
    path = request.path
    with _reading(path, "wanted UTF-8 JSON: a list of labels, or an object"):
        content = json.loads(path.read_bytes(), object_pairs_hook=_unique_keys)
    where, ids, name = f"{path}: the labels", None, None
    if isinstance(content, dict):
        keys, values = list(content), list(content.values())
        found = _json_keys(request, keys, values)
        if found is None:
            content, ids = values, keys
        else:
            position, at = found
            content, name = values[position], keys[position]
            where = request.where(name)
            ids = None if at is None else values[at]
    texts = None if ids is None else id_texts(_json_array(ids, f"{where}: ids"), where)
    return LabelColumn(where, _json_array(content, where), texts, name)


def _json_keys(
    request: ColumnRequest, keys: list[str], values: list[Any]
) -> tuple[int, int | None] | None:
    """Which keys hold the labels and the ids; None where the keys are sample ids."""
    is_list = [isinstance(value, list) for value in values]
    if len(keys) == 1 and is_list[0] and request.column is None:
        return 0, None  # a list under any name; one sample's ranking would be no file of labels
    named = (_find(keys, (*request.known, *request.alone)), _find(keys, _ID_NAMES))
    # A sample may be called "label"; its value is then a label, not a list of them.
    columns = any(at is not None and is_list[at] for at in named) or len(set(is_list)) > 1
    return request.choose(keys) if columns or request.column is not None else None


def _json_array(values: Any, where: str) -> Any:
    import pyarrow as pa

    if not isinstance(values, list):
        raise InputError(
            f"{where}: JSON {type(values).__name__} found; wanted a list, or an object of lists"
        )
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError) as error:
        raise InputError(
            f"{where}: values do not go together ({str(error)[:200]}); "
            "wanted all whole numbers, all strings, or lists of them"
        ) from error
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"the key {twice!r} occurs twice")
    return content


READERS: dict[str, Callable[[ColumnRequest], LabelColumn]] = {
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
    ".json": _read_json,
}
