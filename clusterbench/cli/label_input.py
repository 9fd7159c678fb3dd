"""Label files named on the command line, turned into what the scores take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from ..datasets.label_files import LabelFile
    from ..taxonomy.tree import Tree

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

    Files that both have sample ids are matched by them, others by position. Raises InputError for
    unreadable files, and for files of different numbers of samples, naming both.
    """
    from ..datasets.label_alignment import align
    from ..datasets.label_files import PREDICTION_NAMES, TARGET_NAMES, read_labels

    true = read_labels(targets, TARGET_NAMES, target_column, sets=True, option=TARGET_COLUMN)
    if label_sets and true.offsets is None:
        raise InputError(f"{targets}: one label per sample; --label-sets wants lists of labels")
    if not label_sets and true.offsets is not None:
        raise InputError(
            f"{targets}: lists of labels; wanted one label per sample "
            "(--label-sets scores samples that have several)"
        )
    found = []
    for path in predictions:
        labels = read_labels(path, PREDICTION_NAMES, prediction_column, option=PREDICTION_COLUMN)
        labels = align(true, labels)
        if labels.n != true.n:
            raise InputError(
                f"{targets} has {true.n:,} samples, {path} has {labels.n:,}; "
                "give one prediction per target, in the same order"
            )
        found.append(labels)
    return true, found


def train_frequencies(path: Path, targets: LabelFile, column: str | None) -> np.ndarray:
    """(n_classes or more,) int64: how often each class of `targets` occurs in a file of targets.

    Raises InputError where one file has names and the other numbers.
    """
    import numpy as np

    from ..datasets.label_files import TARGET_NAMES, read_labels
    from ..metrics.validate import check_labels

    train = read_labels(path, TARGET_NAMES, column, option=TARGET_COLUMN)
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
    labels = check_labels(values, str(path))
    if labels.renumbered:
        raise InputError(f"{path}: class numbers up to {int(np.max(values))}; number them from 0")
    n_classes = max(labels.highest, int(np.max(targets.values))) + 1
    return np.bincount(labels.values[labels.values >= 0], minlength=n_classes)


def class_nodes(tree: Tree, targets: LabelFile, class_names: Path | None) -> np.ndarray:
    """(n_classes,) int32: the tree node of each class, by its name.

    The names are those in the targets' file, or line by line those of `class_names`. Raises
    InputError for classes without a name, and for names that are not nodes.
    """
    names = targets.names
    if class_names is not None:
        if names is not None:
            raise InputError(f"{targets.path} holds names; --class-names goes with numbers")
        try:
            names = tuple(class_names.read_text(encoding="utf-8").split("\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{class_names}: cannot be read as a text file ({error})") from error
        names = tuple(name.strip() for name in names[: -1 if names[-1] == "" else None])
    if names is None:
        raise InputError(
            f"{targets.path} holds numbers; with --tree, give names of tree nodes as targets, or "
            "--class-names with the node of class 0 on its first line, and so on"
        )
    return tree.find(names)
