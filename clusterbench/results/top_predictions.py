"""Several clusters per evaluation row, best first: taken from a method, and read again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ClusterbenchError, InputError
from .predictions import read_top
from .record import ResultRecord

if TYPE_CHECKING:
    from ..benchmarks.task import Task
    from ..methods import Clusterer


class UnusableTopError(ClusterbenchError):
    """A method's ranked clusters are not different clusters per sample, its prediction first."""


def ranks(task: Task, k: int, reference: bool = False) -> int | None:
    """How many clusters per row a run of the task with `k` clusters names; None: the first only.

    A reference names the class alone.
    """
    return min(task.n_ranks, k) if task.n_ranks > 1 and not reference else None


def top_clusters(
    method: Clusterer, features: np.ndarray, predictions: np.ndarray, n_ranks: int
) -> np.ndarray:
    """(n, n_ranks) int32: the method's `predict_top`, checked.

    features: (n, dim); predictions: (n,) int32, what `predict` said of them.

    Raises UnusableTopError for anything but n_ranks different clusters in [0, K) per row, of
    which the first is the prediction.
    """
    found: Any = np.asarray(method.predict_top(features, n_ranks))
    shape = (len(features), n_ranks)
    if found.shape != shape or found.dtype.kind not in "iu":
        raise UnusableTopError(
            f"predict_top returned {found.dtype} of shape {found.shape}; expected whole numbers "
            f"of shape {shape}"
        )
    fault = top_fault(found, predictions, method.n_clusters)
    if fault:
        raise UnusableTopError(f"predict_top {fault}")
    ranked: np.ndarray = found.astype(np.int32)
    return ranked


def top_evidence(
    file: Path, record: ResultRecord, task: Task, predictions: np.ndarray
) -> np.ndarray | None:
    """The ranked clusters in the predictions file of a success; None where none are ranked.

    predictions: (n,) int32, those of the file, checked.

    Raises InputError, naming the file, for ranked clusters or scores that are missing, and for
    clusters of another shape, outside [0, k), repeated in a row, or not led by `predictions`.
    """
    wanted = ranks(task, record.k, record.method.reference)
    if wanted is None:
        if record.ranked is not None:
            raise InputError(
                f"{file}: its result has ranked scores; task {task.name!r} ranks no clusters of "
                f"method {record.method.name!r}"
            )
        return None
    if record.ranked is None:
        raise InputError(
            f"{file}: its result has no ranked scores; task {task.name!r} scores {wanted} clusters "
            "per row"
        )
    ranked = ranked_clusters(file, predictions, wanted, record.k)
    if ranked is None:
        shape = (len(predictions), wanted)
        raise InputError(f"{file}: no ranked clusters; task {task.name!r} wants {shape}")
    return ranked


def ranked_clusters(file: Path, predictions: np.ndarray, n_ranks: int, k: int) -> np.ndarray | None:
    """(n, n_ranks) int32: the ranked clusters of a predictions file, None in one without.

    predictions: (n,) int32, those of the file, checked. Raises InputError as `top_evidence` does.
    """
    ranked = read_top(file, (len(predictions), n_ranks))
    if ranked is not None and (fault := top_fault(ranked, predictions, k)):
        raise InputError(f"{file}: its ranking {fault}")
    return ranked


def top_fault(ranked: np.ndarray, predictions: np.ndarray, k: int) -> str:
    """What is wrong with (n, n_ranks) ranked clusters, "" if nothing is."""
    if not ranked.size:
        return ""
    if not 0 <= ranked.min() <= ranked.max() < k:
        return f"has clusters {ranked.min()}..{ranked.max()}; wanted 0..{k - 1}"
    ordered = np.sort(ranked, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if repeated.any():
        row = int(np.argmax(repeated))
        return f"names a cluster twice in row {row}: {ranked[row].tolist()}"
    differs = ranked[:, 0] != predictions
    if differs.any():
        row = int(np.argmax(differs))
        return (
            f"begins with cluster {ranked[row, 0]} in row {row}, but predict says "
            f"{predictions[row]} ({int(differs.sum())} of {len(ranked)} rows differ); the first "
            "must be the prediction"
        )
    return ""
