"""Check one result before it enters the leaderboard: nothing in it is taken on trust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...benchmarks import Task
from ...errors import InputError
from ...printable import shown
from ...references import names as reference_names
from ...results.evidence import Evidence, EvidenceReader
from ...results.record import ResultRecord, SplitScores, TopRecord, utc_now
from ...results.scoring import floor, split_scores
from ..board.models import BoardBenchmark, Entry, TaskDefinition
from .resampled import resampled_score
from .top_check import top_again

#: Largest difference between a recorded score and the one computed again.
TOLERANCE = 1e-9

#: Hours by which a clock may be ahead of the one here.
CLOCKS = 24


@dataclass
class Verifier:
    """Checks results against tasks that it builds itself, each benchmark and data set once."""

    _reader: EvidenceReader = field(default_factory=EvidenceReader)
    _definitions: dict[tuple[str, str], BoardBenchmark] = field(default_factory=dict)

    def verify(self, path: Path) -> Entry:
        """The entry of a result file, its scores computed again from its predictions.

        Raises InputError, naming the file, what was found and what was wanted, for whatever
        `EvidenceReader.read` refuses, for a score, ranked ones included, that differs, and for a
        reference that does not say so or was not run as one.
        """
        evidence = self._reader.read(path)
        _check_time(evidence)
        _check_reference(evidence)
        metrics = _score_again(evidence)
        top, resampled = top_again(evidence, TOLERANCE), resampled_score(evidence)
        return _entry(evidence.record, metrics, top, resampled)

    def prepare(self, entry: Entry) -> None:
        """Find out now what `definition` and `notes` need: others wait while a board is locked."""
        self.definition(entry.benchmark, entry.dataset)
        self.notes(entry)

    def notes(self, entry: Entry) -> list[str]:
        """What nothing here can check about an entry, or what deserves a look."""
        found = []
        if entry.encoder not in self._reader.encoders(entry.dataset):
            found.append(
                f"features of encoder {shown(entry.encoder)!r} are not here: their name is the "
                "submitter's word"
            )
        if entry.metrics.get("acc") == 1.0 and not entry.reference:
            found.append("its clusters are the classes in every row")
        return found

    def unbuilt(self, benchmark: str, dataset: str) -> dict[str, str]:
        """Names of the tasks that cannot be built here, and why."""
        return self._reader.unbuilt(benchmark, dataset)

    def definition(self, benchmark: str, dataset: str) -> BoardBenchmark:
        """The tasks of a benchmark on a data set, as built here; without those of `unbuilt`."""
        where = (benchmark, dataset)
        if where not in self._definitions:
            tasks = self._reader.tasks(benchmark, dataset).values()
            self._definitions[where] = BoardBenchmark(
                benchmark=benchmark, dataset=dataset, tasks=tuple(_definition(t) for t in tasks)
            )
        return self._definitions[where]

    def with_train_floors(self, known: BoardBenchmark) -> BoardBenchmark:
        """A benchmark with the floors of the training rows of all its tasks that are built here."""
        if all(task.train_floor is not None for task in known.tasks):
            return known
        built = self._reader.tasks(known.benchmark, known.dataset)
        floors = {name: floor(task.train_targets, task.n_classes) for name, task in built.items()}
        tasks = (
            t.model_copy(update={"train_floor": floors.get(t.name, t.train_floor)})
            for t in known.tasks
        )
        return known.model_copy(update={"tasks": tuple(tasks)})


def _check_time(evidence: Evidence) -> None:
    created = evidence.record.created
    latest = utc_now(hours_ahead=CLOCKS)
    if created > latest:  # both are of one form, which sorts by time
        raise InputError(
            f"{evidence.path}: created {created}, which has not come yet (it is {utc_now()} here); "
            "run it again with the clock set"
        )


def _check_reference(evidence: Evidence) -> None:
    """The mark is not in the run key, so it is checked against what is known of the names."""
    path, record, task = evidence.path, evidence.record, evidence.task
    method = record.method
    is_reference = method.name in reference_names()
    if method.reference != is_reference:
        known = "a reference, fitted with training labels" if is_reference else "no reference"
        raise InputError(
            f"{path}: method.reference is {str(method.reference).lower()}, "
            f"but {method.name!r} is {known}"
        )
    if is_reference and (record.k != task.n_classes or record.protocol != "train->val"):
        raise InputError(
            f"{path}: reference {method.name!r} with k={record.k}, protocol {record.protocol!r}; "
            f"wanted k={task.n_classes} (its classes), protocol 'train->val'"
        )


def _score_again(evidence: Evidence) -> dict[str, float]:
    path, record, task = evidence.path, evidence.record, evidence.task
    assert record.scores is not None
    again_all = split_scores(
        evidence.targets,
        evidence.predictions,
        task.n_classes,
        record.k,
        train_targets=task.train_targets,
    )
    _check_described(path, record.scores, again_all)
    metrics = again_all.metrics
    for name, again in metrics.items():
        recorded = record.scores.metrics.get(name)
        if recorded is not None and abs(recorded - again) > TOLERANCE:
            raise InputError(
                f"{path}: {name} is recorded as {recorded}, its predictions give {again:.12g}"
            )
    for name, again in floor(evidence.targets, record.k).items():
        recorded = record.random_floor.get(name)
        if recorded is not None and abs(recorded - again) > TOLERANCE:
            raise InputError(
                f"{path}: random_floor {name} is recorded as {recorded}, the task's is {again:.12g}"
            )
    return metrics


def _check_described(path: Path, recorded: SplitScores, again: SplitScores) -> None:
    """InputError for bands and cluster statistics that the predictions do not give."""
    for band, wanted in (again.bands or {}).items():
        found = (recorded.bands or {}).get(band)
        if found is not None and not _same(found.to_dict(), wanted.to_dict()):
            raise InputError(
                f"{path}: scores.bands.{band} is recorded as {found.to_dict()}, its predictions "
                f"give {wanted.to_dict()}"
            )
    for name, size in recorded.clusters.items():
        if name not in again.clusters or not _same({name: size}, again.clusters):
            raise InputError(
                f"{path}: scores.clusters.{name} is recorded as {size}, its predictions give "
                f"{again.clusters.get(name)}"
            )


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(_close(value, wanted[key]) for key, value in found.items())


def _close(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _definition(task: Task) -> TaskDefinition:
    return TaskDefinition(
        name=task.name,
        manifest_hash=task.manifest_hash,
        n_classes=task.n_classes,
        random_floor=floor(task.eval_targets, task.n_classes),
    )


def _entry(
    record: ResultRecord, metrics: dict[str, float], ranked: TopRecord | None, resampled: str
) -> Entry:
    assert record.predictions is not None
    return Entry(
        key=record.key,
        benchmark=record.benchmark,
        dataset=record.dataset,
        task=record.task.name,
        manifest_hash=record.task.manifest_hash,
        encoder=record.features.encoder,
        feature_identity=record.features.identity,
        method=record.method.name,
        version=record.method.version,
        params=record.method.params,
        seed=record.seed,
        k=record.k,
        protocol=record.protocol,
        reference=record.method.reference,
        metrics=metrics,
        ranked=ranked,
        predictions_sha256=record.predictions.sha256,
        resampled=resampled,
        created=record.created,
        submitted=utc_now(),
    )
