"""Label files named on the command line, turned into what the scores take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..doors import read_text
from ..errors import InputError
from ..limits import NAMES

if TYPE_CHECKING:
    import numpy as np

    from ..taxonomy.tree import Tree
    from .reading import LabelFile

TARGET_COLUMN, PREDICTION_COLUMN = "--target-column", "--prediction-column"


def read_pair(
    targets: Path,
    predictions: Sequence[Path],
    *,
    target_column: str | None = None,
    prediction_column: str | None = None,
    label_sets: bool = False,
) -> tuple[LabelFile, list[LabelFile]]:
    """The targets, and each file of predictions in their order.

    `align` says by which column rows are matched; columns of one file belong together by their
    rows. Raises InputError for unreadable files, for files of different numbers of samples, naming
    both, and for predictions whose own columns say that their rows do not correspond.
    """
    from .alignment import align, fitted
    from .reading import PREDICTION_NAMES, PREDICTION_NAMES_ALONE, TARGET_NAMES, read_labels

    true = read_labels(targets, TARGET_NAMES, target_column, sets=True, option=TARGET_COLUMN)
    if not label_sets:
        true = _single_labels(true)
    elif true.offsets is None:
        formats = "" if targets.suffix in (".json", ".parquet") else " (in .json or .parquet)"
        raise InputError(
            f"{targets}: one label per sample; --label-sets wants lists of labels{formats}"
        )
    found: list[LabelFile] = []
    for path in predictions:
        labels = read_labels(
            path,
            PREDICTION_NAMES,
            prediction_column,
            alone=PREDICTION_NAMES_ALONE,
            option=PREDICTION_COLUMN,
        )
        same = path.samefile(targets)
        if same and labels.column == true.column:
            column = f"column {labels.column!r}" if labels.column else "its labels"
            raise InputError(
                f"{path}: {column} would be both classes and clusters; give another file, or "
                f"choose columns with {TARGET_COLUMN} and {PREDICTION_COLUMN}"
            )
        if not found:
            true = fitted(true, labels.n)
        labels = fitted(labels, true.n)
        labels = labels if same else align(true, labels)
        if labels.n != true.n:
            raise InputError(
                f"samples: {true.n:,} in {targets}, {labels.n:,} in {path}; "
                "give one prediction per target, in the same order"
            )
        if labels.matched is None:
            _check_order(labels, [file for file in found if file.matched is None])
        found.append(labels)
    return true, found


def _single_labels(labels: LabelFile) -> LabelFile:
    """Lists of one label each as labels; InputError for other lists."""
    from dataclasses import replace

    if labels.offsets is None:
        return labels
    if len(labels.values) == labels.n and (labels.offsets[1:] - labels.offsets[:-1] == 1).all():
        return replace(labels, offsets=None)
    raise InputError(
        f"{labels.path}: lists of labels; wanted one label per sample "
        "(--label-sets scores samples that have several)"
    )


def _check_order(labels: LabelFile, others: Sequence[LabelFile]) -> None:
    """InputError where predictions that are taken by position are in another order than others."""
    import numpy as np

    from .alignment import align

    for other in others:
        found = align(other, labels)
        if found is not labels and not np.array_equal(found.values, labels.values):
            raise InputError(
                f"{labels.path}: has the samples of {other.path} in another order (by "
                f"{found.matched!r}), and the targets do not say which order is theirs; add that "
                "column to the targets"
            )


def train_frequencies(path: Path, targets: LabelFile, column: str | None) -> np.ndarray:
    """(n_classes or more,) int64: how often each class of `targets` occurs in a file of targets.

    Raises InputError where one file has names and the other numbers, and for unusable numbers.
    """
    import numpy as np

    from ..metrics.validate import check_targets
    from .reading import TARGET_NAMES, read_labels

    train = read_labels(path, TARGET_NAMES, column, option=TARGET_COLUMN)
    if train.values.ndim != 1:
        raise InputError(f"{path}: several labels per sample; wanted one")
    if (train.names is None) != (targets.names is None):
        kinds = ["numbers" if file.names is None else "names" for file in (train, targets)]
        raise InputError(
            f"{path} holds {kinds[0]}, {targets.path} holds {kinds[1]}; give the same classes"
        )
    values = train.values
    if train.names is not None and targets.names is not None:
        known = {name: code for code, name in enumerate(targets.names)}
        for name in train.names:
            known.setdefault(name, len(known))
        codes = np.array([known[name] for name in train.names] + [-1])  # -1 stays -1
        values = codes[values]
    found = []
    for file, labels in ((path, values), (targets.path, targets.values)):
        with naming({"targets": str(file)}):
            found.append(check_targets(labels))
        if found[-1].renumbered:
            raise InputError(f"{file}: class numbers are far apart; number the classes from 0")
    in_train = found[0].values[found[0].values >= 0]
    return np.bincount(in_train, minlength=found[1].highest + 1)


@contextmanager
def naming(words: Mapping[str, str]) -> Iterator[None]:
    """Errors inside that begin with one of `words` (an argument's name) begin with its value."""
    try:
        yield
    except InputError as error:
        message = str(error)
        for word, shown in words.items():
            if message.startswith((f"{word} ", f"{word}=")):
                rest = message[len(word) :].replace("=", " ", 1 if message[len(word)] == "=" else 0)
                raise InputError(f"{shown}{rest}") from error
        raise


def class_nodes(tree: Tree, targets: LabelFile, class_names: Path | None) -> np.ndarray:
    """(n_classes,) int32: the tree node of each class, by its name.

    The names are those in the targets' file, or line by line those of `class_names`. Raises
    InputError for classes without a name, and for names that are not nodes.
    """
    import numpy as np

    names = targets.names
    if class_names is not None:
        if names is not None:
            raise InputError(f"{targets.path} holds names; --class-names goes with numbers")
        names = _lines(class_names)
        highest = int(np.max(targets.values))
        if highest >= len(names):
            raise InputError(
                f"{class_names}: {len(names)} lines, but {targets.path} has class {highest}; "
                "give the node of class 0 on the first line, and so on"
            )
    if names is None:
        raise InputError(
            f"{targets.path} holds numbers; with --tree, give names of tree nodes as targets, or "
            "--class-names with the node of class 0 on its first line, and so on"
        )
    return tree.find(names)


def _lines(path: Path) -> tuple[str, ...]:
    """The lines of a file of names; InputError for an empty or repeated one."""
    text = read_text(path, NAMES)
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.strip()
        if not name:
            raise InputError(f"{path}, line {number}: empty; wanted the name of a tree node")
        if name in lines:
            raise InputError(
                f"{path}, line {number}: {name!r} stands already on line {lines[name]}"
            )
        lines[name] = number
    return tuple(lines)
