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
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np

from ..errors import CheckpointError, ClusterbenchError, StorageError
from ..files import remove_tree
from ..kmeans.processes import LostProcessError
from ..printable import one_line
from ..progress import Progress
from ..results.top_predictions import top_clusters

if TYPE_CHECKING:
    from ..kmeans.lloyd import Group
    from ..methods import Clusterer
    from ..references import Reference

Made = TypeVar("Made")

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
class Fit:
    """A fitted method and what it says about its fit; it can predict for several tasks.

    k: it predicts clusters in [0, k).
    train: (n_train,) int32 in [0, k), its clusters of the training rows; None for a reference,
        which knows their classes.
    """

    method: Clusterer | Reference
    k: int
    train: np.ndarray | None
    diagnostics: dict[str, Any]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class Predicted:
    """Clusters of the training and of the scored rows, and what the method says about its fit.

    train: as in `Fit`. evaluation: (n,) int32 in [0, k), of the rows that are scored.
    predict_seconds: None where these are the training rows. ranked: (n, n_ranks) int32, whose
    first column is `evaluation`; None where no ranking was asked for.
    """

    train: np.ndarray | None
    evaluation: np.ndarray
    diagnostics: dict[str, Any]
    warnings: tuple[str, ...]
    fit_seconds: float
    predict_seconds: float | None
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
                caught.append(one_line(str(message)))

        warnings.simplefilter("always")
        # Runs share the features, so they are read-only; methods that wrap them only read them.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        warnings.showwarning = keep
        yield


def fit(
    method: Clusterer,
    train_features: np.ndarray,
    progress: Progress,
    checkpoint: Path | None = None,
) -> Fit:
    """Fit on the training features.

    Args:
        method: ready to fit.
        train_features: (n, dim) float32, read-only.
        progress: the method's own progress.
        checkpoint: what a method that keeps checkpoints goes on from, and writes. One of another
            fit, such as that of another device, is removed. None keeps none.

    Raises:
        StageError: the method raised, or its labels are not clusters in [0, K).
        StorageError: passed on as it is; no method can be blamed for a full disk.
    """

    def fitted() -> Clusterer:
        if checkpoint is None or not method.keeps_checkpoints:
            return method.fit(train_features, progress=progress)
        keeping: Any = method
        try:
            made = keeping.fit(train_features, progress=progress, checkpoint=checkpoint)
        except CheckpointError:
            remove_tree(checkpoint)
            made = keeping.fit(train_features, progress=progress, checkpoint=checkpoint)
        return cast("Clusterer", made)

    def clusters() -> np.ndarray:
        return _clusters(fitted().labels_, len(train_features), method.n_clusters)

    train, warned, seconds = attempt("fit", method, clusters)
    return Fit(method, method.n_clusters, train, dict(method.diagnostics_), warned, seconds)


def fit_share(
    method: Clusterer,
    share: np.ndarray,
    group: Group,
    checkpoint: Path,
    progress: Progress,
) -> Fit:
    """Fit with all processes of a group; `train` is of the rows of all of them, in order of rank.

    Args:
        method: ready to fit, one that shares its fit.
        share: (n, dim) float32, the rows of this process, read-only.
        group: the processes.
        checkpoint: what the fit goes on from, and writes; see `fit`.
        progress: the method's own progress.

    Raises:
        StageError: as `fit` does, in this process.
        StorageError, LostProcessError: passed on as they are.
    """

    def clusters() -> np.ndarray:
        try:
            method.fit_share(share, group, checkpoint=checkpoint, progress=progress)
        except CheckpointError:  # in all processes
            if group.rank == 0:
                remove_tree(checkpoint)
            group.total(np.ones(1, dtype=np.int64))  # until it is gone
            method.fit_share(share, group, checkpoint=checkpoint, progress=progress)
        return group.gather(_clusters(method.labels_, len(share), method.n_clusters))

    train, warned, seconds = attempt("fit", method, clusters)
    return Fit(method, method.n_clusters, train, dict(method.diagnostics_), warned, seconds)


def predict(fitted: Fit, eval_features: np.ndarray, n_ranks: int | None = None) -> Predicted:
    """Let a fitted method predict the evaluation features, (n, dim) float32, read-only.

    n_ranks: rank so many clusters of each row, in 1..K, for a method that is no reference.

    What it says about itself starts from its fit each time, so a run reads the same whether it
    shares the fit or not. Raises as `fit` does.
    """
    method = fitted.method
    method.diagnostics_ = dict(fitted.diagnostics)

    def clusters() -> tuple[np.ndarray, np.ndarray | None]:
        first = _clusters(method.predict(eval_features), len(eval_features), fitted.k)
        return first, _top(fitted, eval_features, first, n_ranks)

    (evaluation, ranked), warned, seconds = attempt("predict", method, clusters, fitted)
    return Predicted(
        fitted.train,
        evaluation,
        dict(method.diagnostics_),
        _unique([*fitted.warnings, *warned]),
        fitted.seconds,
        seconds,
        ranked,
    )


def transductive(fitted: Fit, train_features: np.ndarray, n_ranks: int | None = None) -> Predicted:
    """The clusters that the fit gave the training rows, as those that are scored.

    train_features and n_ranks are for further ranks, as in `predict`. Raises as `fit` does.
    """
    train = fitted.train
    assert train is not None
    ranked, warned, _ = attempt(
        "predict", fitted.method, lambda: _top(fitted, train_features, train, n_ranks), fitted
    )
    return Predicted(
        train,
        train,
        dict(fitted.diagnostics),
        _unique([*fitted.warnings, *warned]),
        fitted.seconds,
        predict_seconds=None,
        ranked=ranked,
    )


def _top(
    fitted: Fit, features: np.ndarray, first: np.ndarray, n_ranks: int | None
) -> np.ndarray | None:
    if n_ranks is None:
        return None
    return top_clusters(cast("Clusterer", fitted.method), features, first, n_ranks)


def attempt(
    stage: Stage,
    method: Clusterer | Reference,
    action: Callable[[], Made],
    fitted: Fit | None = None,
) -> tuple[Made, tuple[str, ...], float]:
    """What `action` returns, the warnings raised within it, and its seconds.

    They are without those in which kernels were compiled: only the first fit of an installation,
    or of a process, has them, and they say nothing of the method.

    Raises:
        StageError: it raised; with the time and the warnings of `fitted`, the fit before it.
        StorageError, LostProcessError: passed on as they are.
    """
    from ..kernels.compiled import compile_clock

    caught: list[str] = []
    _thread.caught = caught
    try:
        with compile_clock() as compiling:
            start = time.perf_counter()
            made = action()
    except (StorageError, LostProcessError):
        raise
    except (Exception, SystemExit) as error:
        raise StageError(
            stage,
            error if isinstance(error, Exception) else _exit(error),
            fit_seconds=fitted.seconds if fitted else None,
            diagnostics=getattr(method, "diagnostics_", {}),
            warnings=_unique([*(fitted.warnings if fitted else ()), *caught]),
        ) from error
    finally:
        _thread.caught = None
    seconds = time.perf_counter() - start - compiling.seconds
    return made, _unique(caught), max(0.0, seconds)


def _exit(error: SystemExit) -> UnusableClustersError:
    """A method that calls `sys.exit` fails like one that raises: the other runs go on."""
    made = UnusableClustersError(f"the method called sys.exit({error.code!r})")
    return made.with_traceback(error.__traceback__)


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
