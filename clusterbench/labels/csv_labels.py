"""Labels in CSV and TSV files, of which only the columns asked for are kept."""

from __future__ import annotations

import csv
import io
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..doors import open_regular
from ..errors import InputError
from ..limits import CLASS_NAME, FIRST_LINE, LINE, SAMPLE_ID, TEXT_LABELS
from ..printable import shown
from .column_request import ColumnRequest, reading
from .encoding import LabelColumn, id_texts
from .spelling import as_spelled, has_whole_numbers

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ADVICE = "wanted UTF-8 text, every line with the same number of fields"
_OTHER = {";": "a semicolon", "\t": "a tab", ",": "a comma", "|": "a bar"}


def read_csv(request: ColumnRequest) -> LabelColumn:
    """The column asked for of a .csv or .tsv file, and the ids beside it."""
    path = request.path
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    first = _first_line(path, delimiter)
    header = not all(map(_is_number, first)) or request.column in first
    if header:
        _check_delimiter(request, first, delimiter)
    position, at = _columns(request, first, header)
    where = request.where(first[position]) if header else f"{path}: the labels"
    limits = {position: CLASS_NAME} | ({} if at is None else {at: SAMPLE_ID})
    table = _load(path, delimiter, len(first), header, limits, where)
    texts = table.column(str(position))
    labels = as_spelled(texts)
    headless = not header and first[0].strip() == "0"
    if headless and not has_whole_numbers(texts.slice(1)):
        # A column that pandas has no name for is called 0; here it stands above other labels.
        labels, headless = as_spelled(texts.slice(1)), False
    _check_lines(where, labels)
    ids = None if at is None else id_texts(table.column(str(at)), where)
    name = first[position] if header else None
    keys = {}
    for other, text in enumerate(first if header else []):
        if other != position:
            keys[text] = partial(_key, request, delimiter, len(first), other, text)
    return LabelColumn(where, labels, ids, name, keys, headless)


def _load(
    path: Path, delimiter: str, width: int, header: bool, limits: dict[int, int], where: str
) -> pa.Table:
    """Columns by their positions, since names may repeat; as text, of limited lengths each."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    text, batches = pa.string(), []
    with reading(path, _ADVICE), open_regular(path, TEXT_LABELS) as file:
        try:
            reader = arrow_csv.open_csv(
                file,
                arrow_csv.ReadOptions(
                    column_names=[str(column) for column in range(width)],
                    skip_rows_after_names=int(header),
                    block_size=LINE,
                ),
                arrow_csv.ParseOptions(
                    delimiter=delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=width > 1,  # alone, an empty cell is an empty line
                ),
                arrow_csv.ConvertOptions(
                    include_columns=[str(column) for column in limits],
                    column_types={str(column): text for column in limits},
                ),
            )
            for batch in reader:
                for column, limit in limits.items():
                    longest = pc.max(pc.utf8_length(batch.column(str(column)))).as_py() or 0
                    if longest > limit:
                        raise InputError(
                            f"{where}: a field of {longest:,} characters in column {column + 1}; "
                            f"wanted at most {limit:,}"
                        )
                batches.append(batch)
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error):
                raise InputError(
                    f"{where}: holds text that is not UTF-8; save it as UTF-8"
                ) from error
            if "straddling" in str(error):
                raise InputError(
                    f"{path}: a line of more than {LINE / 1e6:,.0f} MB, or a quote that is never "
                    "closed; wanted a line per sample"
                ) from error
            raise
    return pa.Table.from_batches(batches, reader.schema)


def _key(
    request: ColumnRequest, delimiter: str, width: int, at: int, name: str
) -> np.ndarray | None:
    where = request.where(name)
    table = _load(request.path, delimiter, width, True, {at: SAMPLE_ID}, where)
    return id_texts(table.column(str(at)), where)


def _columns(request: ColumnRequest, first: list[str], header: bool) -> tuple[int, int | None]:
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


def _check_delimiter(request: ColumnRequest, first: list[str], delimiter: str) -> None:
    """InputError where another sign stands between the names of the first line."""
    if len(first) > 1 or first[0] in (*request.known, request.column):
        return
    for sign, name in _OTHER.items():
        if sign in first[0] and sign != delimiter:
            kind = "tabs" if delimiter == "\t" else "commas"
            raise InputError(
                f"{request.path}: the first line has {name} between its fields "
                f"({shown(repr(first[0]), 80)}); wanted {kind} in a "
                f"{request.path.suffix.lower()} file: save it with them"
                + (", or call it .tsv" if sign == "\t" else "")
            )


def _check_lines(where: str, labels: pa.ChunkedArray) -> None:
    """InputError for labels over several lines: a quote was not closed, and swallowed samples."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(labels.type):
        return
    broken = pc.index(pc.match_substring_regex(labels, "[\r\n\x00]"), True).as_py()
    if broken >= 0:
        raise InputError(
            f"{where}: the label in row {broken}, counted from 0, holds a line break or NUL; is a "
            "quote not closed?"
        )


def _first_line(path: Path, delimiter: str) -> list[str]:
    with open_regular(path, TEXT_LABELS) as file:
        start = file.read(FIRST_LINE + 1)
    if start.startswith(_UTF_16) or (b"\0" in start[:4] and len(start) > 1):
        raise InputError(f"{path}: is UTF-16 text; save it as UTF-8")
    with reading(path, _ADVICE):
        # Only the first line is judged here: later ones may be in columns that nobody asks for.
        text = io.StringIO(
            start.decode("utf-8", "surrogateescape").removeprefix("\ufeff"), newline=""
        )
        first = next(csv.reader(text, delimiter=delimiter), [])
    if len(start) > FIRST_LINE and not text.read(1):
        raise InputError(
            f"{path}: a first line of more than {FIRST_LINE / 1e6:,.0f} MB; wanted a header or a "
            "label"
        )
    if any("\udc80" <= c <= "\udcff" for field in first for c in field):
        raise InputError(f"{path}: its first line is not UTF-8; save it as UTF-8")
    if not first:
        raise InputError(f"{path}: the first line is empty; wanted a header or a label")
    return first


def _is_number(field: str) -> bool:
    return _NUMBER.fullmatch(field) is not None
