"""The ranking of a leaderboard: per benchmark and protocol, mean over tasks of that over seeds."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...files import sha256_json
from ...results.protocol import PROTOCOLS
from ...results.record import Protocol
from ..board.models import AGGREGATED as METRICS
from ..board.models import BoardBenchmark, Entry, Leaderboard, PublishedRow

#: Seeds that each task needs at least: 0, 1, 2. More must go on from there without a gap and be the
#: same for every task, so that nobody ranks by the seeds that came out well.
MIN_SEEDS = 3

#: Names and seeds that are listed of what an entrant lacks; the others are counted.
LISTED = 8


@dataclass(frozen=True)
class BoardRow:
    """One entrant: a method, or a reference, with its settings on the features of one encoder.

    rank: None unless complete. means: empty unless every task has what it needs; `missing` says
    what an entrant lacks. tasks: metric means over the seeds submitted, by task.
    reference: a supervised ceiling: never complete, so never ranked, whatever its means.
    """

    method: str
    version: int
    encoder: str
    params: dict[str, Any]
    entrant: str
    k: int | None
    n_tasks: int
    seeds: tuple[int, ...]
    rank: int | None
    means: dict[str, float]
    tasks: dict[str, dict[str, float]]
    missing: str
    reference: bool = False

    @property
    def complete(self) -> bool:
        """Whether it is a method and every task has every seed that an aggregate needs."""
        return not self.missing and not self.reference

    def to_dict(self) -> dict[str, Any]:
        """JSON form; `means` is null for an entrant that lacks something."""
        return {
            "rank": self.rank,
            "method": self.method,
            "version": self.version,
            "encoder": self.encoder,
            "entrant": self.entrant,
            "params": self.params,
            "k": self.k,
            "verified": True,
            "reference": self.reference,
            "complete": self.complete,
            "missing": self.missing or None,
            "n_tasks": self.n_tasks,
            "seeds": list(self.seeds),
            "means": self.means or None,
            "tasks": self.tasks,
        }


@dataclass(frozen=True)
class Ranking:
    """The ranking of one benchmark on one data set under one protocol, references below.

    floor: mean over tasks of a random assignment; empty where the leaderboard does not hold it.
    published: the literature's rows; beside the ranking of "train->val" only.
    """

    benchmark: str
    dataset: str
    protocol: Protocol
    n_tasks: int
    floor: dict[str, float]
    rows: tuple[BoardRow, ...]
    published: tuple[PublishedRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "benchmark": self.benchmark,
            "dataset": self.dataset,
            "protocol": self.protocol,
            "n_tasks": self.n_tasks,
            "random_floor": self.floor,
            "rows": [row.to_dict() for row in self.rows],
            "published": [row.to_dict() for row in self.published],
        }


def rank(board: Leaderboard, benchmark: str | None = None) -> list[Ranking]:
    """Rankings of all benchmarks of a leaderboard, or of one.

    Complete entrants are ranked by mean AMI, equal means share a rank. Entrants that lack a task
    or a seed follow without rank or mean: a mean over fewer tasks is a mean over other tasks.
    References come last and unranked. Entries of another protocol are scored on other rows, so
    they get a ranking of their own, where there are any.
    """
    verified = [entry for entry in board.entries if entry.verified]
    used = {(entry.benchmark, entry.dataset, entry.protocol) for entry in verified}
    return [
        _ranking(known, board, protocol)
        for known in board.benchmarks
        if benchmark is None or known.benchmark == benchmark
        for protocol in PROTOCOLS
        if protocol == PROTOCOLS[0] or (known.benchmark, known.dataset, protocol) in used
    ]


def _ranking(known: BoardBenchmark, board: Leaderboard, protocol: Protocol) -> Ranking:
    current = {task.name: task.manifest_hash for task in known.tasks}
    sizes = {task.name: task.n_classes for task in known.tasks}
    groups: dict[str, list[Entry]] = {}
    for entry in board.entries:
        where = (entry.benchmark, entry.dataset, entry.protocol)
        if where != (known.benchmark, known.dataset, protocol) or not entry.verified:
            continue
        if current.get(entry.task) == entry.manifest_hash:
            groups.setdefault(_entrant(entry, sizes), []).append(entry)
    rows = [_row(entrant, group, known, sizes) for entrant, group in groups.items()]
    complete = sorted(
        (row for row in rows if row.complete), key=lambda row: (-row.means[METRICS[0]], row.entrant)
    )
    partial = sorted(
        (row for row in rows if not row.complete),
        key=lambda row: (row.reference, -row.n_tasks, row.method, row.encoder, row.entrant),
    )
    return Ranking(
        benchmark=known.benchmark,
        dataset=known.dataset,
        protocol=protocol,
        n_tasks=len(known.tasks),
        floor=_floor(known, protocol),
        rows=(*_numbered(complete), *partial),
        published=tuple(
            row
            for row in board.published
            if row.benchmark == known.benchmark and protocol == PROTOCOLS[0]
        ),
    )


def _floor(known: BoardBenchmark, protocol: Protocol) -> dict[str, float]:
    transductive = protocol == "transductive"
    floors = [task.train_floor if transductive else task.random_floor for task in known.tasks]
    held = [floor for floor in floors if floor is not None]
    if len(held) < len(floors):
        return {}
    return {name: statistics.fmean(floor[name] for floor in held) for name in METRICS}


def _entrant(entry: Entry, sizes: dict[str, int]) -> str:
    fields = {
        "method": entry.method,
        "version": entry.version,
        "params": entry.params,
        "features": entry.feature_identity,
        "k": None if entry.k == sizes[entry.task] else entry.k,
    }
    # Only where they differ from what every entry was before there were protocols and references.
    if entry.protocol != PROTOCOLS[0]:
        fields["protocol"] = entry.protocol
    if entry.reference:
        fields["reference"] = True
    return sha256_json(fields)


def _row(
    entrant: str, group: list[Entry], known: BoardBenchmark, sizes: dict[str, int]
) -> BoardRow:
    by_task: dict[str, list[Entry]] = {}
    for entry in group:
        by_task.setdefault(entry.task, []).append(entry)
    tasks = {
        name: {m: statistics.fmean(e.metrics[m] for e in by_task[name]) for m in METRICS}
        for name in sizes
        if name in by_task
    }
    missing = _missing(by_task, known)
    means = {} if missing else _means(tasks.values())
    first = group[0]
    return BoardRow(
        method=first.method,
        version=first.version,
        encoder=first.encoder,
        params=dict(first.params),
        entrant=entrant[:12],
        k=None if first.k == sizes[first.task] else first.k,
        n_tasks=len(tasks),
        seeds=tuple(sorted({entry.seed for entry in group})),
        rank=None,
        means=means,
        tasks=tasks,
        missing=missing,
        reference=first.reference,
    )


def _missing(by_task: dict[str, list[Entry]], known: BoardBenchmark) -> str:
    absent = [task.name for task in known.tasks if task.name not in by_task]
    if absent:
        return f"{len(absent)} of {len(known.tasks)} tasks ({_listed(absent, len(absent))})"
    if all(entry.reference for group in by_task.values() for entry in group):
        return ""  # a reference has no seeds to choose among
    last = max(entry.seed for group in by_task.values() for entry in group)
    lacking = {
        name: _lacking({entry.seed for entry in group}, max(MIN_SEEDS, last + 1))
        for name, group in by_task.items()
    }
    short = [f"{name}: {seeds}" for name, seeds in lacking.items() if seeds]
    if not short:
        return ""
    more = f" and {len(short) - 1} more tasks" if len(short) > 1 else ""
    return f"seeds ({short[0]}{more})"


def _lacking(seeds: set[int], n: int) -> str:
    """Which of the seeds 0 to n - 1 are not there; takes no longer for a larger n."""
    first = (str(seed) for seed in range(n) if seed not in seeds)
    return _listed(list(itertools.islice(first, LISTED)), n - len(seeds))


def _listed(names: list[str], total: int) -> str:
    more = f" and {total - LISTED:,} more" if total > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _means(tasks: Iterable[dict[str, float]]) -> dict[str, float]:
    rows = list(tasks)
    return {name: statistics.fmean(row[name] for row in rows) for name in METRICS}


def _numbered(rows: list[BoardRow]) -> list[BoardRow]:
    numbered: list[BoardRow] = []
    for position, row in enumerate(rows, start=1):
        tied = numbered and numbered[-1].means[METRICS[0]] == row.means[METRICS[0]]
        numbered.append(replace(row, rank=numbered[-1].rank if tied else position))
    return numbered
