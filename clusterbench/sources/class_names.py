"""Class names from labels that may be numbers: from a list, or the number itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset_index import DatasetIndex
from .index_builder import IndexBuilder, Where

_BESIDE = ("classnames.txt", "class_names.txt", "labels.txt")


def read_class_names(path: Path | str) -> tuple[str, ...]:
    """Class names by number: a text file with one a line, or a JSON list or {"0": name}.

    Raises InputError for a file that is not there, an empty one, and a name that occurs twice:
    two numbers with one name would become one class.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix == ".json" else text.rstrip("\n").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"class names {path}: cannot be read ({error})") from error
    if isinstance(content, dict):
        if set(content) != {str(i) for i in range(len(content))}:
            raise InputError(f"class names {path}: wanted the keys 0 to {len(content) - 1}")
        content = [content[str(i)] for i in range(len(content))]
    names = tuple(str(name).strip() for name in content)
    if not names or "" in names:
        raise InputError(f"class names {path}: line {names.index('') + 1 if names else 1} is empty")
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
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(
            f"{where}: {twice!r} stands for two classes; give each a name of its own "
            "(a list of your own: class_names, --class-names)"
        )


def resolve(labels: Sequence[str], names: Sequence[str] | None, where: str) -> list[str]:
    """The class name of each label text.

    Where all labels are whole numbers, they are places in `names`, or without names the class is
    the number, padded with zeros to the width of the largest so that the order stays. Any other
    label is a name as it is. Raises InputError for a number that is not in `names`, or negative.
    """
    if not all(label.lstrip("-").isdecimal() for label in labels):
        return list(labels)
    numbers = [int(label) for label in labels]
    if numbers and min(numbers) < 0:
        raise InputError(f"{where}: label {min(numbers)} is not a class; leave these samples out")
    if names is None:
        width = len(str(max(numbers, default=0)))
        return [f"{number:0{width}d}" for number in numbers]
    if numbers and max(numbers) >= len(names):
        raise InputError(
            f"{where}: label {max(numbers)}, but there are {len(names)} class names, so wanted 0 "
            f"to {len(names) - 1}"
        )
    return [names[number] for number in numbers]


class LabelledSamples:
    """Collects samples whose labels cannot be named before all have been seen.

    columns: as for IndexBuilder. Names of samples are kept as arrays, chunk by chunk.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = dict(columns)
        self._codes: dict[str, int] = {}
        self._chunks: list[tuple[np.ndarray, np.ndarray, int, dict[str, Any]]] = []
        self.n = 0

    def add(self, names: Sequence[str], labels: Sequence[str], split: int, **columns: Any) -> None:
        """Add a chunk: what the data set calls each sample, its label as text, its columns."""
        if not len(names):
            return
        codes = np.array([self._codes.setdefault(x, len(self._codes)) for x in labels], np.int32)
        for name in names:
            if "\0" in name:  # numpy would drop one at the end without a word
                raise InputError(f"sample {name!r}: its name holds a NUL byte")
        self._chunks.append((np.array([n.encode() for n in names]), codes, split, columns))
        self.n += len(codes)

    def finish(
        self,
        class_names: Sequence[str] | None,
        make_id: Callable[[str, str], str],
        where: str,
        place: Where | None = None,
        numbers: bool = True,
    ) -> tuple[DatasetIndex, dict[str, np.ndarray]]:
        """The index and the columns in its order; see `resolve` and `IndexBuilder.finish`.

        make_id: (name of the sample, class name) -> id. numbers: False where labels are names,
        also those that are digits.
        """
        labels = list(self._codes)
        resolved = resolve(labels, class_names, where) if numbers else labels
        builder = IndexBuilder(self._columns)
        self._chunks.reverse()
        while self._chunks:
            names, codes, split, columns = self._chunks.pop()
            classes = [resolved[code] for code in codes.tolist()]
            ids = [make_id(n.decode(), c) for n, c in zip(names.tolist(), classes, strict=True)]
            builder.add(ids, classes, split, **columns)
        return builder.finish(place)
