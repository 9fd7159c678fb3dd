"""Predictions put in the order of the targets, by a column that says which sample a row is."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from ..errors import InputError
from ..printable import shown
from .keys import COUNTER_NAMES, ID_NAMES, KEY_NAMES, plain, without_suffixes
from .reading import LabelFile

_ADVICE = "rename or leave out the column in one file if it does not say which sample a row is"


def align(targets: LabelFile, predictions: LabelFile) -> LabelFile:
    """The predictions with their samples in the order of the targets.

    Rows are matched by a column (`ids`, or one of `keys`) that both files have under one name, in
    any case and whatever it is called, with unique values that are the same in both, as they are or
    without the suffix of an image file. Several such columns must agree; one that only counts the
    rows of both gives way to any other. Columns of different names serve where their values are the
    same. `predictions` is returned as it is where neither file has such a column, or only one of
    them, or they have nothing in common; their rows then correspond by position.

    values (n,) or (n, m) and ids are put in order, and `matched` says by what.

    Raises InputError for a shared column that names samples and does not match: values that are in
    one file only, or occur twice; for text that is the same in both but in other rows; and for
    predictions that are label sets.
    """
    if predictions.offsets is not None:
        raise InputError(
            f"{predictions.path}: label sets found; "
            "predictions are one cluster per sample, or ranked lists of the same length"
        )
    found = _Pair(targets, predictions).match()
    if found is None:
        return predictions
    rows, by = found
    ids = None if predictions.ids is None else predictions.ids[rows]
    return replace(predictions, values=predictions.values[rows], ids=ids, keys={}, matched=by)


def fitted(labels: LabelFile, n: int) -> LabelFile:
    """`labels` without a first line that was meant as a column's name, if that leaves n samples."""
    if not labels.headless or labels.n != n + 1:
        return labels
    ids = None if labels.ids is None else labels.ids[1:]
    return replace(labels, values=labels.values[1:], ids=ids, column="0", headless=False)


def is_keyed(labels: LabelFile) -> bool:
    """Whether a file has a column that says by its name which sample a row is."""
    return labels.ids is not None or any(plain(name) in KEY_NAMES for name in labels.keys)


class _Keys:
    """The columns of a file that may say which sample a row is, each read once when asked for."""

    def __init__(self, labels: LabelFile) -> None:
        self.labels = labels
        self.names: dict[str, str] = {}  # as `plain` spells them -> as the file does
        self._found: dict[str, _Key | None] = {}
        for name in labels.keys:
            self.names.setdefault(plain(name), name)
        if labels.ids is not None:
            spelled = next((n for n in labels.keys if plain(n) in ID_NAMES), "id")
            self.names = {ID_NAMES[0]: spelled, **self.names}
            self.names.pop(ID_NAMES[1], None)
            self._found[ID_NAMES[0]] = _Key(labels, spelled, labels.ids)

    def __getitem__(self, name: str) -> _Key | None:
        """The column; None where it cannot be a key."""
        if name not in self._found:
            spelled = self.names[name]
            values = self.labels.keys[spelled]()
            usable = values is not None and len(values) == self.labels.n
            self._found[name] = _Key(self.labels, spelled, values) if usable else None
        return self._found[name]


