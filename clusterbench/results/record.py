"""The result of one run as one JSON file: `clusterbench-result/1` (docs/results-format.md)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import FailFast, Field, model_validator
from typing_extensions import Self

from ..files import sha256_json, write_json
from ..limits import RESULT
from .fields import (
    ByRank,
    Count,
    Diagnostics,
    Dimension,
    Groups,
    Line,
    Name,
    Positive,
    PredictionsFile,
    Resamples,
    Score,
    ScoresByName,
    Seconds,
    Seed,
    Settings,
    Sha256,
    Threads,
    Told,
    UtcTime,
    Version,
    Warned,
)
from .schema import StrictModel, read_model

SCHEMA = "clusterbench-result/1"

#: "train->val": fitted on the training rows, scored on the evaluation rows; "transductive": fitted
#: and scored on the training rows.
Protocol = Literal["train->val", "transductive"]


class TaskRecord(StrictModel):
    """Which task was run, and the hash of its manifest."""

    name: Name
    manifest_hash: Sha256
    n_classes: Groups
    n_train: Count
    n_eval: Count
    factors: dict[Name, float]


class FeaturesRecord(StrictModel):
    """Which features the method saw."""

    encoder: Name
    identity: Sha256
    dim: Dimension


class MethodRecord(StrictModel):
    """The method and every setting that changes its answer; K and the seed stand beside it."""

    name: Name
    version: Version
    params: Settings
    reference: bool = False  # a supervised ceiling: it was fitted with the training targets


class BandRecord(StrictModel):
    """Mean per-class ACC of the classes of one frequency band; null where none was scored."""

    n_classes: Count
    n: Count
    acc: Score | None


class IntervalRecord(StrictModel):
    """Where a score would be expected on other samples of the same number."""

    low: Score
    high: Score
    standard_error: Annotated[float, Field(ge=0)]


class IntervalsRecord(StrictModel):
    """Intervals over samples by metric, and the settings that made them."""

    n_resamples: Resamples
    level: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed
    metrics: dict[Name, IntervalRecord]


class SplitScores(StrictModel):
    """Scores of one split: named metrics, frequency bands, statistics of the cluster sizes.

    Results from before bands and intervals existed have none; training scores have no intervals.
    """

    n: Count
    n_classes: Count
    n_clusters: Count
    metrics: ScoresByName
    bands: dict[Literal["head", "middle", "tail"], BandRecord] | None = None
    intervals: IntervalsRecord | None = None
    clusters: dict[Name, float | int]


class LevelRecord(StrictModel):
    """ACC at one depth of the class tree, among the samples whose class is that deep or deeper."""

    depth: Count
    n: Count
    acc: Score


class ChainsRecord(StrictModel):
    """What the r-th clusters find of the chain from a sample's class to its root, by rank."""

    chain_share: ByRank
    cumulative: ByRank
    chance: ByRank


class HierarchyRecord(StrictModel):
    """Scores on the class tree of the task (`metrics.score_hierarchy`)."""

    lca_acc: float
    semantic_acc: float
    mistake_height: float | None
    mistakes_unrelated: float | None
    mistakes_unpaired: float | None
    levels: Annotated[tuple[LevelRecord, ...], FailFast()]
    chains: ChainsRecord


class LabelSetsRecord(StrictModel):
    """Scores against several labels per sample (`metrics.score_label_sets`), by rank."""

    n: Count
    n_labels: Count
    labels_per_sample: float
    any_label_acc: float
    hits: ByRank
    chance: ByRank
    any_hit: ByRank
    coverage: ByRank


class TopRecord(StrictModel):
    """Scores of the first `n_ranks` clusters of each sample; entry r - 1 of a tuple is for rank r.

    `chains` treats each node from a sample's class to its root as one of its labels; `label_sets`
    takes the labels that the task names.
    """

    n_ranks: Positive
    top_n_acc: ByRank
    top_n_chance: ByRank
    hierarchy: HierarchyRecord | None = None
    chains: LabelSetsRecord | None = None
    label_sets: LabelSetsRecord | None = None

    @model_validator(mode="after")
    def _one_for_each_rank(self) -> Self:
        by_rank = {"top_n_acc": self.top_n_acc, "top_n_chance": self.top_n_chance}
        if self.hierarchy is not None:
            chains = self.hierarchy.chains
            by_rank |= {"chain_share": chains.chain_share, "cumulative": chains.cumulative}
            by_rank["chance"] = chains.chance
        for sets in (self.chains, self.label_sets):
            if sets is not None:
                by_rank |= {"hits": sets.hits, "chance of hits": sets.chance}
                by_rank |= {"any_hit": sets.any_hit, "coverage": sets.coverage}
        for name, values in by_rank.items():
            if len(values) != self.n_ranks:
                raise ValueError(f"{name} has {len(values)} values for {self.n_ranks} ranks")
        return self


