"""What a leaderboard holds: `clusterbench-leaderboard/2` (docs/results-format.md)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Annotated, Literal

from pydantic import FailFast, Field, model_validator
from typing_extensions import Self

from ...results.fields import (
    Groups,
    Line,
    Name,
    ScoresByName,
    Seed,
    Settings,
    Sha256,
    UtcTime,
    Version,
)
from ...results.record import Protocol, TopRecord, run_key
from ...results.schema import StrictModel
from .deviations import Resampled

SCHEMA = "clusterbench-leaderboard/2"

#: Metrics that are aggregated, so that every entry and floor has them; the first one ranks.
AGGREGATED = ("ami", "acc")


#: "verified": its scores were computed again here from its predictions; "self-reported": they are
#: the submitter's word, so that it is shown and never ranked.
Status = Literal["verified", "self-reported"]


class RunFields(StrictModel):
    """What an entry of any version of the format says of its run."""

    key: Sha256
    benchmark: Name
    dataset: Name
    task: Name
    manifest_hash: Sha256
    encoder: Name
    feature_identity: Sha256
    method: Name
    version: Version
    params: Settings
    seed: Seed
    k: Groups
    protocol: Protocol = "train->val"
    reference: bool = False  # a supervised ceiling: shown beside the ranking, never in it
    metrics: ScoresByName
    ranked: TopRecord | None = None
    created: UtcTime
    submitted: UtcTime

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        key = self.recomputed_key()
        if key != self.key:
            raise ValueError(
                f"run key {self.key[:12]}, but its fields give {key[:12]}: the entry was edited"
            )
        return self

    def recomputed_key(self, elsewhere: bool = False) -> str:
        """The key that its fields give."""
        return run_key(
            manifest_hash=self.manifest_hash,
            feature_identity=self.feature_identity,
            method=self.method,
            version=self.version,
            params=self.params,
            seed=self.seed,
            k=self.k,
            protocol=self.protocol,
            elsewhere=elsewhere,
        )


class Entry(RunFields):
    """One submitted run: its scores were computed again from its predictions, or it says so.

    elsewhere: whether it came as a submission, so that what it calls its method is the submitter's
        word; it is in the run key.
    predictions_sha256: of the predictions file, a copy of which is kept beside the board; None for
        a self-reported entry. label_free: whether no label was used anywhere to fit and to choose
        the method, as far as is known: of a run what its protocol says, of another submission the
        submitter's word; None where nothing is said. source: where a method that ran elsewhere is
        described. submitter: who sent it in.
    """

    status: Status = "verified"
    elsewhere: bool = False
    predictions_sha256: Sha256 | None
    resampled: Resampled | None = None  # AMI on subsets of the scored rows less `metrics["ami"]`
    label_free: bool | None = None
    source: Line = ""
    submitter: Line = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.status == "verified":
            has_aggregated(self.metrics, "metrics")
            if self.predictions_sha256 is None:
                raise ValueError("a verified entry has predictions_sha256")
        elif (self.predictions_sha256, self.ranked, self.resampled) != (None, None, None):
            raise ValueError("a self-reported entry has no predictions and none of their scores")
        elif not self.metrics:
            raise ValueError("a self-reported entry has metrics")
        return self

    def recomputed_key(self, elsewhere: bool = False) -> str:
        """The key that its fields give."""
        return super().recomputed_key(self.elsewhere or elsewhere)

    @property
    def verified(self) -> bool:
        """Whether its scores were computed again from its predictions."""
        return self.status == "verified"


class PublishedRow(StrictModel):
    """A row of the literature: shown with its backbone and source, never ranked.

    dataset, task: None where the row is of the whole benchmark, on whatever data it names.
    backbone: the features, as the source calls them. source: who published it where. note: what
    else a reader must know to compare it, such as other classes or fine-tuning.
    """

    benchmark: Name
    dataset: Name | None = None
    task: Name | None = None
    method: Name
    backbone: Name
    metrics: ScoresByName
    source: Line
    note: Line = ""
    status: Literal["published"] = "published"

    @property
    def place(self) -> tuple[str, str, str, str, str, str]:
        """What identifies a row, and sorts it: all but its scores and the note."""
        dataset, task = self.dataset or "", self.task or ""
        return (self.benchmark, dataset, task, self.method, self.backbone, self.source)


class TaskDefinition(StrictModel):
    """A task that an aggregate must cover, as submissions were checked against it.

    random_floor, train_floor: metrics of a random assignment to as many clusters as classes, of the
    evaluation rows, and of the training rows once there is a transductive entry.
    """

    name: Name
    manifest_hash: Sha256
    n_classes: Groups
    random_floor: ScoresByName
    train_floor: ScoresByName | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        has_aggregated(self.random_floor, "random_floor")
        if self.train_floor is not None:
            has_aggregated(self.train_floor, "train_floor")
        return self


class BoardBenchmark(StrictModel):
    """A benchmark on a data set: all its tasks, in order."""

    benchmark: Name
    dataset: Name
    tasks: Annotated[tuple[TaskDefinition, ...], FailFast()]

    @model_validator(mode="after")
    def _each_task_once(self) -> Self:
        _each_once("task", (task.name for task in self.tasks))
        return self


class Leaderboard(StrictModel):
    """All benchmarks with submissions, all entries and the published rows, sorted by place."""

    schema_: Literal["clusterbench-leaderboard/2"] = Field(
        default="clusterbench-leaderboard/2", alias="schema"
    )
    benchmarks: Annotated[tuple[BoardBenchmark, ...], FailFast()] = ()
    entries: Annotated[tuple[Entry, ...], FailFast()] = ()
    published: Annotated[tuple[PublishedRow, ...], FailFast()] = ()

    @model_validator(mode="after")
    def _each_run_once(self) -> Self:
        _each_once("benchmark", ((b.benchmark, b.dataset) for b in self.benchmarks))
        _each_once("run", (entry.key for entry in self.entries))
        _each_once("published row", (row.place for row in self.published))
        return self


def has_aggregated(metrics: dict[str, float], where: str) -> None:
    """ValueError for scores that lack one of AGGREGATED."""
    lacking = [name for name in AGGREGATED if name not in metrics]
    if lacking:
        raise ValueError(f"{where} has no {' and no '.join(lacking)}")


def _each_once(what: str, keys: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for key in keys:
        if key in seen:
            named = "/".join(key) if isinstance(key, tuple) else str(key)[:100]
            raise ValueError(f"the {what} {named!r} occurs twice")
        seen.add(key)


def entry_place(entry: RunFields) -> tuple[str, str, str, str, str, int, str]:
    """By what entries are sorted."""
    return (
        entry.benchmark,
        entry.dataset,
        entry.task,
        entry.encoder,
        entry.method,
        entry.seed,
        entry.key,
    )
