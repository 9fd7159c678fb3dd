"""The result of one run as one JSON file: `clusterbench-result/1` (docs/results-format.md)."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, JsonValue, model_validator
from typing_extensions import Self

from ..files import sha256_json, write_json
from ..limits import RESULT
from .schema import StrictModel, read_model

SCHEMA = "clusterbench-result/1"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
UtcTime = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Seconds = Annotated[float, Field(ge=0)]
#: "train->val": fitted on the training rows, scored on the evaluation rows; "transductive": fitted
#: and scored on the training rows.
Protocol = Literal["train->val", "transductive"]
Count = Annotated[int, Field(ge=0)]


class TaskRecord(StrictModel):
    """Which task was run, and the hash of its manifest."""

    name: str
    manifest_hash: Sha256
    n_classes: Annotated[int, Field(ge=1)]
    n_train: Count
    n_eval: Count
    factors: dict[str, float]


class FeaturesRecord(StrictModel):
    """Which features the method saw."""

    encoder: str
    identity: str
    dim: Annotated[int, Field(ge=1)]


class MethodRecord(StrictModel):
    """The method and every setting that changes its answer; K and the seed stand beside it."""

    name: str
    version: int
    params: dict[str, JsonValue]
    reference: bool = False  # a supervised ceiling: it was fitted with the training targets


class BandRecord(StrictModel):
    """Mean per-class ACC of the classes of one frequency band; null where none was scored."""

    n_classes: Count
    n: Count
    acc: float | None


class IntervalRecord(StrictModel):
    """Where a score would be expected on other samples of the same number."""

    low: float
    high: float
    standard_error: Annotated[float, Field(ge=0)]


class IntervalsRecord(StrictModel):
    """Intervals over samples by metric, and the settings that made them."""

    n_resamples: Count
    level: Annotated[float, Field(gt=0, lt=1)]
    seed: Count
    metrics: dict[str, IntervalRecord]


class SplitScores(StrictModel):
    """Scores of one split: named metrics, frequency bands, statistics of the cluster sizes.

    Results from before bands and intervals existed have none; training scores have no intervals.
    """

    n: Count
    n_classes: Count
    n_clusters: Count
    metrics: dict[str, float]
    bands: dict[Literal["head", "middle", "tail"], BandRecord] | None = None
    intervals: IntervalsRecord | None = None
    clusters: dict[str, float | int]


class LevelRecord(StrictModel):
    """ACC at one depth of the class tree, among the samples whose class is that deep or deeper."""

    depth: Count
    n: Count
    acc: float


class ChainsRecord(StrictModel):
    """What the r-th clusters find of the chain from a sample's class to its root, by rank."""

    chain_share: tuple[float, ...]
    cumulative: tuple[float, ...]
    chance: tuple[float, ...]


class HierarchyRecord(StrictModel):
    """Scores on the class tree of the task (`metrics.score_hierarchy`)."""

    lca_acc: float
    semantic_acc: float
    mistake_height: float | None
    mistakes_unrelated: float | None
    mistakes_unpaired: float | None
    levels: tuple[LevelRecord, ...]
    chains: ChainsRecord


class LabelSetsRecord(StrictModel):
    """Scores against several labels per sample (`metrics.score_label_sets`), by rank."""

    n: Count
    n_labels: Count
    labels_per_sample: float
    any_label_acc: float
    hits: tuple[float, ...]
    chance: tuple[float, ...]
    any_hit: tuple[float, ...]
    coverage: tuple[float, ...]


class TopRecord(StrictModel):
    """Scores of the first `n_ranks` clusters of each sample; entry r - 1 of a tuple is for rank r.

    `chains` treats each node from a sample's class to its root as one of its labels; `label_sets`
    takes the labels that the task names.
    """

    n_ranks: Annotated[int, Field(ge=1)]
    top_n_acc: tuple[float, ...]
    top_n_chance: tuple[float, ...]
    hierarchy: HierarchyRecord | None = None
    chains: LabelSetsRecord | None = None
    label_sets: LabelSetsRecord | None = None


class PredictionsRecord(StrictModel):
    """The predictions file beside the result: eval clusters (int32) and the hash of their rows."""

    file: Annotated[str, Field(pattern=r"^[^/\\]+\.npz$")]
    sha256: Sha256


class ErrorRecord(StrictModel):
    """Why a run failed: where (fit, predict or score), the exception's type and message."""

    stage: Literal["fit", "predict", "score"]
    type: str
    message: str
    where: str


class Timings(StrictModel):
    """Wall-clock seconds of each stage that was finished; reading the features is not in them."""

    fit: Seconds | None = None
    predict: Seconds | None = None
    score: Seconds | None = None


class Environment(StrictModel):
    """What the run was made with. Nothing here is part of the run key."""

    clusterbench: str
    git_commit: str | None
    python: str
    platform: str
    device: str
    device_name: str
    threads: int
    packages: dict[str, str]


class ResultRecord(StrictModel):
    """One run: a success with its scores, or a failure with its error and no scores at all."""

    schema_: Literal["clusterbench-result/1"] = Field(
        default="clusterbench-result/1", alias="schema"
    )
    status: Literal["success", "failed"]
    key: Sha256
    benchmark: str
    dataset: str
    index_hash: Sha256
    task: TaskRecord
    features: FeaturesRecord
    method: MethodRecord
    seed: Count
    k: Annotated[int, Field(ge=1)]
    protocol: Protocol = "train->val"
    scores: SplitScores | None = None
    train_scores: SplitScores | None = None
    ranked: TopRecord | None = None
    random_floor: dict[str, float]
    predictions: PredictionsRecord | None = None
    error: ErrorRecord | None = None
    diagnostics: dict[str, JsonValue] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
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
) -> str:
    """Hex SHA-256 of what changes the answer of a run, and of nothing else.

    Device, thread count, library versions, names of presets, encoders and tasks, and the results
    folder are not in it: a run made elsewhere with the same inputs is the same run.
    """
    fields = {
        "task": manifest_hash,
        "features": feature_identity,
        "method": method,
        "version": version,
        "params": dict(params),
        "seed": seed,
        "k": k,
    }
    # Only where it differs, so that runs from before there was a choice keep their keys.
    return sha256_json(fields if protocol == "train->val" else {**fields, "protocol": protocol})


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


def utc_now() -> str:
    """The time as `2024-06-03T12:00:00Z`."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Any) -> JsonValue:
    """`value` as JSON: NumPy scalars and arrays become numbers and lists, NaN becomes "nan"."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
