"""The predictions file of a run: what a result can be scored from again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import atomic_path, sha256_file
from .record import ResultRecord


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


def read_predictions(path: Path) -> tuple[np.ndarray, str]:
    """Predictions (n,) int32 and the hash of their rows; InputError for an unusable file."""
    path = Path(path)
    with _archive(path) as archive:
        predictions, rows = archive["predictions"], str(archive["rows_sha256"])
    if predictions.ndim != 1 or predictions.dtype != np.int32:
        raise InputError(
            f"{path}: predictions are {predictions.dtype} with shape {predictions.shape}; "
            "wanted one int32 per evaluated sample"
        )
    return predictions, rows


def read_top(path: Path) -> np.ndarray | None:
    """Ranked clusters (n, n_ranks) int32, None in a file without; InputError for unusable ones."""
    path = Path(path)
    with _archive(path) as archive:
        ranked: np.ndarray | None = archive.get("ranked")
    if ranked is not None and (ranked.ndim != 2 or ranked.dtype != np.int32):
        raise InputError(
            f"{path}: ranked clusters are {ranked.dtype} with shape {ranked.shape}; wanted a row "
            "of int32 per evaluated sample"
        )
    return ranked


def holds_predictions(path: Path, record: ResultRecord) -> bool:
    """Whether the predictions file beside the result `path` is the one the record names."""
    if record.predictions is None:
        return False
    file = Path(path).parent / record.predictions.file
    return file.is_file() and sha256_file(file) == record.predictions.sha256


@contextmanager
def _archive(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            yield archive
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such predictions file") from error
    except Exception as error:  # a damaged archive raises whatever the unpacking meets first
        raise InputError(f"{path}: damaged, or not a predictions file ({error})") from error
