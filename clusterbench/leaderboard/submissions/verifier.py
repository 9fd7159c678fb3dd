"""Check what is submitted before it enters the leaderboard: nothing in it is taken on trust."""

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
from ...results.evidence import Evidence, EvidenceReader, check_manifest, scored_predictions
from ...results.predictions import file_fault, largest_file
from ...results.protocol import scored_rows
from ...results.record import ResultRecord, SplitScores, TopRecord, utc_now
from ...results.scoring import floor
from ...results.top_predictions import ranked_clusters, ranks
from ..board.file import readable_line
from ..board.models import BoardBenchmark, Entry, TaskDefinition
from .entering import Candidate
from .foreign import Checked, check, scores_of, top_scores_of
from .names import check_encoder_name, check_result_name
from .resampled import resampled_score
from .submission import SubmissionRecord, read_submitted
from .top_check import top_again

#: Largest difference between a recorded score and the one computed again.
TOLERANCE = 1e-9

#: Hours by which a clock may be ahead of the one here.
CLOCKS = 24


class UnfitPredictionsError(InputError):
    """Kept predictions are not those that their entry was made of."""


@dataclass
class Verifier:
    """Checks what is submitted against tasks that it builds itself, each benchmark once.

    self_reported: whether submissions without predictions are taken, as their submitter's word.
    reader: builds the tasks.
    """

    self_reported: bool = False
    reader: EvidenceReader = field(default_factory=EvidenceReader)
    _definitions: dict[tuple[str, str], BoardBenchmark] = field(default_factory=dict)
    _with_floors: dict[tuple[str, str], BoardBenchmark] = field(default_factory=dict)

    def verify(self, path: Path) -> Entry:
        """The entry of a result or a submission, its scores computed again from its predictions.

        Raises InputError, naming the file, what was found and what was wanted, for whatever
        `EvidenceReader.read` or `foreign.check` refuses, for a score, ranked ones included, that
        differs, for a reference that does not say so or was not run as one, and for a name that
        only looks like that of a built-in method, of a reference or of the data set's features.
        """
        return self._checked(path).entry

    def candidate(self, path: Path) -> Candidate:
        """The entry with all that is needed to put it on a board, found out before any lock.

        Raises InputError as `verify` does, and for what the reader of a board would refuse.
        """
        checked = self._checked(path)
        entry = checked.entry
        where = (entry.benchmark, entry.dataset)
        transductive = entry.protocol == "transductive"
        return Candidate(
            path=path,
            entry=entry,
            line=readable_line(entry),
            predictions=checked.file,
            largest=checked.largest,
            built=self._with_train_floors(*where) if transductive else self.definition(*where),
            unbuilt=self.reader.unbuilt(*where),
            notes=tuple(self.notes(entry)),
        )

    def notes(self, entry: Entry) -> list[str]:
        """What nothing here can check about an entry, or what deserves a look."""
        found = []
        if entry.encoder not in self.reader.encoders(entry.dataset):
            found.append(
                f"features of encoder {shown(entry.encoder)!r} are not here: their name is the "
                "submitter's word"
            )
        if not entry.verified:
            found.append("its scores are the submitter's word; it is shown and never ranked")
        elif entry.metrics.get("acc") == 1.0 and not entry.reference:
            found.append("its clusters are the classes in every row")
        return found

    def definition(self, benchmark: str, dataset: str) -> BoardBenchmark:
        """The tasks of a benchmark on a data set, as built here, without those that cannot be."""
        where = (benchmark, dataset)
        if where not in self._definitions:
            tasks = self.reader.tasks(benchmark, dataset).values()
            found = BoardBenchmark(
                benchmark=benchmark, dataset=dataset, tasks=tuple(_definition(t) for t in tasks)
            )
            readable_line(found)
            self._definitions[where] = found
        return self._definitions[where]

    def scored_again(self, entry: Entry, file: Path) -> Entry:
        """A verified entry of a board with the scores that its kept predictions give.

        Raises InputError where its task is another one here or cannot be built, and
        UnfitPredictionsError where the file is not the one of its hash, or does not fit the task.
        """
        task = self.reader.task(entry.benchmark, entry.dataset, entry.task)
        check_manifest(file, task, entry.manifest_hash)
        wanted = ranks(task, entry.k, entry.reference)
        largest = largest_file(len(scored_rows(task, entry.protocol)), wanted or 0)
        assert entry.predictions_sha256 is not None
        try:
            if fault := file_fault(file, entry.predictions_sha256, largest):
                raise InputError(f"{file}: {fault}")
            predictions = scored_predictions(file, task, entry.protocol, entry.k)
            ranked = None
            if wanted is not None:
                ranked = ranked_clusters(file, predictions, wanted, entry.k)
        except InputError as error:
            raise UnfitPredictionsError(str(error)) from error
        metrics = scores_of(task, entry.protocol, entry.k, predictions).metrics
        again = top_scores_of(task, entry.protocol, entry.k, ranked)
        update: dict[str, Any] = {"metrics": metrics, "ranked": again}
        if entry.resampled is not None:
            update["resampled"] = resampled_score(task, entry.protocol, predictions)
        return entry.model_copy(update=update)

    def _checked(self, path: Path) -> Checked:
        record = read_submitted(path)
        _check_time(path, record.created)
        if isinstance(record, SubmissionRecord):
            return check(path, record, self.reader, self.self_reported)
        evidence = self.reader.read(path, record)
        check_result_name(path, record.method.name)
        check_encoder_name(path, record.features.encoder, self.reader.encoders(record.dataset))
        _check_reference(evidence)
        metrics = _score_again(evidence)
        top = top_again(evidence, TOLERANCE)
        resampled = resampled_score(evidence.task, record.protocol, evidence.predictions)
        entry = _entry(evidence.record, metrics, top, resampled)
        assert record.predictions is not None
        n_ranks = 0 if evidence.ranked is None else evidence.ranked.shape[1]
        largest = largest_file(len(evidence.predictions), n_ranks)
        return Checked(entry, Path(path).parent / record.predictions.file, largest)

    def _with_train_floors(self, benchmark: str, dataset: str) -> BoardBenchmark:
        """`definition` with the floors of the training rows of all its tasks."""
        where = (benchmark, dataset)
        if where not in self._with_floors:
            known, built = self.definition(*where), self.reader.tasks(*where)
            tasks = (
                task.model_copy(
                    update={"train_floor": floor(built[task.name].train_targets, task.n_classes)}
                )
                for task in known.tasks
            )
            self._with_floors[where] = known.model_copy(update={"tasks": tuple(tasks)})
        return self._with_floors[where]


def _check_time(path: Path, created: str) -> None:
    latest = utc_now(hours_ahead=CLOCKS)
    if created > latest:  # both are of one form, which sorts by time
        raise InputError(
            f"{path}: created {created}, which has not come yet (it is {utc_now()} here); "
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
    again_all = scores_of(task, record.protocol, record.k, evidence.predictions)
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
        label_free=not record.method.reference,
        resampled=resampled,
        created=record.created,
        submitted=utc_now(),
    )
