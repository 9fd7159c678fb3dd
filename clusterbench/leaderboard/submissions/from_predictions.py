"""A submission made of a file of predictions, for a method that ran elsewhere."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from ...datasets import registry
from ...errors import InputError
from ...files import sha256_file, storage_errors, write_json
from ...labels.alignment import align, fitted
from ...labels.reading import PREDICTION_NAMES, PREDICTION_NAMES_ALONE, LabelFile, read_labels
from ...metrics.validate import whole_numbers
from ...results.predictions import write_predictions
from ...results.protocol import known_protocol, scored_rows
from ...results.record import PredictionsRecord, ResultRecord, utc_now
from ...results.schema import first_fault
from ...results.top_predictions import ranks, top_fault
from .submission import (
    SubmissionRecord,
    SubmittedFeatures,
    SubmittedMethod,
    SubmittedTask,
    read_submitted,
)

if TYPE_CHECKING:
    from ...benchmarks import Task
    from ...results.evidence import EvidenceReader

_SLUG = re.compile(r"[^A-Za-z0-9._]+")


@dataclass(frozen=True)
class RunElsewhere:
    """What is said of a method that ran elsewhere; see `SubmissionRecord`.

    task: may be left out where the benchmark has one. description: of features that are not the
    data set's own. k: None for the number of classes.
    """

    benchmark: str
    dataset: str
    method: str
    encoder: str
    task: str | None = None
    version: int = 1
    params: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    seed: int = 0
    k: int | None = None
    protocol: str = "train->val"
    metrics: Mapping[str, float] | None = None
    label_free: bool | None = None
    source: str = ""
    submitter: str = ""


@dataclass(frozen=True)
class Written:
    """A submission's file, and by what its predictions were matched with the task's rows."""

    path: Path
    matched: str


def write_submission(
    predictions: Path | None,
    said: RunElsewhere,
    out: Path,
    *,
    column: str | None = None,
    replace: bool = False,
    self_reported: bool = False,
    leaderboard: Path | None = None,
) -> Written:
    """Write a submission into a folder: a JSON file, and a predictions file beside it.

    Args:
        predictions: a file of clusters in [0, k), one for each row that the task scores, or for
            each sample of the data set, of which the scored ones are taken: .npy, .npz, .csv, .tsv,
            .parquet or .json. Rows are matched by the samples' ids where the file has them, else by
            position. Where the task ranks clusters, rows of several, best first, may be given. None
            for scores that are only claimed.
        said: what made them.
        out: the folder, made if need be.
        column: the array, column or key of the file; else what is called like predictions.
        replace: write over another submission of this run, in the folder and on the leaderboard.
        self_reported: write scores that are only claimed.
        leaderboard: the file of one that it is meant for, which may not be there yet.

    Raises:
        InputError: whatever a leaderboard, or this one, would refuse, and another submission of
            this run in the folder, unless it is to be replaced; then nothing is written.
        StorageError: the folder cannot be written.
    """
    from ...results.evidence import EvidenceReader  # brings the benchmarks' builders
    from ..board.file import Snapshot
    from .entering import Entering
    from .submit import real_path
    from .verifier import Verifier

    board = None if leaderboard is None else Snapshot.read(real_path(Path(leaderboard)))
    reader = EvidenceReader()
    task = _task(reader, said)
    k = task.n_classes if said.k is None else said.k
    record = _record(reader, said, task, k, predictions is not None)
    matched, clusters, ranked = "", None, None
    if predictions is not None:
        predictions = Path(predictions)
        clusters, ranked, matched = read_clusters(predictions, task, said.protocol, k, column)
    slug = "-".join(_SLUG.sub("-", text)[:60] for text in (task.name, said.method))
    name = f"submission-{slug}-seed-{said.seed}-{record.key()[:12]}"
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=out) as folder:
            here = Path(folder, f"{name}.json")
            if clusters is not None:
                file = here.with_suffix(".npz")
                rows = scored_rows(task, known_protocol(said.protocol))
                write_predictions(file, clusters, rows, ranked)
                kept = PredictionsRecord(file=file.name, sha256=sha256_file(file))
                record = record.model_copy(update={"predictions": kept})
            write_json(here, record.to_dict())
            try:
                candidate = Verifier(self_reported=self_reported, reader=reader).candidate(here)
                if board is not None:
                    Entering(board, replace).add(candidate)
            except InputError as error:
                raise InputError(str(error).replace(str(here), str(out / here.name))) from error
            if not replace:
                _check_other(out / here.name, record)
            if clusters is not None:
                file.replace(out / file.name)
            here.replace(out / here.name)
    return Written(out / f"{name}.json", matched)


def _check_other(path: Path, record: SubmissionRecord) -> None:
    """InputError where a file is there that is not a submission of the same predictions."""
    if not os.path.lexists(path):
        return
    known = read_submitted(path)
    if isinstance(known, ResultRecord) or known.predictions != record.predictions:
        raise InputError(
            f"{path}: is there already with other predictions for this run; use --replace, or "
            "another folder with --out"
        )


def read_clusters(
    path: Path, task: Task, protocol: str, k: int, column: str | None = None
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Clusters of the rows that a task scores: from a file, in the order of the manifest.

    Returns (n,) int32; (n, n_ranks) int32 where the task ranks clusters and the file does, else
    None; and by what rows were matched. Errors as of `write_submission`.
    """
    found = read_labels(path, PREDICTION_NAMES, column, alone=PREDICTION_NAMES_ALONE)
    if found.offsets is not None:
        raise InputError(f"{path}: lists of different lengths; wanted one cluster per sample")
    rows = scored_rows(task, known_protocol(protocol))
    index = registry.load(task.dataset).index
    found = fitted(found, len(rows))
    if found.n not in (len(rows), index.n):
        raise InputError(
            f"{path}: {found.n:,} predictions; task {task.name!r} scores {len(rows):,} rows under "
            f"protocol {protocol!r} (of {index.n:,} samples, which may be given all)"
        )
    whole = found.n != len(rows)
    ids = np.strings.decode(index.ids if whole else index.ids[rows], "utf-8")
    what = f"data set {task.dataset}" if whole else f"task {task.name}"
    found = align(LabelFile(Path(what), np.arange(len(ids)), ids=ids), found)
    values = whole_numbers(found.values[rows] if whole else found.values, str(path))
    n_ranks = ranks(task, k)
    if values.ndim == 2 and values.shape[1] > 1 and n_ranks is None:
        raise InputError(
            f"{path}: {values.shape[1]} clusters per row; task {task.name!r} with k={k} ranks "
            "none; wanted one for each sample (--column names a column of a table)"
        )
    first = values if values.ndim == 1 else values[:, 0]
    if first.min() < 0 or first.max() >= k:
        raise InputError(
            f"{path}: clusters {first.min()}..{first.max()}; wanted 0..{k - 1} (k={k}), one for "
            "each sample; --k says how many clusters there are"
        )
    clusters = first.astype(np.int32)
    ranked = None
    if values.ndim == 2 and n_ranks is not None:
        if values.shape[1] < n_ranks:
            raise InputError(
                f"{path}: {values.shape[1]} clusters per row; task {task.name!r} ranks {n_ranks}"
            )
        ranked = np.ascontiguousarray(values[:, :n_ranks], np.int32)
        if fault := top_fault(ranked, clusters, k):
            raise InputError(f"{path}: its ranking {fault}")
    return clusters, ranked, found.matched or "position"


