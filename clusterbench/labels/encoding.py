"""Labels as a file holds them (NumPy or Arrow; numbers, strings or lists) turned into arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, NoReturn, TypeAlias

import numpy as np

from ..errors import InputError

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
    names them.
    """

    where: str
    data: Data
    ids: np.ndarray | None = None
    name: str | None = None

    def refuse_missing(self, row: int) -> NoReturn:
        """InputError: the sample in this row has no label."""
        ids = [] if self.ids is None else self.ids[row : row + 1].tolist()  # may be too few
        sample = f" (id {ids[0]!r})" if ids else ""
        raise InputError(
            f"{self.where}: no label in row {row}{sample}, counted from 0; "
            "write -1 for a sample that has none"
        )


def decode(column: LabelColumn, *, sets: bool) -> EncodedLabels:
    """The labels of a column.

    Returns values (n,), or (n, m) where each row holds a list of the same length; with `sets`, the
    lists one after the other (total,) and their offsets (n + 1,) int64. Numbers keep their dtype;
    strings become int32 codes into their sorted names, and "-1" becomes -1.

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
    else:
        ids = _arrow_texts(data, where)
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
        found, inverse = np.unique(flat, return_inverse=True)
        texts = (_decoded(found, column.where) if kind == "S" else found).tolist()
        return _codes(texts, inverse, lambda at: column.refuse_missing(at // width)), lengths
    if kind not in "iuf":
        raise InputError(f"{column.where}: dtype {data.dtype}; {_WANTED}")
    native = np.ascontiguousarray(flat, dtype=flat.dtype.newbyteorder("="))
    return (native, None), lengths


def _from_arrow(column: LabelColumn, data: pa.ChunkedArray) -> tuple[Flat, Lengths]:
    import pyarrow.compute as pc

    data = _without_dictionary(data)
    _check_no_null(data, column.refuse_missing)
    if not _is_list(data):
        return _flat_arrow(column.where, data, column.refuse_missing), None
    lengths = pc.list_value_length(data).to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)

    def refuse(at: int) -> NoReturn:
        column.refuse_missing(int(np.searchsorted(ends, at, side="right")))

    flat = _without_dictionary(pc.list_flatten(data))
    _check_no_null(flat, refuse)
    return _flat_arrow(column.where, flat, refuse), lengths


def _flat_arrow(where: str, data: pa.ChunkedArray, refuse: Refuse) -> Flat:
    import pyarrow as pa

    if len(data) == 0:  # of any type: JSON and CSV cannot say which
        return np.zeros(0, np.int64), None
    if pa.types.is_integer(data.type) or pa.types.is_floating(data.type):
        return np.array(data.to_numpy()), None  # a copy: Arrow's memory is read-only
    if not _is_text(data):
        # A nested type spells out all its fields, which may be thousands.
        raise InputError(f"{where}: values are of type {str(data.type).split('<')[0]}; {_WANTED}")
    encoded = _as_strings(data, where).dictionary_encode()  # one dictionary for all chunks
    indices = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    return _codes(encoded.chunk(0).dictionary.to_pylist(), indices, refuse)


def _codes(found: list[str], inverse: np.ndarray, refuse: Refuse) -> Flat:
    """Codes of found[inverse] into the sorted names. An empty string is a missing label."""
    if "" in found:
        refuse(int(np.argmax(inverse == found.index(""))))
    names = sorted(name for name in found if name != _UNASSIGNED)
    code = {name: number for number, name in enumerate(names)} | {_UNASSIGNED: -1}
    return np.array([code[name] for name in found], np.int32)[inverse], tuple(names)


def _check_no_null(data: pa.ChunkedArray, refuse: Refuse) -> None:
    import pyarrow.compute as pc

    if data.null_count:
        refuse(pc.index(pc.is_null(data), True).as_py())


def _without_dictionary(data: pa.ChunkedArray) -> pa.ChunkedArray:
    """Categories as the values they stand for: a dictionary may hold unused or repeated ones."""
    import pyarrow as pa

    return data.cast(data.type.value_type) if pa.types.is_dictionary(data.type) else data


def _arrow_texts(data: pa.ChunkedArray, where: str) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    data = _without_dictionary(data)
    if data.null_count:
        raise InputError(
            f"{where}: no id in row {pc.index(pc.is_null(data), True).as_py()}, counted from 0"
        )
    if not (_is_text(data) or pa.types.is_integer(data.type) or pa.types.is_null(data.type)):
        kind = str(data.type).split("<")[0]
        raise InputError(f"{where}: ids are of type {kind}; wanted one string or integer each")
    texts = _as_strings(data, where)
    ids = np.empty(len(texts), f"<U{pc.max(pc.utf8_length(texts)).as_py() or 1}")
    start = 0
    for chunk in texts.chunks:  # Python strings exist for one chunk at a time
        ids[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return ids


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
    from pyarrow import types

    kind = data.type
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(text or types.is_binary(kind) or types.is_large_binary(kind))
