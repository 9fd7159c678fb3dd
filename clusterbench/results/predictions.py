"""The predictions file of a run: what a result can be scored from again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..doors import read_bytes
from ..errors import InputError
from ..files import atomic_path
from ..limits import UNPACKED, FileKind
from ..numpy_files import NumpyArchive
from ..printable import shown
from .record import ResultRecord

#: Arrays of a predictions file; the last one where clusters are ranked.
MEMBERS = ("predictions", "rows_sha256", "ranked")

_HEX = 64
_ARCHIVE = 1 << 16  # bytes of an archive beside its arrays
_OTHER = "is not the file whose hash the result records"


def rows_hash(rows: np.ndarray) -> str:
    """Hex SHA-256 of evaluation rows, as int64 little-endian bytes."""
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()


def write_predictions(
    path: Path, predictions: np.ndarray, rows: np.ndarray, ranked: np.ndarray | None = None
) -> None:
    """Write eval predictions atomically; the same predictions give the same bytes.

    The file is a NumPy archive with `predictions` (n,) int32 and `rows_sha256`, the hash of the
    store rows (ascending int64) that they belong to; where clusters are ranked also `ranked`
    (n, n_ranks) int32, best first, whose first column is `predictions`.
    """
    further: dict[str, Any] = (
        {} if ranked is None else {"ranked": np.ascontiguousarray(ranked, np.int32)}
    )
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez_compressed(
            handle,
            predictions=np.asarray(predictions, np.int32),
            rows_sha256=np.asarray(rows_hash(rows)),
            **further,
        )


def read_predictions(path: Path, n: int | None = None) -> tuple[np.ndarray, str]:
    """Predictions (n,) int32 and the hash of their rows.

    Headers are read first, so that a file of other shapes takes no memory.

    Args:
        path: the file.
        n: how many there should be; None for any number.

    Raises:
        InputError: no regular file, a damaged archive or one that holds other things, objects, and
            anything but one int32 per sample.
    """
    path = Path(path)
    with NumpyArchive(path, UNPACKED if n is None else _bytes(n)) as archive:
        _check_members(path, archive)
        header = archive.header("predictions")
        if len(header.shape) != 1 or header.dtype != np.int32:
            raise InputError(
                f"{path}: predictions are {header.dtype} with shape {header.shape}; "
                "wanted one int32 per evaluated sample"
            )
        if n is not None and header.shape[0] != n:
            raise InputError(f"{path}: {header.shape[0]} predictions; the task has {n} rows")
        rows = archive.header("rows_sha256")
        if rows.shape != () or rows.dtype.kind != "U" or rows.nbytes > 4 * _HEX:
            raise InputError(
                f"{path}: rows_sha256 is {rows.dtype} with shape {rows.shape}; wanted a text of "
                f"{_HEX} characters"
            )
        return archive.read("predictions"), str(archive.read("rows_sha256"))


def read_top(path: Path, shape: tuple[int, int] | None = None) -> np.ndarray | None:
    """Ranked clusters (n, n_ranks) int32, None in a file without.

    shape: what they should have. Raises InputError as `read_predictions` does.
    """
    path = Path(path)
    with NumpyArchive(path, UNPACKED if shape is None else _bytes(*shape)) as archive:
        _check_members(path, archive)
        if "ranked" not in archive.names:
            return None
        header = archive.header("ranked")
        if len(header.shape) != 2 or header.dtype != np.int32:
            raise InputError(
                f"{path}: ranked clusters are {header.dtype} with shape {header.shape}; wanted a "
                "row of int32 per evaluated sample"
            )
        if shape is not None and header.shape != shape:
            raise InputError(f"{path}: ranked clusters {header.shape}; the task wants {shape}")
        return archive.read("ranked")


def predictions_fault(path: Path, record: ResultRecord) -> str:
    """Why the predictions file beside the result `path` is not the one the record names.

    As the end of a sentence that begins with the file's name; "" if it is. Nothing but a regular
    file is opened, and none that is larger than the predictions of that many samples.
    """
    if record.predictions is None or record.scores is None:
        return "is of a failed run"
    n_ranks = record.ranked.n_ranks if record.ranked is not None else 0
    file = Path(path).parent / record.predictions.file
    return file_fault(file, record.predictions.sha256, largest_file(record.scores.n, n_ranks))


def file_fault(file: Path, sha256: str, largest: int) -> str:
    """Why a predictions file is not the one of a hash, as `predictions_fault` says it.

    largest: bytes that it may have.
    """
    if not os.path.lexists(file):
        return "is missing"
    try:
        content = read_bytes(file, FileKind("a predictions file of the task", largest))
    except InputError as error:
        return str(error).removeprefix(f"{file}: ")
    return "" if hashlib.sha256(content).hexdigest() == sha256 else _OTHER


def holds_predictions(path: Path, record: ResultRecord) -> bool:
    """Whether the predictions file beside the result `path` is the one the record names."""
    return not predictions_fault(path, record)


def _bytes(n: int, n_columns: int = 1) -> int:
    """Bytes of int32 clusters; more than the hash of rows takes in any case."""
    return max(4 * n * n_columns, 4 * _HEX)


def largest_file(n: int, n_ranks: int) -> int:
    """Bytes of the largest file of so many predictions, `n_ranks` of each ranked.

    Compressing can make an array a little larger.
    """
    return _ARCHIVE + 4 * n * (1 + n_ranks) * 101 // 100


def _check_members(path: Path, archive: NumpyArchive) -> None:
    names = archive.names
    surplus = sorted(set(names) - set(MEMBERS))
    if surplus:
        raise InputError(
            f"{path}: holds {shown(repr(surplus[0]))}; a predictions file holds "
            f"{', '.join(MEMBERS)}"
        )
    if len(set(names)) < len(names):
        raise InputError(f"{path}: holds an array twice")