class _Key:
    """(n,) str values of a column, sorted once."""

    def __init__(self, labels: LabelFile, name: str, values: np.ndarray | None) -> None:
        self.labels, self.name, self.values = labels, name, np.asarray(values)
        in_order = bool((self.values[1:] > self.values[:-1]).all())
        self.order = (
            np.arange(len(self.values)) if in_order else np.argsort(self.values, kind="stable")
        )
        ordered = self.values[self.order]
        twice = ordered[1:] == ordered[:-1]
        self.repeated = int(self.order[1:][twice].min()) if twice.any() else None

    @property
    def unique(self) -> bool:
        return self.repeated is None

    @property
    def counts(self) -> bool:
        """Whether the values are the rows' numbers, from 0 or 1."""
        n = len(self.values)
        first = self.values[0] if n else ""
        if first not in ("0", "1"):
            return False
        return bool(np.array_equal(self.values, np.arange(int(first), n + int(first)).astype(str)))

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers: measurements, rather than names."""
        try:
            np.asarray(self.values, dtype=np.float64)
        except ValueError:
            return False
        return True

    @property
    def whole(self) -> bool:
        return bool(np.strings.isdigit(self.values).all())

    def bare(self) -> _Key:
        """The same without the suffixes of image files."""
        if not (np.strings.find(self.values, ".") > 0).any():
            return self
        return _Key(self.labels, self.name, without_suffixes(self.values))


class _Pair:
    """Targets and predictions whose rows are to be matched; see `align`."""

    def __init__(self, targets: LabelFile, predictions: LabelFile) -> None:
        self.sides = (_Keys(targets), _Keys(predictions))
        first, second = self.sides
        shared = [name for name in first.names if name in second.names]
        order = {name: at for at, name in enumerate((*KEY_NAMES, *COUNTER_NAMES))}
        self.known = sorted((name for name in shared if name in order), key=order.__getitem__)
        self.others = [name for name in shared if name not in order]
        self.weak: str | None = None  # a counter of rows that both have
        self.problem: InputError | None = None

    def match(self) -> tuple[np.ndarray, str] | None:
        """The row of the predictions for each target, and by which column; None: by position."""
        for names in (self.known, self.others):
            found = self._by_shared(names)
            if found is not None:
                return found
            if self.problem is not None:
                raise self.problem
        if self.weak is not None:
            return np.arange(self.sides[0].labels.n), self.weak
        return self._by_other_names()

    def _by_shared(self, names: list[str]) -> tuple[np.ndarray, str] | None:
        """By those of the shared columns that match, which must agree; sets `problem`, `weak`."""
        agreed: tuple[np.ndarray, str] | None = None
        for name in names:
            a, b = self.sides[0][name], self.sides[1][name]
            if a is None or b is None:
                continue
            rows = self._rows(a, b, name)
            if rows is None:
                continue
            if a.counts and b.counts:
                self.weak = self.weak or a.name
            elif agreed is None:
                agreed = rows, a.name
            elif not np.array_equal(rows, agreed[0]):
                at = int((rows != agreed[0]).argmax())
                raise InputError(
                    f"{b.labels.path}: columns {_quoted(agreed[1])} and {_quoted(a.name)} match "
                    f"different rows with {a.labels.path} (first: its row {at}); leave out the one "
                    "that does not say which sample a row is"
                )
        return agreed

    def _rows(self, a: _Key, b: _Key, name: str) -> np.ndarray | None:
        """The row of b for each of a; None, and perhaps a problem, where they do not match."""
        known = name in KEY_NAMES
        if a.unique and b.unique:
            rows = _same(a, b, bare=known)
            if rows is not None:
                return rows
            if name in COUNTER_NAMES:
                if not (a.counts or b.counts):
                    self._note(_difference(a, b))
            elif known or a.whole or b.whole or not (a.numeric and b.numeric):
                self._note(_difference(a, b))
        elif name == ID_NAMES[0]:
            raise _repeated(b if a.unique else a)
        elif len(a.values) == len(b.values) and not np.array_equal(a.values, b.values):
            moved = np.array_equal(a.values[a.order], b.values[b.order])
            if (moved and not a.numeric) or (known and name not in COUNTER_NAMES):
                self._note(_moved(a, b) if moved else _repeated(b if a.unique else a))
        return None

    def _note(self, problem: InputError) -> None:
        self.problem = self.problem or problem

    def _by_other_names(self) -> tuple[np.ndarray, str] | None:
        """By columns of different names that hold the same values."""
        if not all(side.names for side in self.sides):
            return None
        first, second = (self._candidates(side) for side in self.sides)
        apart = None
        for a, b in product(first, second):
            if not (a.unique and b.unique):
                continue
            rows = _same(a, b, bare=True)
            if rows is not None:
                identity = np.array_equal(rows, np.arange(len(rows)))
                if (a.counts or b.counts) and not identity:
                    raise InputError(
                        f"{b.labels.path}: {_quoted(b.name)} holds the values of {_quoted(a.name)} "
                        f"in {a.labels.path} in another order, and one of them only counts rows: "
                        "give both columns one name, or leave one out to match rows by position"
                    )
                return rows, a.name if identity and a.name == b.name else f"{a.name}, {b.name}"
            named = all(plain(key.name) in KEY_NAMES for key in (a, b))
            if named and not (a.whole or b.whole) and np.isin(a.values, b.values).any():
                apart = apart or _difference(a, b)
        if apart is not None:
            raise apart
        return None

    @staticmethod
    def _candidates(side: _Keys) -> list[_Key]:
        """Columns named like keys, then those of text."""
        known = [n for n in (*KEY_NAMES, *COUNTER_NAMES) if n in side.names]
        found = [side[name] for name in (*known, *(n for n in side.names if n not in known))]
        return [
            key
            for at, key in enumerate(found)
            if key is not None and len(key.values) and (at < len(known) or not key.numeric)
        ]


def _same(a: _Key, b: _Key, *, bare: bool = False) -> np.ndarray | None:
    """(n,) int64: the row of b with each value of a; None unless both hold the same, each once.

    bare: whether values may be the same but for the suffixes of image files.
    """
    if len(a.values) != len(b.values) or not (a.unique and b.unique):
        return None
    if not np.array_equal(a.values[a.order], b.values[b.order]):
        return _same(a.bare(), b.bare()) if bare else None
    rows = np.empty(len(a.values), np.int64)
    rows[a.order] = b.order
    return rows


def _quoted(name: str) -> str:
    return shown(repr(name), 60)


def _repeated(key: _Key) -> InputError:
    row = key.repeated
    return InputError(
        f"{key.labels.path}: {shown(key.name, 60)} {_quoted(str(key.values[row]))} occurs again in "
        f"row {row}; ids identify samples, so each may occur once"
        + ("" if plain(key.name) in ID_NAMES else f" ({_ADVICE})")
    )


def _moved(a: _Key, b: _Key) -> InputError:
    row = int((a.values != b.values).argmax())
    return InputError(
        f"{b.labels.path}: {_quoted(b.name)} holds the values of {a.labels.path} in other rows "
        f"(first: row {row}), so rows do not correspond, and as values repeat they do not say how; "
        "add a column with the id of each sample to both files"
    )


def _difference(a: _Key, b: _Key) -> InputError:
    """The error for two columns of different values: how many the first lacks, and which."""
    for lacking, full in ((b, a), (a, b)):
        missing = np.flatnonzero(~np.isin(full.values, lacking.values))
        if len(missing):
            break
    what = "sample ids" if plain(full.name) in ID_NAMES else f"values of {_quoted(full.name)}"
    other = "" if lacking.name == full.name else f" ({_quoted(lacking.name)})"
    first = _quoted(str(full.values[missing[0]]))
    return InputError(
        f"{lacking.labels.path}: lacks {len(missing)} of the {len(full.values)} {what} of "
        f"{full.labels.path}, first {first} (row {missing[0]}); its own first id{other} is "
        f"{_quoted(str(lacking.values[0]))}. Both files need the same ids"
        + ("" if plain(full.name) in ID_NAMES else f", or {_ADVICE}")
    )