class PredictionsRecord(StrictModel):
    """The predictions file beside the result: eval clusters (int32) and the hash of their rows."""

    file: PredictionsFile
    sha256: Sha256


class ErrorRecord(StrictModel):
    """Why a run failed: where (fit, predict or score), the exception's type and message."""

    stage: Literal["fit", "predict", "score"]
    type: Line
    message: Told
    where: Line


class Timings(StrictModel):
    """Wall-clock seconds of each stage that was finished.

    Reading the features is not in them, nor the compilation of kernels on their first use.
    """

    fit: Seconds | None = None
    predict: Seconds | None = None
    score: Seconds | None = None


class Environment(StrictModel):
    """What the run was made with. Nothing here is part of the run key."""

    clusterbench: Line
    git_commit: Line | None
    python: Line
    platform: Line
    device: Line
    device_name: Line
    threads: Threads
    processes: Positive = 1  # that shared the fit
    packages: dict[Name, Line]


class ResultRecord(StrictModel):
    """One run: a success with its scores, or a failure with its error and no scores at all."""

    schema_: Literal["clusterbench-result/1"] = Field(
        default="clusterbench-result/1", alias="schema"
    )
    status: Literal["success", "failed"]
    key: Sha256
    benchmark: Name
    dataset: Name
    index_hash: Sha256
    task: TaskRecord
    features: FeaturesRecord
    method: MethodRecord
    seed: Seed
    k: Groups
    protocol: Protocol = "train->val"
    scores: SplitScores | None = None
    train_scores: SplitScores | None = None
    ranked: TopRecord | None = None
    random_floor: ScoresByName
    predictions: PredictionsRecord | None = None
    error: ErrorRecord | None = None
    diagnostics: Diagnostics = Field(default_factory=dict)
    warnings: Warned = ()
    timings: Timings
    environment: Environment
    created: UtcTime

    @model_validator(mode="after")
    def _whole(self) -> Self:
        outcome = (self.scores, self.train_scores, self.predictions)
        # A reference was told the classes of the training rows: scores of them say nothing.
        wanted = (self.scores, self.predictions) if self.method.reference else outcome
        if self.status == "success" and (self.error is not None or None in wanted):
            raise ValueError("a success has scores, train_scores and predictions, and no error")
        if self.status == "failed" and (
            self.error is None or outcome != (None, None, None) or self.ranked is not None
        ):
            raise ValueError("a failed run has an error, and no scores and no predictions")
        if self.k > self.task.n_train:
            raise ValueError(f"k={self.k} is larger than the {self.task.n_train} training samples")
        return self

    def recomputed_key(self) -> str:
        """The run key that the recorded fields give; equal to `key` unless they were edited."""
        return run_key(
            manifest_hash=self.task.manifest_hash,
            feature_identity=self.features.identity,
            method=self.method.name,
            version=self.method.version,
            params=self.method.params,
            seed=self.seed,
            k=self.k,
            protocol=self.protocol,
        )


def run_key(
    *,
    manifest_hash: str,
    feature_identity: str,
    method: str,
    version: int,
    params: Mapping[str, Any],
    seed: int,
    k: int,
    protocol: Protocol = "train->val",
    elsewhere: bool = False,
) -> str:
    """Hex SHA-256 of what changes the answer of a run, and of nothing else.

    Device, thread count, library versions, names of presets, encoders and tasks, and the results
    folder are not in it: a run made on another machine with the same inputs is the same run.

    elsewhere: of a submission, whose method is what its submitter says it is. Such a run is never
    the same as one of this package's, so that it cannot take the place of one.
    """
    fields: dict[str, Any] = {
        "task": manifest_hash,
        "features": feature_identity,
        "method": method,
        "version": version,
        "params": dict(params),
        "seed": seed,
        "k": k,
    }
    # Only where they differ, so that runs from before there was a choice keep their keys.
    if protocol != "train->val":
        fields["protocol"] = protocol
    if elsewhere:
        fields["elsewhere"] = True
    return sha256_json(fields)


def read_result(path: Path) -> ResultRecord:
    """Read a result file; InputError when it is missing, truncated or not a result."""
    return read_model(
        path,
        ResultRecord,
        kind=RESULT,
        schema=SCHEMA,
        repair="the same `clusterbench run` command writes it again",
    )


def write_result(path: Path, record: ResultRecord) -> None:
    """Write a result atomically."""
    write_json(path, record.to_dict())


def utc_now(hours_ahead: int = 0) -> str:
    """The time, or that in so many hours, as `2024-06-03T12:00:00Z`."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours_ahead)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
