"""An index out of samples that arrive in chunks and in any order, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset_index import DatasetIndex, DuplicateIdError

Where = Callable[[dict[str, Any]], str]


class IndexBuilder:
    """Collects samples in chunks; `finish` puts them in the order of an index.

    columns: name -> dtype of further values of one entry per sample, such as the offset of an
    image in its container. Memory is the arrays', about twice while they are put in order; no
    Python object lives longer than its chunk.
    """

    def __init__(self, columns: Mapping[str, Any] | None = None) -> None:
        self._columns = {name: np.dtype(kind) for name, kind in (columns or {}).items()}
        self._codes: dict[str, int] = {}
        self._ids: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._splits: list[np.ndarray] = []
        self._values: dict[str, list[np.ndarray]] = {name: [] for name in self._columns}
        self.n = 0

    def add(
        self,
        ids: np.ndarray | Sequence[str] | Sequence[bytes],
        classes: str | Sequence[str],
        split: int | np.ndarray | Sequence[int] = 0,
        **columns: Any,
    ) -> None:
        """Add a chunk of m samples.

        ids: m texts, or UTF-8 bytes. classes: one name for all, or m names. split: 0 = train,
        1 = val, for all or each. columns: one value for all or each. Raises InputError for an id
        that is empty or holds a line break or a NUL byte, and for other lengths than m.
        """
        array = _checked_ids(ids)
        if not len(array):
            return
        names = [classes] * len(array) if isinstance(classes, str) else classes
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        self._ids.append(array)
        self._labels.append(_spread("classes", codes, np.dtype(np.int32), len(array)))
        self._splits.append(_spread("split", split, np.dtype(np.uint8), len(array)))
        if columns.keys() != self._columns.keys():
            raise InputError(
                f"index builder: columns {sorted(columns)}; wanted {sorted(self._columns)}"
            )
        for name, kind in self._columns.items():
            self._values[name].append(_spread(name, columns[name], kind, len(array)))
        self.n += len(array)

    def finish(self, where: Where | None = None) -> tuple[DatasetIndex, dict[str, np.ndarray]]:
        """(index, columns in its order); the builder is empty afterwards.

        where: says in words where a sample is, given its column values. Raises InputError for no
        sample at all and for an id that occurs twice, naming the id and both places.
        """
        if not self.n:
            raise InputError("index: no samples")
        class_names = tuple(sorted(self._codes))  # code points: the byte order of UTF-8
        rank = np.empty(len(class_names), np.int32)
        rank[[self._codes[name] for name in class_names]] = np.arange(len(class_names))
        labels = rank[_joined(self._labels)]
        ids = _joined(self._ids)
        order = _order(ids, labels, len(class_names))
        ids, labels = ids[order], labels[order]
        split = _joined(self._splits)[order]
        columns = {name: _joined(values)[order] for name, values in self._values.items()}
        self.n = 0
        try:
            return DatasetIndex(ids, class_names, labels, split), columns
        except DuplicateIdError as error:
            rows = np.flatnonzero(ids == error.identifier)
            places = ""
            if where is not None:
                first, second = (
                    where({name: values[row] for name, values in columns.items()})
                    for row in rows[:2]
                )
                places = f": {first} and {second}"
            raise InputError(
                f"two samples have the one id {error.identifier.decode(errors='replace')!r}"
                f"{places}; an id is class/file without the extension, over all splits: "
                "rename or remove one"
            ) from error


def _order(ids: np.ndarray, labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(n,) int64: by class, then by id. Class by class: neighbours in memory are compared."""
    order = np.argsort(labels, kind="stable").astype(np.int64)
    ends = np.cumsum(np.bincount(labels, minlength=n_classes))
    start = 0
    for end in ends.tolist():
        some = order[start:end]
        found = ids[some]
        if not (found[1:] > found[:-1]).all():
            order[start:end] = some[np.argsort(found, kind="stable")]
        start = end
    return order


def _joined(chunks: list[np.ndarray]) -> np.ndarray:
    """All chunks as one array; they are let go one by one, so that there are never two of all."""
    kind = max((chunk.dtype for chunk in chunks), key=lambda dtype: dtype.itemsize)
    whole = np.empty(sum(map(len, chunks)), kind)
    end = len(whole)
    while chunks:
        chunk = chunks.pop()
        whole[end - len(chunk) : end] = chunk
        end -= len(chunk)
    return whole


def _checked_ids(ids: np.ndarray | Sequence[str] | Sequence[bytes]) -> np.ndarray:
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "S":
        array = ids
    else:
        texts = [i.encode() if isinstance(i, str) else bytes(i) for i in ids]
        for text in texts:
            if b"\0" in text:  # numpy would drop one at the end without a word
                raise InputError(f"id {text.decode(errors='replace')!r} holds a NUL byte")
        array = np.array(texts, dtype=np.bytes_) if texts else np.zeros(0, "S1")
    if (array == b"").any():
        raise InputError("an id is empty; wanted class/file")
    if (broken := np.strings.find(array, b"\n") >= 0).any():
        found = bytes(array[int(np.argmax(broken))]).decode(errors="replace")
        raise InputError(f"id {found!r} holds a line break; rename that sample")
    return array


def _spread(name: str, value: Any, kind: np.dtype, n: int) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim == 0:
        return np.full(n, array, kind)
    if len(array) != n:
        raise InputError(f"index builder: {len(array)} values of {name} for {n} ids")
    return array.astype(array.dtype if array.dtype.kind == "S" else kind)
