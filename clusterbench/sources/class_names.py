"""Class names from labels that may be numbers: from a list, or the number itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import read_json, read_text
from ..errors import InputError
from ..limits import NAMES
from ..printable import shown
from .dataset_index import DatasetIndex
from .index_builder import IndexBuilder, Where
from .index_names import check_class_names
from .sample_ids import suffix_of

_BESIDE = ("classnames.txt", "class_names.txt", "labels.txt")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def read_class_names(path: Path | str) -> tuple[str, ...]:
    """Class names by number: a text file with one a line, or a JSON list or {"0": name}.

    Raises InputError for a file that is not there, an empty one, and a name that occurs twice:
    two numbers with one name would become one class.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".json":
            content = read_json(path, NAMES)
        else:
            content = read_text(path, NAMES).rstrip("\r\n").splitlines()
    except InputError as error:
        raise InputError(f"class names {error}") from error
    if isinstance(content, dict):
        if set(content) != {str(i) for i in range(len(content))}:
            raise InputError(f"class names {path}: wanted the keys 0 to {len(content) - 1}")
        content = [content[str(i)] for i in range(len(content))]
    if not isinstance(content, list):
        raise InputError(f"class names {path}: wanted a list of names, or an object 0 to n - 1")
    if odd := next((x for x in content if not isinstance(x, (str, int))), None):
        raise InputError(f"class names {path}: {shown(repr(odd))} is no name; wanted a text")
    names = tuple(str(name).strip() for name in content)
    if not names or "" in names:
        raise InputError(f"class names {path}: line {names.index('') + 1 if names else 1} is empty")
    check_class_names(names, f"class names {path}", paths=True)
    check_twice(names, f"class names {path}")
    return names


def class_names_beside(folder: Path) -> tuple[str, ...] | None:
    """The names of a list that lies in a folder under a usual name, else None."""
    for name in _BESIDE:
        if (folder / name).is_file():
            return read_class_names(folder / name)
    return None


def check_twice(names: Sequence[str], where: str) -> None:
    """InputError when a name occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(
                f"{where}: {shown(repr(name))} stands for two classes; give each a name of its own "
                "(a list of your own: class_names, --class-names)"
            )
        seen.add(name)


def resolve(labels: Sequence[str], names: Sequence[str] | None, where: str) -> list[str]:
    """The class name of each label text.

    Where all labels are whole numbers, each number written in one way only, they are places in
    `names`, or without names the class is the number, padded with zeros to the width of the
    largest so that the order stays. Any other label is a name as it is: "01" beside "1" is a class
    of its own. Raises InputError for a number that is not in `names`, is negative, or with `names`
    is written in two ways.
    """
    if not all(_NUMBER.fullmatch(label) for label in labels):
        return list(labels)
    numbers = [int(label) for label in labels]
    if numbers and min(numbers) < 0:
        raise InputError(f"{where}: {_negative(min(numbers))}")
    spelled: dict[int, str] = {}
    for label, number in zip(labels, numbers, strict=True):
        other = spelled.setdefault(number, label)
        if other != label:
            if names is None:
                return list(labels)
            raise InputError(
                f"{where}: the labels {other!r} and {label!r} are both the number {number}; write "
                "each in one way"
            )
    if names is None:
        width = len(str(max(numbers, default=0)))
        return [f"{number:0{width}d}" for number in numbers]
    if numbers and max(numbers) >= len(names):
        raise InputError(
            f"{where}: label {max(numbers)}, but there are {len(names)} class names, so wanted 0 "
            f"to {len(names) - 1}"
        )
    return [names[number] for number in numbers]


def refuse_negative(labels: Iterable[str], where: Callable[[str], str]) -> None:
    """InputError where all labels are whole numbers and one is negative: it stands for none.

    where: says in words where a label is.
    """
    texts = list(labels)
    if all(_NUMBER.fullmatch(label) for label in texts):
        for label in texts:
            if label.startswith("-") and int(label) < 0:
                raise InputError(f"{where(label)}: {_negative(int(label))}")


def _negative(number: int) -> str:
    return f"label {number} is not a class; leave these samples out"


class LabelledSamples:
    """Collects samples whose labels cannot be named before all have been seen.

    columns, source: as for IndexBuilder. Names of samples are kept as arrays, chunk by chunk.
    `notes` and `split_in_ids` are those of the IndexBuilder, after `finish`.
    """

    def __init__(self, columns: Mapping[str, Any], source: str) -> None:
        self._columns = dict(columns)
        self._source = source
        self._codes: dict[str, int] = {}
        self._first: list[str] = []  # where each label was seen first
        self._chunks: list[tuple[np.ndarray, np.ndarray, int | np.ndarray, dict[str, Any]]] = []
        self.n = 0
        self.notes: tuple[str, ...] = ()

    def add(
        self,
        names: Sequence[str],
        labels: Sequence[str],
        split: int | np.ndarray,
        where: Callable[[int], str] | None = None,
        **columns: Any,
    ) -> None:
        """Add a chunk: what the data set calls each sample, its label as text, its columns.

        where: says in words where the sample of a place in the chunk is.
        """
        if not len(names):
            return
        for place, label in enumerate(labels):
            if label not in self._codes:
                self._codes[label] = len(self._codes)
                self._first.append(where(place) if where else self._source)
        codes = np.array([self._codes[label] for label in labels], np.int32)
        for name in names:
            if "\0" in name:  # numpy would drop one at the end without a word
                raise InputError(f"sample {name!r}: its name holds a NUL byte")
        try:
            encoded = np.array([n.encode() for n in names])
        except UnicodeEncodeError as error:
            raise InputError(f"{self._source}: a name is not UTF-8 ({error})") from error
        self._chunks.append((encoded, codes, split, columns))
        self.n += len(codes)

    def finish(
        self,
        class_names: Sequence[str] | None,
        make_id: Callable[[str, str], str],
        place: Where | None = None,
        numbers: bool = True,
    ) -> tuple[DatasetIndex, dict[str, np.ndarray]]:
        """The index and the columns in its order; see `resolve` and `IndexBuilder.finish`.

        make_id: (name of the sample, class name) -> id. numbers: False where labels are names,
        also those that are digits.
        """
        labels = list(self._codes)
        refuse_negative(labels, lambda label: self._first[self._codes[label]])
        resolved = resolve(labels, class_names, self._source) if numbers else labels
        builder = IndexBuilder(self._columns, self._source)
        self._chunks.reverse()
        while self._chunks:
            encoded, codes, split, columns = self._chunks.pop()
            names = [name.decode() for name in encoded.tolist()]
            classes = [resolved[code] for code in codes.tolist()]
            ids = [make_id(n, c) for n, c in zip(names, classes, strict=True)]
            builder.add(ids, classes, split, [suffix_of(name) for name in names], **columns)
        found = builder.finish(place)
        self.notes = builder.notes
        return found
