"""Target and prediction labels from the files users have: NumPy, CSV, TSV, Parquet, JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..doors import require_regular
from ..errors import InputError
from .column_request import ColumnRequest
from .csv_labels import read_csv
from .encoding import LabelColumn, decode
from .json_labels import read_json
from .keys import KeyLoader
from .numpy_labels import read_numpy
from .parquet_labels import read_parquet

READERS: dict[str, Callable[[ColumnRequest], LabelColumn]] = {
    ".npy": read_numpy,
    ".npz": read_numpy,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
    ".json": read_json,
}

TARGET_NAMES = ("targets", "target", "labels", "label", "classes", "class", "y_true")
PREDICTION_NAMES = ("predictions", "prediction", "clusters", "cluster", "y_pred")
#: Names of predictions only where no other column could be meant: else they may be the truth.
PREDICTION_NAMES_ALONE = ("labels", "label")


@dataclass(frozen=True, eq=False)
class LabelFile:
    """Labels of n samples, as a file holds them.

    values:   (n,) labels; (n, m > 1) ranked predictions, best first; or (total,) with `offsets`.
              int32 where the file holds strings, otherwise the file's integers or floats
    names:    where the file holds strings, sorted as Python sorts str: a value is a position in
              names, or -1 for the string "-1"
    ids:      (n,) str, the sample ids, where the file has them
    offsets:  (n + 1,) int64 for label sets: sample i has values[offsets[i]:offsets[i + 1]]
    column:   the column, array or key taken, where the file names them
    keys:     the other columns by their names, each with a function that reads it as (n,) str, or
              None where its values cannot say which sample a row is; `align` reads what it needs
    headless: whether the first label, a 0, may have been meant as the column's name (pandas calls
              one without a name 0); `alignment.fitted` drops it where the counts say so
    matched:  after `align`, the column by which rows were matched; None for their positions
    """

    path: Path
    values: np.ndarray
    names: tuple[str, ...] | None = None
    ids: np.ndarray | None = None
    offsets: np.ndarray | None = None
    column: str | None = None
    keys: Mapping[str, KeyLoader] = field(default_factory=dict)
    headless: bool = False
    matched: str | None = None

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
    `id` or `ids` beside it. A first line of numbers in a .csv is a sample, any other a header; text
    in it is a number only where all of it is spelled as numbers are (`spelling.as_spelled`). A JSON
    object with no known key is read as {sample id: label}; ids that are all whole numbers are put
    in their order. sets: whether lists (rows of a 2-D array) are label sets rather than ranked
    predictions; lists of one label each are labels where they are not sets. option: what the user
    sets `column` with, for errors.

    Raises InputError, naming the path, for a file that is missing, damaged, too large or of another
    format, for a column that is not there, and for labels that are missing or neither numbers nor
    strings.
    """
    path = Path(path)
    reader = READERS[_checked_suffix(path)]
    found = reader(ColumnRequest(path, tuple(known), column, option, tuple(alone)))
    labels = decode(found, sets=sets)
    result = LabelFile(
        path,
        labels.values,
        labels.names,
        found.ids,
        labels.offsets,
        found.name,
        found.keys,
        found.headless,
    )
    if result.n == 0 or (not result.values.size and not sets):
        raise InputError(f"{found.where}: holds no labels; wanted one per sample")
    if result.ids is not None and len(result.ids) != result.n:
        raise InputError(f"{found.where}: {result.n} labels but {len(result.ids)} ids")
    return result


def _checked_suffix(path: Path) -> str:
    require_regular(path)
    suffix = path.suffix.lower()
    if suffix not in READERS:
        found = f"{suffix} is not a format that is read" if suffix else "the name has no suffix"
        raise InputError(f"{path}: {found}; give one of {', '.join(READERS)}")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; wanted one label per sample")
    return suffix