def _task(reader: EvidenceReader, said: RunElsewhere) -> Task:
    if said.task is not None:
        return reader.task(said.benchmark, said.dataset, said.task)
    tasks = reader.tasks(said.benchmark, said.dataset)
    if len(tasks) != 1:
        raise InputError(
            f"benchmark {said.benchmark!r} has {len(tasks)} tasks; give one with --task: "
            f"{', '.join(tasks)}"
        )
    return next(iter(tasks.values()))


def _record(
    reader: EvidenceReader, said: RunElsewhere, task: Task, k: int, with_predictions: bool
) -> SubmissionRecord:
    """The record, whose predictions, if there are some, are still to come."""
    here = reader.encoders(said.dataset)
    if said.description and said.encoder in here:
        raise InputError(
            f"{said.encoder!r} is the name of the data set's own features, which need no "
            "description; call other features otherwise"
        )
    identity = here[said.encoder][0] if said.encoder in here else None
    none = PredictionsRecord(file="none.npz", sha256="0" * 64)
    try:
        return SubmissionRecord(
            benchmark=said.benchmark,
            dataset=said.dataset,
            task=SubmittedTask(name=task.name, manifest_hash=task.manifest_hash),
            features=SubmittedFeatures(
                encoder=said.encoder, identity=identity, description=said.description
            ),
            method=SubmittedMethod(
                name=said.method, version=said.version, params=dict(said.params)
            ),
            seed=said.seed,
            k=k,
            protocol=known_protocol(said.protocol),
            predictions=none if with_predictions else None,
            metrics=None if said.metrics is None else dict(said.metrics),
            label_free=said.label_free,
            source=said.source,
            submitter=said.submitter,
            created=utc_now(),
        )
    except ValidationError as error:
        raise InputError(f"the submission: {first_fault(error)}") from error
