"""Leaderboards as they were written before entries had a status: `clusterbench-leaderboard/1`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import FailFast, Field, model_validator
from typing_extensions import Self

from ...results.fields import Line, Name, ScoresByName, Sha256
from ...results.schema import StrictModel
from .models import BoardBenchmark, Entry, Leaderboard, PublishedRow, RunFields, has_aggregated

SCHEMA = "clusterbench-leaderboard/1"


class EntryVersion1(RunFields):
    """An entry; all were verified."""

    predictions_sha256: Sha256
    verified: Literal[True] = True

    @model_validator(mode="after")
    def _whole(self) -> Self:
        has_aggregated(self.metrics, "metrics")
        return self


class PublishedRowVersion1(StrictModel):
    """A row of the literature."""

    benchmark: Name
    method: Name
    backbone: Name
    metrics: ScoresByName
    source: Line
    verified: Literal[False] = False


class LeaderboardVersion1(StrictModel):
    """The whole file."""

    schema_: Literal["clusterbench-leaderboard/1"] = Field(
        default="clusterbench-leaderboard/1", alias="schema"
    )
    benchmarks: Annotated[tuple[BoardBenchmark, ...], FailFast()] = ()
    entries: Annotated[tuple[EntryVersion1, ...], FailFast()] = ()
    published: Annotated[tuple[PublishedRowVersion1, ...], FailFast()] = ()

    def today(self) -> Leaderboard:
        """The same as it is written now; ValidationError where a run or a row occurs twice."""
        return Leaderboard(
            benchmarks=self.benchmarks,
            entries=tuple(
                Entry(**_fields(entry), label_free=not entry.reference) for entry in self.entries
            ),
            published=tuple(PublishedRow(**_fields(row)) for row in self.published),
        )


def _fields(model: StrictModel) -> dict[str, Any]:
    """Fields and their values, nested models as they are, without what became the status."""
    return {name: value for name, value in model if name != "verified"}
