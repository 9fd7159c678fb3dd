"""What `run` returns: every planned run with what became of it, summed up over seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...neighbours.kept import Tally
from ...results.record import Protocol, ResultRecord
from ..forecast import Forecast
from ..plan import FeatureSource, Strategy
from ..survey import count_states
from .outcome import Outcome
from .summary import Heading, TaskSummary, summarise
from .top_summary import TopSummary, summarise_top

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, eq=False)
class RunReport:
    """All runs of a request. `print(report)` shows the table of means over seeds.

    left_out: a line for each task that any data set may have and this one cannot satisfy.
    """

    benchmark: str
    dataset: str
    features: FeatureSource
    preset: str
    seeds: tuple[int, ...]
    protocol: Protocol
    strategy: Strategy
    results: Path
    dry_run: bool
    outcomes: tuple[Outcome, ...]
    #: How long it was said to take; None where nothing was to be computed, or no one asked.
    forecast: Forecast | None = None
    left_out: tuple[str, ...] = ()
    #: What became of the nearest neighbours that methods asked for.
    graphs: Tally = field(default_factory=Tally)

    @property
    def records(self) -> list[ResultRecord]:
        """Records of all runs that have one, failures included."""
        return [outcome.record for outcome in self.outcomes if outcome.record is not None]

    @property
    def failures(self) -> list[Outcome]:
        """Runs whose record is a failure."""
        return [outcome for outcome in self.outcomes if outcome.failure]

    @property
    def ok(self) -> bool:
        """Whether every planned run is a success."""
        return all(outcome.status == "success" for outcome in self.outcomes)

    @property
    def n_computed(self) -> int:
        """Runs computed by this call."""
        return sum(outcome.computed for outcome in self.outcomes)

    @property
    def n_reused(self) -> int:
        """Successful runs that were there already and were not computed again."""
        return sum(o.before == "success" and not o.to_compute for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """JSON form: the request, counts, the table of means, and every run."""
        tops = summarise_top(self.outcomes)
        return {
            "schema": "clusterbench-report/1",
            "benchmark": self.benchmark,
            "dataset": self.dataset,
            "encoder": self.features.encoder,
            "feature_identity": self.features.identity,
            "preset": self.preset,
            "seeds": list(self.seeds),
            "protocol": self.protocol,
            "overwrite_strategy": self.strategy,
            "results": self.results.as_posix(),
            "dry_run": self.dry_run,
            "counts": {
                "planned": len(self.outcomes),
                "computed": self.n_computed,
                "reused": self.n_reused,
                "to_compute": sum(o.to_compute for o in self.outcomes),
                "before": count_states(o.before for o in self.outcomes),
                "now": count_states(o.status for o in self.outcomes),
            },
            "time": self.forecast.to_dict() if self.forecast else None,
            "tasks": [
                {**task.to_dict(), "ranked": tops[task.task].to_dict()}
                if task.task in tops
                else task.to_dict()
                for task in summarise(self.outcomes)
            ],
            "runs": [outcome.to_dict() for outcome in self.outcomes],
        }

    def table(self) -> RenderableType:
        """The table of means over seeds, for a Rich console."""
        from .means_table import render

        return render(*self._summaries())

    def text(self, width: int = 80) -> str:
        """The table as plain text without colours."""
        from .means_table import render_text

        return render_text(*self._summaries(), width=width)

    def __str__(self) -> str:
        return self.text()

    def _summaries(self) -> tuple[Heading, list[TaskSummary], list[TopSummary]]:
        heading = Heading(
            self.benchmark, self.dataset, self.features.encoder, self.seeds, self.protocol
        )
        return heading, summarise(self.outcomes), list(summarise_top(self.outcomes).values())
