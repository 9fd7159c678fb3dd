"""One run from its fit to its record: predicted, scored, and written whole, success or failure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..files import remove, sha256_file
from ..printable import one_line, shown
from ..results.plain import recordable
from ..results.predictions import write_predictions
from ..results.protocol import scored_label_sets
from ..results.record import (
    Environment,
    ErrorRecord,
    FeaturesRecord,
    MethodRecord,
    PredictionsRecord,
    ResultRecord,
    SplitScores,
    TaskRecord,
    Timings,
    TopRecord,
    utc_now,
    write_result,
)
from ..results.scoring import INTERVALS, split_scores
from ..results.top_predictions import ranks
from ..results.top_scoring import top_scores
from . import fitting
from .fitting import Fit, Predicted, StageError
from .plan import PlannedRun

_MAX_MESSAGE = 500


@dataclass(frozen=True)
class _Scored:
    """Scores of the scored rows, of the training rows where they have clusters, and by rank."""

    scores: SplitScores
    train_scores: SplitScores | None
    top: TopRecord | None
    seconds: float


def compute_run(
    run: PlannedRun,
    fitted: Fit | StageError,
    features: np.ndarray,
    random_floor: dict[str, float],
    environment: Environment,
) -> ResultRecord:
    """Let the fit predict, score that, and leave predictions and result, or a failure, on disk.

    Of a success the predictions are written first, then the result, so a result never names
    predictions that are not there; a failure removes those of an earlier success.

    Args:
        run: the run.
        fitted: its fit, or why there is none.
        features: (n, dim) float32 of the scored rows, read-only.
        random_floor: scores of a random assignment.
        environment: what it is computed with.

    Raises:
        StorageError: the predictions or the result cannot be written.
    """
    predicted: Predicted | None = None
    try:
        if isinstance(fitted, StageError):
            raise fitted
        predicted = _predict(run, fitted, features)
        outcome = _success(run, predicted, _score(run, predicted))
    except StageError as error:
        outcome = _failure(error, predicted)
    record = _record(run, random_floor, environment, outcome)
    write_result(run.path, record)
    if record.status == "failed":  # predictions of an earlier success belong to nothing now
        remove(run.predictions_path)
    return record


def _predict(run: PlannedRun, fitted: Fit, features: np.ndarray) -> Predicted:
    n_ranks = ranks(run.task, run.k, run.method.reference)
    if run.protocol == "transductive":
        return fitting.transductive(fitted, features, n_ranks)
    return fitting.predict(fitted, features, n_ranks)


def _score(run: PlannedRun, predicted: Predicted) -> _Scored:
    from ..kernels.compiled import compile_clock

    try:
        with compile_clock() as compiling:
            start = time.perf_counter()
            scores, train_scores = _split_scores(run, predicted)
            top = _top_scores(run, predicted)
    except Exception as error:
        raise StageError("score", error) from error
    seconds = max(0.0, time.perf_counter() - start - compiling.seconds)
    return _Scored(scores, train_scores, top, seconds)


def _split_scores(run: PlannedRun, predicted: Predicted) -> tuple[SplitScores, SplitScores | None]:
    task = run.task
    scores = split_scores(
        run.scored_targets,
        predicted.evaluation,
        task.n_classes,
        run.k,
        train_targets=task.train_targets,
        intervals=INTERVALS,
    )
    if run.protocol == "transductive":
        return scores, scores
    if predicted.train is None:
        return scores, None
    return scores, split_scores(task.train_targets, predicted.train, task.n_classes, run.k)


def _top_scores(run: PlannedRun, predicted: Predicted) -> TopRecord | None:
    if predicted.ranked is None:
        return None
    return top_scores(
        run.scored_targets,
        predicted.ranked,
        run.k,
        hierarchy=run.task.hierarchy,
        label_sets=scored_label_sets(run.task, run.protocol),
    )


def _success(run: PlannedRun, predicted: Predicted, scored: _Scored) -> dict[str, Any]:
    """The fields of a success; its predictions are on disk."""
    diagnostics = dict(predicted.diagnostics)
    if run.method.reference:
        correct = predicted.evaluation == run.scored_targets
        diagnostics["accuracy"] = float(correct.mean())
    path = run.predictions_path
    write_predictions(path, predicted.evaluation, run.scored_rows, predicted.ranked)
    return {
        "status": "success",
        "scores": scored.scores,
        "train_scores": scored.train_scores,
        "ranked": scored.top,
        "predictions": PredictionsRecord(file=path.name, sha256=sha256_file(path)),
        "diagnostics": recordable(diagnostics),
        "warnings": predicted.warnings,
        "timings": Timings(
            fit=predicted.fit_seconds, predict=predicted.predict_seconds, score=scored.seconds
        ),
    }


def _failure(error: StageError, predicted: Predicted | None) -> dict[str, Any]:
    """The fields of a failure, with the times of the stages before it."""
    timings = Timings(fit=error.fit_seconds)
    if predicted is not None:
        timings = Timings(fit=predicted.fit_seconds, predict=predicted.predict_seconds)
    return {
        "status": "failed",
        "error": ErrorRecord(
            stage=error.stage,
            type=shown(type(error.cause).__name__),
            message=one_line(str(error.cause), _MAX_MESSAGE),
            where=shown(error.where),
        ),
        "diagnostics": recordable(error.diagnostics),
        "warnings": error.warnings,
        "timings": timings,
    }


def _record(
    run: PlannedRun,
    random_floor: dict[str, float],
    environment: Environment,
    outcome: dict[str, Any],
) -> ResultRecord:
    task = run.task
    return ResultRecord(
        key=run.key,
        benchmark=task.benchmark,
        dataset=task.dataset,
        index_hash=task.index_hash,
        task=TaskRecord(
            name=task.name,
            manifest_hash=task.manifest_hash,
            n_classes=task.n_classes,
            n_train=len(task.train_rows),
            n_eval=len(task.eval_rows),
            factors={name: float(value) for name, value in task.factors.items()},
        ),
        features=FeaturesRecord(
            encoder=run.features.encoder, identity=run.features.identity, dim=run.features.dim
        ),
        method=MethodRecord(
            name=run.method.name,
            version=run.method.version,
            params=dict(run.method.params),
            reference=run.method.reference,
        ),
        seed=run.seed,
        k=run.k,
        protocol=run.protocol,
        random_floor=random_floor,
        environment=environment,
        created=utc_now(),
        **outcome,
    )
