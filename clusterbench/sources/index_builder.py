"""An index out of samples that arrive in chunks and in any order, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset_index import SPLITS, DatasetIndex, DuplicateIdError
from .index_names import check_class_names, check_sample_ids
from .sample_ids import with_split
from .words import counted

Where = Callable[[dict[str, Any]], str]


class IndexBuilder:
    """Collects samples in chunks; `finish` puts them in the order of an index.

    columns: name -> dtype of further values of one entry per sample, such as the offset of an
    image in its container. source: what messages begin with. Memory is the arrays', about twice
    while they are put in order; no Python object lives longer than its chunk.

    What is the same for all kinds of sources is done here: where a name occurs in both splits,
    the split becomes part of every id (`class/train/file`, `class/val/file`); where files of a
    class and split differ in their suffix alone, it becomes part of their ids; val has no class
    that train lacks. After `finish`, `notes` says in words what happened, `split_in_ids` whether
    ids hold the split, and `with_suffix` (n,) bool which ids hold their suffix.
    """

    def __init__(
        self, columns: Mapping[str, Any] | None = None, source: str = "the images"
    ) -> None:
        self.source = source
        self.notes: tuple[str, ...] = ()
        self.split_in_ids = False
        self.with_suffix = np.zeros(0, bool)
        self._columns = {name: np.dtype(kind) for name, kind in (columns or {}).items()}
        self._codes: dict[str, int] = {}
        self._ids: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._splits: list[np.ndarray] = []
        self._suffixes: list[np.ndarray] = []
        self._values: dict[str, list[np.ndarray]] = {name: [] for name in self._columns}
        self.n = 0

    def add(
        self,
        ids: np.ndarray | Sequence[str] | Sequence[bytes],
        classes: str | Sequence[str],
        split: int | np.ndarray | Sequence[int] = 0,
        suffix: Sequence[str] | None = None,
        **columns: Any,
    ) -> None:
        """Add a chunk of m samples.

        ids: m texts, or UTF-8 bytes. classes: one name for all, or m names. split: 0 = train,
        1 = val, for all or each. suffix: what ids lack of the m names of files, such as ".jpg".
        columns: one value for all or each. Raises InputError for an id that is no name (see
        `index_names`), and for other lengths than m.
        """
        if not len(ids):
            return
        names = [classes] * len(ids) if isinstance(classes, str) else classes
        fresh = set(names) - self._codes.keys()
        check_class_names(sorted(fresh), self.source, paths=True)
        array = _checked_ids(ids, self.source)
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        self._ids.append(array)
        self._labels.append(_spread("classes", codes, np.dtype(np.int32), len(array)))
        self._splits.append(_spread("split", split, np.dtype(np.uint8), len(array)))
        ends = [""] * len(array) if suffix is None else suffix
        self._suffixes.append(np.array([end.encode() for end in ends], np.bytes_))
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
        sample at all, no training image, a class that val has and train lacks, and for an id that
        occurs twice, naming the id and both places.
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
        suffixes = _joined(self._suffixes)[order]
        self.n = 0
        self._judge_splits(class_names, labels, split)
        ids, again = self._distinct(ids, class_names, labels, split, suffixes)
        if again is not None:
            ids, labels, split, order = ids[again], labels[again], split[again], order[again]
            self.with_suffix = self.with_suffix[again]
        columns = {name: _joined(values)[order] for name, values in self._values.items()}
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
                f"{places}; an id is class/file without the extension: rename or remove one, or "
                "say which split each is of"
            ) from error

    def _judge_splits(
        self, class_names: tuple[str, ...], labels: np.ndarray, split: np.ndarray
    ) -> None:
        held = [np.bincount(labels[split == k], minlength=len(class_names)) for k in (0, 1)]
        if not held[SPLITS["train"]].any():
            raise InputError(f"{self.source}: no training images; all of them are of val")
        if not held[SPLITS["val"]].any():
            return
        train, val = (counts > 0 for counts in held)
        if unknown := [class_names[k] for k in np.flatnonzero(val & ~train)]:
            listed = ", ".join(map(repr, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
            raise InputError(
                f"{self.source}: val has {counted(len(unknown), 'class', 'classes')} that train "
                f"lacks ({listed}); wanted the classes of train: rename or remove them"
            )
        if missing := [class_names[k] for k in np.flatnonzero(train & ~val)]:
            self.notes += (
                f"{counted(len(missing), 'class has', 'classes have')} no val image (for example "
                f"{missing[0]})",
            )

    def _distinct(
        self,
        ids: np.ndarray,
        class_names: tuple[str, ...],
        labels: np.ndarray,
        split: np.ndarray,
        suffixes: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The ids with what makes them distinct, and their new order if it is another.

        Ids are in order within each class, equal ones in the order of their arrival.
        """
        self.with_suffix = np.zeros(len(ids), bool)
        equal = ids[1:] == ids[:-1]
        if not equal.any():
            return ids, None
        again = None
        if (equal & (split[1:] != split[:-1])).any():
            ids = with_split(ids, class_names, labels, split)
            again = np.lexsort((ids, labels)).astype(np.int64)
            self.split_in_ids = True
            self.notes += (
                "names occur in train and in val, so every id holds its split: class/train/file, "
                "class/val/file",
            )
        sorted_ids = ids if again is None else ids[again]
        ends = suffixes if again is None else suffixes[again]
        same = sorted_ids[1:] == sorted_ids[:-1]
        if (same & (ends[1:] != ends[:-1])).any():
            twice = np.zeros(len(ids), bool)
            twice[1:] |= same
            twice[:-1] |= same
            rows = np.flatnonzero(twice) if again is None else again[twice]
            longer = np.strings.add(ids[rows], suffixes[rows])
            ids = ids.astype(f"S{max(ids.dtype.itemsize, longer.dtype.itemsize)}")
            ids[rows] = longer
            self.with_suffix[rows] = True
            again = np.lexsort((ids, labels)).astype(np.int64)
            self.notes += (
                f"{counted(len(rows), 'id holds its suffix', 'ids hold their suffix')}, since "
                f"files of one class differ in it alone (for example {_text(longer[0])})",
            )
        return ids, again


def _text(identifier: bytes) -> str:
    return bytes(identifier).decode(errors="replace")


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


def _checked_ids(ids: np.ndarray | Sequence[str] | Sequence[bytes], source: str) -> np.ndarray:
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "S":
        array = ids
    else:
        texts = [_utf8(i) if isinstance(i, str) else bytes(i) for i in ids]
        for text in texts:
            if b"\0" in text:  # numpy would drop one at the end without a word
                raise InputError(f"id {text.decode(errors='replace')!r} holds a NUL byte")
        array = np.array(texts, dtype=np.bytes_) if texts else np.zeros(0, "S1")
    check_sample_ids(array, source, paths=True)
    return array


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"id {text!r} is not UTF-8 text; rename that sample") from error


def _spread(name: str, value: Any, kind: np.dtype, n: int) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim == 0:
        return np.full(n, array, kind)
    if len(array) != n:
        raise InputError(f"index builder: {len(array)} values of {name} for {n} ids")
    return array.astype(array.dtype if array.dtype.kind == "S" else kind)
