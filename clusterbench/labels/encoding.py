"""Labels as a file holds them (NumPy or Arrow; numbers, strings or lists) turned into arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias

import numpy as np

from ..errors import InputError
from ..limits import CLASS_NAME, SAMPLE_ID, unpacked_limit
from ..printable import shown
from .keys import KeyLoader

if TYPE_CHECKING:
    import pyarrow as pa

    Data: TypeAlias = np.ndarray | pa.ChunkedArray

_UNASSIGNED = "-1"  # among strings, what -1 is among numbers: a sample that has no label
_WANTED = "labels are whole numbers or strings"

Refuse: TypeAlias = Callable[[int], NoReturn]  # given the position of a label that is missing
Flat: TypeAlias = "tuple[np.ndarray, tuple[str, ...] | None]"  # labels one after the other; names
Lengths: TypeAlias = "np.ndarray | None"  # (n,) int64 of each row's list; None without lists


class EncodedLabels(NamedTuple):
    """What a LabelFile holds of its labels; see there."""

    values: np.ndarray
    names: tuple[str, ...] | None
    offsets: np.ndarray | None


@dataclass(frozen=True, eq=False)
class LabelColumn:
    """EncodedLabels as they were read, not looked at yet.

    where: the file and the place in it, for errors. data: a NumPy array, or an Arrow chunked array
    whose null values are missing labels. ids: (n,) str or None. name: of the column, where the file
    names them. keys: how to read the other columns that rows may be matched by. headless: whether
    the first of the labels may have been meant as a column's name.
    """

    where: str
    data: Data
    ids: np.ndarray | None = None
    name: str | None = None
    keys: Mapping[str, KeyLoader] = field(default_factory=dict)
    headless: bool = False

    def refuse_missing(self, row: int) -> NoReturn:
        """InputError: the sample in this row has no label."""
        ids = [] if self.ids is None else self.ids[row : row + 1].tolist()  # may be too few
        sample = f" (id {shown(repr(ids[0]))})" if ids else ""
        raise InputError(
            f"{self.where}: no label in row {row}{sample}, counted from 0; "
            "write -1 for a sample that has none"
        )


def decode(column: LabelColumn, *, sets: bool) -> EncodedLabels:
    """The labels of a column.

    Returns values (n,), or (n, m) where each row holds a list of the same length above 1; with
    `sets`, the lists one after the other (total,) and their offsets (n + 1,) int64. Numbers keep
    their dtype; strings become int32 codes into their sorted names, and "-1" becomes -1.

    Raises InputError for other types, missing labels, and lists of different lengths.
    """
    if isinstance(column.data, np.ndarray):
        (flat, names), lengths = _from_numpy(column, column.data)
    else:
        (flat, names), lengths = _from_arrow(column, column.data)
    if lengths is None:
        return EncodedLabels(flat, names, None)
    if sets:
        return EncodedLabels(
            flat, names, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        )
    differs = lengths != lengths[:1]
    if differs.any():
        row = int(differs.argmax())
        raise InputError(
            f"{column.where}: row {row} holds {lengths[row]} labels and row 0 holds {lengths[0]}; "
            "ranked predictions are lists of the same length, best first"
        )
    if len(flat) == len(lengths):  # (n, 1), as a table's column comes
        return EncodedLabels(flat, names, None)
    return EncodedLabels(flat.reshape(len(lengths), -1 if len(flat) else 0), names, None)


def id_texts(data: Data, where: str) -> np.ndarray:
    """Sample ids, integers or strings, as a (n,) str array; InputError for anything else."""
    if isinstance(data, np.ndarray):
        if data.ndim != 1 or data.dtype.kind not in "USiu":
            raise InputError(
                f"{where}: ids have dtype {data.dtype} and shape {data.shape}; "
                "wanted one string or integer per sample"
            )
        ids = _decoded(data, where) if data.dtype.kind == "S" else data.astype(np.str_)
        _check_longest(where, "an id", ids.dtype.itemsize // 4, SAMPLE_ID)
    else:
        ids = _arrow_ids(data, where)
    empty = ids == ""
    if empty.any():
        raise InputError(f"{where}: no id in row {int(empty.argmax())}, counted from 0")
    return ids


def _from_numpy(column: LabelColumn, data: np.ndarray) -> tuple[Flat, Lengths]:
    if data.ndim not in (1, 2):
        raise InputError(
            f"{column.where}: shape {data.shape}; wanted (n,), one label per sample, or (n, m)"
        )
    width = data.shape[1] if data.ndim == 2 else 1
    lengths = np.full(len(data), width) if data.ndim == 2 else None
    flat, kind = data.reshape(-1), data.dtype.kind
    if kind in "US":
        longest = flat.dtype.itemsize // (4 if kind == "U" else 1)
        _check_longest(column.where, "a label", longest, CLASS_NAME)
        found, inverse = np.unique(flat, return_inverse=True)
        texts = (_decoded(found, column.where) if kind == "S" else found).tolist()
        return _codes(texts, inverse, lambda at: column.refuse_missing(at // width)), lengths
    if kind not in "iuf":
        raise InputError(f"{column.where}: dtype {data.dtype}; {_WANTED}")
    native = np.ascontiguousarray(flat, dtype=flat.dtype.newbyteorder("="))
    return (native, None), lengths


def _from_arrow(column: LabelColumn, data: pa.ChunkedArray) -> tuple[Flat, Lengths]:
    import pyarrow.compute as pc

    _check_no_null(data, column.refuse_missing)
    if not _is_list(data):
        return _flat_arrow(column.where, data, column.refuse_missing), None
    lengths = pc.list_value_length(data).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)

    def refuse(at: int) -> NoReturn:
        column.refuse_missing(int(np.searchsorted(ends, at, side="right")))

    flat = pc.list_flatten(data)
    _check_no_null(flat, refuse)
    return _flat_arrow(column.where, flat, refuse), lengths


def _flat_arrow(where: str, data: pa.ChunkedArray, refuse: Refuse) -> Flat:
    from pyarrow import types

    if len(data) == 0:  # of any type: JSON and CSV cannot say which
        return np.zeros(0, np.int64), None
    if _is_text(data):
        found, indices = _distinct(data, where, "a label", CLASS_NAME)
        return _codes(found.to_pylist(), indices, refuse)
    if types.is_dictionary(data.type):  # of numbers
        data = data.cast(data.type.value_type)
        _check_no_null(data, refuse)
    if types.is_integer(data.type) or types.is_floating(data.type):
        return np.array(data.to_numpy()), None  # a copy: Arrow's memory is read-only
    # A nested type spells out all its fields, which may be thousands.
    raise InputError(f"{where}: values are of type {str(data.type).split('<')[0]}; {_WANTED}")


def _codes(found: Sequence[str | None], inverse: np.ndarray, refuse: Refuse) -> Flat:
    """Codes of found[inverse] into the sorted names. An empty string is a missing label."""
    if not all(found):
        missing = np.array([not name for name in found])
        refuse(int(np.argmax(missing[inverse])))
    names = sorted({name for name in found if name and name != _UNASSIGNED})
    code = dict(zip(names, range(len(names)), strict=True)) | {_UNASSIGNED: -1}
    codes = np.fromiter(map(code.__getitem__, found), np.int32, len(found))  # type: ignore[arg-type]
    return codes[inverse], tuple(names)


def _check_no_null(data: pa.ChunkedArray, refuse: Refuse) -> None:
    import pyarrow.compute as pc

    if data.null_count:
        refuse(pc.index(pc.is_null(data), True).as_py())


def _distinct(
    data: pa.ChunkedArray, where: str, what: str, longest: int
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """The values that occur among texts or categories, and the position in them of each (n,).

    A file's categories stay what they are: written out, a long one would be there once a row.
    Some may be unused, repeated or null. InputError for one longer than `longest` characters.
    """
    import pyarrow as pa

    if not pa.types.is_dictionary(data.type):
        data = _as_strings(data, where).dictionary_encode()
    data = data.unify_dictionaries()  # one for all chunks
    dictionary = data.chunk(0).dictionary
    indices = np.concatenate(
        [chunk.indices.to_numpy(zero_copy_only=False) for chunk in data.chunks]
    )
    used, inverse = np.unique(indices, return_inverse=True)
    texts = _as_strings(pa.chunked_array([dictionary.take(pa.array(used))]), where)
    _check_texts(texts, where, what, longest)
    return texts, inverse


def _arrow_ids(data: pa.ChunkedArray, where: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if data.null_count:
        raise InputError(
            f"{where}: no id in row {pc.index(pc.is_null(data), True).as_py()}, counted from 0"
        )
    kind = data.type.value_type if pa.types.is_dictionary(data.type) else data.type
    if not (_is_text(data) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        name = str(data.type).split("<")[0]
        raise InputError(f"{where}: ids are of type {name}; wanted one string or integer each")
    if pa.types.is_dictionary(data.type) and len(data):
        if not _is_text(data):
            return _arrow_ids(data.cast(kind), where)
        found, inverse = _distinct(data, where, "an id", SAMPLE_ID)
        _check_width(where, len(data), pc.max(pc.utf8_length(found)).as_py() or 1, data)
        return np.array([text or "" for text in found.to_pylist()], dtype=np.str_)[inverse]
    texts = _as_strings(data, where)
    _check_texts(texts, where, "an id", SAMPLE_ID)
    width = pc.max(pc.utf8_length(texts)).as_py() or 1
    _check_width(where, len(texts), width, texts)
    ids = np.empty(len(texts), f"<U{width}")
    start = 0
    for chunk in texts.chunks:  # Python strings exist for one chunk at a time
        ids[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return ids


def _check_texts(texts: pa.ChunkedArray, where: str, what: str, longest: int) -> None:
    import pyarrow.compute as pc

    _check_longest(where, what, pc.max(pc.utf8_length(texts)).as_py() or 0, longest)


def _check_longest(where: str, what: str, found: int, longest: int) -> None:
    if found > longest:
        raise InputError(
            f"{where}: {what} of {found:,} characters; wanted at most {longest:,}: is this the "
            "column that is meant?"
        )


def _check_width(where: str, n: int, width: int, data: pa.ChunkedArray) -> None:
    """InputError for texts so uneven that an array as wide as the longest takes too much."""
    if 4 * n * width > unpacked_limit(data.nbytes):
        raise InputError(
            f"{where}: {n:,} ids of up to {width:,} characters take {4e-6 * n * width:,.0f} MB in "
            "memory; shorten the longest ones"
        )


def _as_strings(data: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return data.cast(pa.large_string())  # 64-bit offsets: a column may hold more than 2 GiB
    except pa.ArrowInvalid as error:
        raise InputError(f"{where}: holds text that is not UTF-8; save it as UTF-8") from error


def _decoded(data: np.ndarray, where: str) -> np.ndarray:
    try:
        return np.strings.decode(data, "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: holds text that is not UTF-8; save it as UTF-8") from error


def _is_list(data: pa.ChunkedArray) -> bool:
    from pyarrow import types

    kind = data.type
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_text(data: pa.ChunkedArray) -> bool:
    """Whether values, or what categories stand for, are text."""
    from pyarrow import types

    kind = data.type.value_type if types.is_dictionary(data.type) else data.type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(text or types.is_binary(kind) or types.is_large_binary(kind))
