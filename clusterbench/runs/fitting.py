"""Fit a method and let it predict. Labels are out of reach: nothing here is given a task."""

from __future__ import annotations

import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import ClusterbenchError, StorageError
from .ranked_predictions import ranked_clusters

if TYPE_CHECKING:
    from ..methods import Clusterer

_MAX_WARNINGS = 20

Stage = Literal["fit", "predict", "score"]


class StageError(Exception):
    """A stage of a run failed; `cause` is the exception, `stage` where it happened.

    fit_seconds, diagnostics and warnings hold what was known by then.
    """

    def __init__(
        self,
        stage: Stage,
        cause: Exception,
        *,
        fit_seconds: float | None = None,
        diagnostics: Mapping[str, Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        super().__init__(str(cause))
        self.stage: Stage = stage
        self.cause = cause
        self.fit_seconds = fit_seconds
        self.diagnostics = dict(diagnostics or {})
        self.warnings = warnings

    @property
    def where(self) -> str:
        """`file.py:line in function` of the frame that raised, without its folder."""
        frames = traceback.extract_tb(self.cause.__traceback__)
        if not frames:
            return ""
        return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}"


class UnusableClustersError(ClusterbenchError):
    """A method returned something that is not one cluster number per sample."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """Clusters of both splits, and what the method says about its fit.

    train, evaluation: (n_train,), (n_eval,) int32 in [0, k). ranked: (n_eval, n_ranks) int32, whose
    first column is `evaluation`; None where no ranking was asked for.
    """

    train: np.ndarray
    evaluation: np.ndarray
    diagnostics: dict[str, Any]
    warnings: tuple[str, ...]
    fit_seconds: float
    predict_seconds: float
    ranked: np.ndarray | None = None


# The list that the current thread's run collects its warnings in; None outside of a run.
_thread = threading.local()


@contextmanager
def recorded_warnings() -> Iterator[None]:
    """Within it, a warning raised by a method belongs to the run of its thread.

    `warnings.catch_warnings(record=True)` swaps a global and mixes up runs that go side by side.
    """
    with warnings.catch_warnings():
        show = warnings.showwarning

        def keep(message: Warning | str, *details: Any, **more: Any) -> None:
            caught = getattr(_thread, "caught", None)
            if caught is None:
                show(message, *details, **more)
            else:
                caught.append(" ".join(str(message).split()))

        warnings.simplefilter("always")
        # Runs share the features, so they are read-only; methods that wrap them only read them.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        warnings.showwarning = keep
        yield


def assign(
    method: Clusterer,
    train_features: np.ndarray,
    eval_features: np.ndarray,
    progress: Callable[[int, int], None],
    n_ranks: int | None = None,
) -> Assignment:
    """Fit on the training features, predict the evaluation features.

    Args:
        train_features, eval_features: (n, dim) float32, read-only.
        progress: the method's own progress, `progress(done, total)`.
        n_ranks: rank so many clusters of each evaluation row, in 1..K.

    Raises:
        StageError: the method raised, or returned labels that are not clusters in [0, K), or a
            ranking that does not begin with them.
        StorageError: passed on as it is; no method can be blamed for a full disk.
    """
    stage: Stage = "fit"
    fit_seconds = None
    caught: list[str] = []
    _thread.caught = caught
    start = time.perf_counter()
    try:
        labels = method.fit(train_features, progress=progress).labels_
        train = _clusters(labels, len(train_features), method.n_clusters)
        fit_seconds = time.perf_counter() - start
        stage = "predict"
        start = time.perf_counter()
        labels = method.predict(eval_features)
        evaluation = _clusters(labels, len(eval_features), method.n_clusters)
        ranked = None
        if n_ranks is not None:
            ranked = ranked_clusters(method, eval_features, evaluation, n_ranks)
        predict_seconds = time.perf_counter() - start
    except StorageError:
        raise
    except Exception as error:
        raise StageError(
            stage,
            error,
            fit_seconds=fit_seconds,
            diagnostics=method.diagnostics_,
            warnings=_unique(caught),
        ) from error
    finally:
        _thread.caught = None
    return Assignment(
        train,
        evaluation,
        dict(method.diagnostics_),
        _unique(caught),
        fit_seconds,
        predict_seconds,
        ranked,
    )


def _unique(messages: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(messages))[:_MAX_WARNINGS]


def _clusters(labels: Any, n: int, k: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise UnusableClustersError(
            f"the method returned labels of shape {labels.shape}; expected ({n},)"
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise UnusableClustersError("the method returned NaN or infinity as a cluster")
    if labels.dtype.kind not in "iu":
        raise UnusableClustersError(
            f"the method returned labels of dtype {labels.dtype}; expected integers"
        )
    if n and not 0 <= labels.min() <= labels.max() < k:
        raise UnusableClustersError(
            f"the method returned clusters {labels.min()}..{labels.max()}; expected 0..{k - 1}"
        )
    clusters: np.ndarray = labels.astype(np.int32)
    return clusters
