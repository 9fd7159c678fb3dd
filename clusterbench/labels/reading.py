"""Target and prediction labels from the files users have: NumPy, CSV, TSV, Parquet, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .encoding import decode
from .readers import READERS, ColumnRequest

TARGET_NAMES = ("targets", "target", "labels", "label", "classes", "class", "y_true")
PREDICTION_NAMES = ("predictions", "prediction", "clusters", "cluster", "y_pred")
#: Names of predictions only where no other column could be meant: else they may be the truth.
PREDICTION_NAMES_ALONE = ("labels", "label")


@dataclass(frozen=True, eq=False)
class LabelFile:
    """Labels of n samples, as a file holds them.

    values:   (n,) labels; (n, m) ranked predictions, best first; or (total,) with `offsets`.
              int32 where the file holds strings, otherwise the file's integers or floats
    names:    where the file holds strings, sorted as Python sorts str: a value is a position in
              names, or -1 for the string "-1"
    ids:      (n,) str, the sample ids, where the file has them
    offsets:  (n + 1,) int64 for label sets: sample i has values[offsets[i]:offsets[i + 1]]
    column:   the column, array or key taken, where the file names them
    """

    path: Path
    values: np.ndarray
    names: tuple[str, ...] | None = None
    ids: np.ndarray | None = None
    offsets: np.ndarray | None = None
    column: str | None = None

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.values) if self.offsets is None else len(self.offsets) - 1


def read_labels(
    path: Path,
    known: Sequence[str],
    column: str | None = None,
    *,
    alone: Sequence[str] = (),
    sets: bool = False,
    option: str = "--column",
) -> LabelFile:
    """Read a .npy, .npz, .csv, .tsv, .parquet or .json file of labels.

    column: the array, column or key to take; without it, the first of `known` that is there (case
    does not matter), the only one if it is one of `alone`, or the only one of a .npz or .parquet
    file. A file with a single array or list without a name needs none. Sample ids are read from
    `id` or `ids` beside it. A first line of numbers in a .csv is a sample, any other a header; a
    JSON object with no known key is read as {sample id: label}. sets: whether lists (rows of a
    2-D array) are label sets rather than ranked predictions. option: what the user sets `column`
    with, for errors.

    Raises InputError, naming the path, for a file that is missing, damaged or of another format,
    for a column that is not there, and for labels that are missing or neither numbers nor strings.
    """
    path = Path(path)
    reader = READERS[_checked_suffix(path)]
    found = reader(ColumnRequest(path, tuple(known), column, option, tuple(alone)))
    labels = decode(found, sets=sets)
    result = LabelFile(path, labels.values, labels.names, found.ids, labels.offsets, found.name)
    if result.n == 0 or (not result.values.size and not sets):
        raise InputError(f"{found.where}: holds no labels; wanted one per sample")
    if result.ids is not None and len(result.ids) != result.n:
        raise InputError(f"{found.where}: {result.n} labels but {len(result.ids)} ids")
    return result


def _checked_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder; give a file of labels")
        if path.exists() and suffix not in READERS:
            found = f"{suffix} is not a format that is read" if suffix else "the name has no suffix"
            raise InputError(f"{path}: {found}; give one of {', '.join(READERS)}")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is a pipe or a device; give a file, it is read twice")
        with path.open("rb") as handle:
            if not handle.read(1):
                raise InputError(f"{path}: is empty; wanted one label per sample")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror or error})") from error
    return suffix
