"""A method that ran elsewhere, as one JSON file: `clusterbench-submission/1`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from ...files import sha256_json
from ...limits import RESULT
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
from ...results.record import SCHEMA as RESULT_SCHEMA
from ...results.record import PredictionsRecord, Protocol, ResultRecord, run_key
from ...results.schema import StrictModel, read_one_of

SCHEMA = "clusterbench-submission/1"


class SubmittedTask(StrictModel):
    """The task whose rows were clustered, and the hash of its manifest."""

    name: Name
    manifest_hash: Sha256


class SubmittedFeatures(StrictModel):
    """What the method saw.

    identity: of the data set's features of that encoder; None for other features, which are then
    told apart by the encoder's name and the description.
    """

    encoder: Name
    identity: Sha256 | None = None
    description: Line = ""

    def identified(self) -> str:
        """The identity, or the hash that stands for features that only have a description."""
        described = {"encoder": self.encoder, "description": self.description}
        return self.identity or sha256_json(described)


class SubmittedMethod(StrictModel):
    """The method with the settings that change its answer; K and the seed stand beside it."""

    name: Name
    version: Version = 1
    params: Settings = Field(default_factory=dict)


class SubmissionRecord(StrictModel):
    """One clustering of the rows that a task scores, by whatever made it.

    predictions: the file beside this one, of the form that a result's has; None for scores that
        are only claimed. metrics: claimed scores, as fractions; with predictions they are compared
        with what these give. label_free: whether no label was used anywhere, to fit or to choose;
        None where nothing is said. source: where the method is described. submitter: who sends it.
    """

    schema_: Literal["clusterbench-submission/1"] = Field(
        default="clusterbench-submission/1", alias="schema"
    )
    benchmark: Name
    dataset: Name
    task: SubmittedTask
    features: SubmittedFeatures
    method: SubmittedMethod
    seed: Seed
    k: Groups
    protocol: Protocol = "train->val"
    predictions: PredictionsRecord | None = None
    metrics: ScoresByName | None = None
    label_free: bool | None = None
    source: Line = ""
    submitter: Line = ""
    created: UtcTime

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.predictions is None and not self.metrics:
            raise ValueError("neither predictions nor metrics; a submission has one of them")
        return self

    def key(self) -> str:
        """The run key, which no result has: nobody takes the place of another's run by a name."""
        return run_key(
            manifest_hash=self.task.manifest_hash,
            feature_identity=self.features.identified(),
            method=self.method.name,
            version=self.method.version,
            params=self.method.params,
            seed=self.seed,
            k=self.k,
            protocol=self.protocol,
            elsewhere=True,
        )


def read_submitted(path: Path) -> ResultRecord | SubmissionRecord:
    """Read a result or a submission; InputError for a file that is neither."""
    models: dict[str, type[StrictModel]] = {RESULT_SCHEMA: ResultRecord, SCHEMA: SubmissionRecord}
    found = read_one_of(path, models, kind=RESULT, repair="write it again")
    assert isinstance(found, (ResultRecord, SubmissionRecord))
    return found
