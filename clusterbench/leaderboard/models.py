"""The leaderboard as one JSON file: `clusterbench-leaderboard/1`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from ..limits import BOARD
from ..results.record import Protocol, Sha256, TopRecord, UtcTime
from ..results.schema import StrictModel, read_model

SCHEMA = "clusterbench-leaderboard/1"


class Entry(StrictModel):
    """One submitted run whose scores were computed again from its predictions."""

    key: Sha256
    benchmark: str
    dataset: str
    task: str
    manifest_hash: Sha256
    encoder: str
    feature_identity: str
    method: str
    version: int
    params: dict[str, JsonValue]
    seed: Annotated[int, Field(ge=0)]
    k: Annotated[int, Field(ge=1)]
    protocol: Protocol = "train->val"
    reference: bool = False  # a supervised ceiling: shown beside the ranking, never in it
    metrics: dict[str, float]
    ranked: TopRecord | None = None
    predictions_sha256: Sha256
    verified: Literal[True] = True
    created: UtcTime
    submitted: UtcTime


class PublishedRow(StrictModel):
    """A row of the literature: shown with its backbone and source, never ranked."""

    benchmark: str
    method: str
    backbone: str
    metrics: dict[str, float]
    source: str
    verified: Literal[False] = False


class TaskDefinition(StrictModel):
    """A task that an aggregate must cover, as submissions were checked against it.

    random_floor, train_floor: metrics of a random assignment to as many clusters as classes, of the
    evaluation rows, and of the training rows once there is a transductive entry.
    """

    name: str
    manifest_hash: Sha256
    n_classes: Annotated[int, Field(ge=1)]
    random_floor: dict[str, float]
    train_floor: dict[str, float] | None = None


class BoardBenchmark(StrictModel):
    """A benchmark on a data set: all its tasks, in order."""

    benchmark: str
    dataset: str
    tasks: tuple[TaskDefinition, ...]


class Leaderboard(StrictModel):
    """All benchmarks with submissions, all entries sorted by place, and the published rows."""

    schema_: Literal["clusterbench-leaderboard/1"] = Field(
        default="clusterbench-leaderboard/1", alias="schema"
    )
    benchmarks: tuple[BoardBenchmark, ...] = ()
    entries: tuple[Entry, ...] = ()
    published: tuple[PublishedRow, ...] = ()


def read_leaderboard(path: Path) -> Leaderboard:
    """Read a leaderboard; InputError when it is missing, truncated or not a leaderboard."""
    return read_model(
        path,
        Leaderboard,
        kind=BOARD,
        schema=SCHEMA,
        repair="restore it from a copy, or submit the results to a new file",
    )
