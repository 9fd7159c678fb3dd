"""What methods say about their fits without any label: diagnostics, warnings, seconds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .collected import ReportRun
from .sections import Contender, Section


@dataclass(frozen=True)
class StageSeconds:
    """Seconds of one run, the median over the runs that have them; None where none has."""

    fit: float | None
    predict: float | None
    score: float | None


@dataclass(frozen=True)
class DiagnosticSpread:
    """A number that a method reports: over runs, the median, the smallest and the largest."""

    name: str
    n_runs: int
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class FitFacts:
    """One contender over all tasks of a section.

    Attributes:
        n_runs: runs, failed ones included; n_failed of them.
        seconds: of the stages.
        numbers: diagnostics that are single numbers, yes and no as 1 and 0, by name.
        other: names of the diagnostics of another form, such as curves of losses.
        warnings: each text with the number of runs that gave it, most frequent first.
        devices: what the runs were made on.
    """

    n_runs: int
    n_failed: int
    seconds: StageSeconds
    numbers: tuple[DiagnosticSpread, ...]
    other: tuple[str, ...]
    warnings: tuple[tuple[str, int], ...]
    devices: tuple[str, ...]


def fit_facts(section: Section) -> dict[Contender, FitFacts]:
    """The facts of each contender, in the order of the section."""
    runs: dict[Contender, list[ReportRun]] = {contender: [] for contender in section.contenders}
    for task in section.tasks:
        for contender, cell in task.cells.items():
            runs[contender] += cell.runs
    return {contender: _facts(members) for contender, members in runs.items()}


def _facts(runs: Sequence[ReportRun]) -> FitFacts:
    timings = [run.record.timings for run in runs]
    numbers: dict[str, list[float]] = {}
    other: dict[str, None] = {}
    for run in runs:
        for name, value in run.record.diagnostics.items():
            if isinstance(value, (int, float)):
                numbers.setdefault(name, []).append(float(value))
            elif name != "warnings":
                other[name] = None
    return FitFacts(
        n_runs=len(runs),
        n_failed=sum(run.failed for run in runs),
        seconds=StageSeconds(
            _median([one.fit for one in timings]),
            _median([one.predict for one in timings]),
            _median([one.score for one in timings]),
        ),
        numbers=tuple(
            DiagnosticSpread(name, len(v), statistics.median(v), min(v), max(v))
            for name, v in numbers.items()
        ),
        other=tuple(other),
        warnings=tuple(_told(runs).most_common()),
        devices=tuple(sorted({_device(run) for run in runs})),
    )


def _told(runs: Sequence[ReportRun]) -> Counter[str]:
    """Warnings of the library and of the method itself, each once per run."""
    found: Counter[str] = Counter()
    for run in runs:
        own = run.record.diagnostics.get("warnings")
        texts = [str(text) for text in own] if isinstance(own, list) else []
        found.update(list(dict.fromkeys([*run.record.warnings, *texts])))
    return found


def _device(run: ReportRun) -> str:
    made = run.record.environment
    threads = f"{made.threads} thread{'' if made.threads == 1 else 's'}"
    return f"{made.device_name or made.device}, {threads}"


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


@dataclass(frozen=True)
class MadeWith:
    """Values of one field of the environment and how many runs have each, most frequent first."""

    field: str
    values: tuple[tuple[str, int], ...]


def environments(runs: Sequence[ReportRun]) -> list[MadeWith]:
    """What the runs were made with, field by field."""
    fields: dict[str, Counter[str]] = {}
    for run in runs:
        made = run.record.environment
        values: Mapping[str, str | None] = {
            "clusterbench": made.clusterbench,
            "git commit": made.git_commit and made.git_commit[:12],
            "Python": made.python,
            "platform": made.platform,
            "device": f"{made.device} ({made.device_name})" if made.device_name else made.device,
            "threads": str(made.threads),
            "processes": str(made.processes),
            **made.packages,
        }
        for name, value in values.items():
            fields.setdefault(name, Counter())[value or "not recorded"] += 1
    return [MadeWith(name, tuple(counter.most_common())) for name, counter in fields.items()]
