"""Check a submission of a method that ran elsewhere: its predictions are all that is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...benchmarks import Task
from ...errors import InputError
from ...metrics import METRICS
from ...printable import shown
from ...results.evidence import EvidenceReader, check_manifest, scored_predictions
from ...results.predictions import file_fault, largest_file
from ...results.protocol import scored_label_sets, scored_rows, scored_targets
from ...results.record import Protocol, SplitScores, TopRecord, utc_now
from ...results.scoring import split_scores
from ...results.top_predictions import ranked_clusters, ranks
from ...results.top_scoring import top_scores
from ..board.models import AGGREGATED, Entry, Status
from .names import check_encoder_name, check_submitted_name
from .resampled import resampled_score
from .submission import SubmissionRecord

#: By how much a claimed score may differ from the one that the predictions give: people state
#: three decimals, or percent with one.
CLAIMED = 5.1e-4


@dataclass(frozen=True)
class Checked:
    """An entry, and the file of its predictions, of at most `largest` bytes; None without one."""

    entry: Entry
    file: Path | None
    largest: int


def check(
    path: Path, record: SubmissionRecord, reader: EvidenceReader, self_reported: bool
) -> Checked:
    """The entry of a submission.

    Args:
        path: its file.
        record: what the file holds.
        reader: builds the tasks.
        self_reported: whether claimed scores without predictions are taken, as such.

    Raises:
        InputError: naming the file, for an unknown benchmark, data set or task, another manifest,
            the data set's features under another name, the name of a method or reference of this
            package or one like it, more clusters than training samples, predictions that are
            missing, changed or do not fit, claimed scores that these do not give or that no metric
            has, and claims alone unless they are taken.
    """
    path = Path(path)
    try:
        task = reader.task(record.benchmark, record.dataset, record.task.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    check_manifest(path, task, record.task.manifest_hash)
    identity = record.features.identified()
    reader.check_features(path, record.dataset, record.features.encoder, identity)
    check_encoder_name(path, record.features.encoder, reader.encoders(record.dataset))
    check_submitted_name(path, record.method.name)
    if record.k > len(task.train_rows):
        raise InputError(
            f"{path}: k is {record.k}; task {task.name!r} has {len(task.train_rows)} training "
            "samples"
        )
    claimed = record.metrics or {}
    _check_claimed(path, claimed, alone=record.predictions is None)
    if record.predictions is None:
        if not self_reported:
            raise InputError(
                f"{path}: only claims scores and has no predictions; add them, or use "
                "--self-reported to enter it as a claim, which is shown and never ranked"
            )
        return Checked(_entry(record, "self-reported", claimed), None, 0)
    file = path.parent / record.predictions.file
    n_ranks = ranks(task, record.k) or 0
    largest = largest_file(len(scored_rows(task, record.protocol)), n_ranks)
    if fault := file_fault(file, record.predictions.sha256, largest):
        raise InputError(f"{path}: its predictions file {file.name} {fault}")
    predictions = scored_predictions(file, task, record.protocol, record.k)
    ranked = ranked_clusters(file, predictions, n_ranks, record.k) if n_ranks else None
    metrics = scores_of(task, record.protocol, record.k, predictions).metrics
    for name, found in claimed.items():
        if abs(found - metrics[name]) > CLAIMED:
            raise InputError(
                f"{path}: {name} is claimed as {found}, its predictions give {metrics[name]:.12g}"
            )
    top = top_scores_of(task, record.protocol, record.k, ranked)
    resampled = resampled_score(task, record.protocol, predictions)
    return Checked(_entry(record, "verified", metrics, top, resampled), file, largest)


def scores_of(task: Task, protocol: Protocol, k: int, predictions: np.ndarray) -> SplitScores:
    """Scores of the (n,) int32 clusters of the rows that a protocol scores."""
    return split_scores(
        scored_targets(task, protocol),
        predictions,
        task.n_classes,
        k,
        train_targets=task.train_targets,
    )


def top_scores_of(
    task: Task, protocol: Protocol, k: int, ranked: np.ndarray | None
) -> TopRecord | None:
    """Scores of (n, n_ranks) int32 ranked clusters of those rows; None without any."""
    if ranked is None:
        return None
    return top_scores(
        scored_targets(task, protocol),
        ranked,
        k,
        hierarchy=task.hierarchy,
        label_sets=scored_label_sets(task, protocol),
    )


def _check_claimed(path: Path, claimed: Mapping[str, float], alone: bool) -> None:
    """InputError for scores that no metric has, and, if they stand alone, for those that lack."""
    for name, found in claimed.items():
        if name not in METRICS:
            raise InputError(
                f"{path}: metrics has {shown(name)!r}, which is no score here; known: "
                f"{', '.join(METRICS)}"
            )
        low, high = METRICS[name].low, METRICS[name].high
        if not low <= found <= high:
            raise InputError(
                f"{path}: {name} is claimed as {found}; it lies between {low:g} and {high:g} "
                "(scores are fractions, not percent)"
            )
    lacking = [name for name in AGGREGATED if name not in claimed]
    if alone and len(lacking) == len(AGGREGATED):
        raise InputError(f"{path}: claims no {' and no '.join(lacking)}; wanted one of them")


def _entry(
    record: SubmissionRecord,
    status: Status,
    metrics: dict[str, float],
    ranked: TopRecord | None = None,
    resampled: str | None = None,
) -> Entry:
    return Entry(
        key=record.key(),
        benchmark=record.benchmark,
        dataset=record.dataset,
        task=record.task.name,
        manifest_hash=record.task.manifest_hash,
        encoder=record.features.encoder,
        feature_identity=record.features.identified(),
        method=record.method.name,
        version=record.method.version,
        params=record.method.params,
        seed=record.seed,
        k=record.k,
        protocol=record.protocol,
        metrics=metrics,
        ranked=ranked,
        status=status,
        elsewhere=True,
        predictions_sha256=None if record.predictions is None else record.predictions.sha256,
        resampled=resampled,
        label_free=record.label_free,
        source=record.source,
        submitter=record.submitter,
        created=record.created,
        submitted=utc_now(),
    )
