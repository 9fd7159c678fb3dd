"""The leaderboard as one JSON file: `clusterbench-leaderboard/1`."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import FailFast, Field, model_validator
from typing_extensions import Self

from ...errors import InputError, StorageError
from ...files import atomic_path
from ...limits import BOARD
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
from ...results.schema import StrictModel, read_model
from .deviations import Resampled

SCHEMA = "clusterbench-leaderboard/1"

#: Metrics that are aggregated, so that every entry and floor has them; the first one ranks.
AGGREGATED = ("ami", "acc")


class Entry(StrictModel):
    """One submitted run whose scores were computed again from its predictions."""

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
    predictions_sha256: Sha256
    resampled: Resampled | None = None  # AMI on subsets of the scored rows less `metrics["ami"]`
    verified: Literal[True] = True
    created: UtcTime
    submitted: UtcTime

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _has_aggregated(self.metrics, "metrics")
        key = run_key(
            manifest_hash=self.manifest_hash,
            feature_identity=self.feature_identity,
            method=self.method,
            version=self.version,
            params=self.params,
            seed=self.seed,
            k=self.k,
            protocol=self.protocol,
        )
        if key != self.key:
            raise ValueError(
                f"run key {self.key[:12]}, but its fields give {key[:12]}: the entry was edited"
            )
        return self


class PublishedRow(StrictModel):
    """A row of the literature: shown with its backbone and source, never ranked."""

    benchmark: Name
    method: Name
    backbone: Name
    metrics: ScoresByName
    source: Line
    verified: Literal[False] = False


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
        _has_aggregated(self.random_floor, "random_floor")
        if self.train_floor is not None:
            _has_aggregated(self.train_floor, "train_floor")
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
    """All benchmarks with submissions, all entries sorted by place, and the published rows."""

    schema_: Literal["clusterbench-leaderboard/1"] = Field(
        default="clusterbench-leaderboard/1", alias="schema"
    )
    benchmarks: Annotated[tuple[BoardBenchmark, ...], FailFast()] = ()
    entries: Annotated[tuple[Entry, ...], FailFast()] = ()
    published: Annotated[tuple[PublishedRow, ...], FailFast()] = ()

    @model_validator(mode="after")
    def _each_run_once(self) -> Self:
        _each_once("benchmark", ((b.benchmark, b.dataset) for b in self.benchmarks))
        _each_once("run", (entry.key for entry in self.entries))
        return self


def _has_aggregated(metrics: dict[str, float], where: str) -> None:
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


def read_leaderboard(path: Path) -> Leaderboard:
    """Read a leaderboard.

    Raises InputError when it is missing, truncated, beyond the limits of size, or not a
    leaderboard: an entry without the aggregated metrics or whose key its own fields do not give, a
    run, a task or a benchmark that occurs twice.
    """
    return read_model(
        path,
        Leaderboard,
        kind=BOARD,
        schema=SCHEMA,
        repair="restore it from a copy, or submit the results to a new file",
    )


def write_leaderboard(path: Path, board: Leaderboard) -> None:
    """Write a leaderboard atomically, after its own reader has read it.

    Raises:
        InputError: the reader refuses it, such as one that has grown too large; `path` is as it
            was.
        StorageError: it cannot be written.
    """
    path = Path(path)
    text = json.dumps(board.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode())
        try:
            again = read_leaderboard(temporary)
        except InputError as error:
            reason = str(error).replace(str(temporary), "it")
            raise InputError(
                f"{path}: with these entries nobody could read it ({reason}); it is as it was"
            ) from error
        if again != board:
            raise StorageError(f"{path}: reads back otherwise than it was written; it is as it was")
