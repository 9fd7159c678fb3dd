"""Who is on a ranking: entries grouped into entrants, and what each of them lacks."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...files import sha256_json
from ...results.protocol import PROTOCOLS
from ..board.deviations import decoded
from ..board.models import AGGREGATED as METRICS
from ..board.models import Entry
from .model import BoardRow, RankedTask

#: Seeds that each task needs at least: 0, 1, 2. More must go on from there without a gap and be the
#: same for every task of a benchmark, so that nobody ranks by the seeds that came out well.
MIN_SEEDS = 3

#: Names and seeds that are listed of what an entrant lacks; the others are counted.
LISTED = 8


@dataclass(frozen=True, eq=False)
class Entrant:
    """A row without places, and the numbers that places are made of.

    Attributes:
        row: what is known without the others.
        scores: (n_tasks, n_seeds) float64 AMI, in the order of the ranking's tasks; None for an
            entrant that lacks something.
        deviations: (n_tasks, n_seeds, n_subsets) float64, of those; None where one has none.
    """

    row: BoardRow
    scores: np.ndarray | None = None
    deviations: np.ndarray | None = None


def entrant_key(entry: Entry, n_classes: int, *, any_features: bool = False) -> str:
    """What entries of one entrant have in common, hashed.

    Args:
        entry: of a task.
        n_classes: of the task: K is either that of each task, or a number.
        any_features: features do not tell entrants apart, since a ranking over data sets takes one
            encoder's on each.
    """
    fields = {
        "method": entry.method,
        "version": entry.version,
        "params": entry.params,
        "features": "" if any_features else entry.feature_identity,
        "k": None if entry.k == n_classes else entry.k,
    }
    # Only where they differ from what every entry was before there was any of them.
    if entry.protocol != PROTOCOLS[0]:
        fields["protocol"] = entry.protocol
    if entry.reference:
        fields["reference"] = True
    if entry.elsewhere:
        fields["elsewhere"] = True
    return sha256_json(fields)


def entrants(
    entries: Iterable[Entry], tasks: Sequence[RankedTask], *, any_features: bool = False
) -> list[Entrant]:
    """The entrants among entries, in the order of their first entry.

    Args:
        entries: of one protocol; those of other tasks, or of another definition of one, are left
            out.
        tasks: of the ranking.
        any_features: as for `entrant_key`.
    """
    known = {(t.benchmark, t.dataset, t.task, t.manifest_hash): t for t in tasks}
    groups: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries:
        task = known.get((entry.benchmark, entry.dataset, entry.task, entry.manifest_hash))
        if task is not None:
            key = entrant_key(entry, task.n_classes, any_features=any_features)
            groups.setdefault(key, {}).setdefault(task.key, []).append(entry)
    return [_entrant(key, group, tasks, any_features) for key, group in groups.items()]


def _entrant(
    key: str, group: dict[str, list[Entry]], tasks: Sequence[RankedTask], any_features: bool
) -> Entrant:
    by_task = {
        task.key: sorted(group[task.key], key=lambda e: (e.seed, e.key))
        for task in tasks
        if task.key in group
    }
    missing = _missing(by_task, tasks)
    if not missing:
        by_task = _common_seeds(by_task)
    everything = [entry for entries in by_task.values() for entry in entries]
    first = everything[0]
    first_task = next(task for task in tasks if task.key in by_task)
    means = {name: _means(entries) for name, entries in by_task.items()}
    whole = not missing and all(set(METRICS) <= set(of_task) for of_task in means.values())
    row = BoardRow(
        method=first.method,
        version=first.version,
        encoder="" if any_features else first.encoder,
        params=dict(first.params),
        entrant=key[:12],
        k=None if first.k == first_task.n_classes else first.k,
        n_tasks=len(by_task),
        seeds=tuple(sorted({entry.seed for entry in everything})),
        means=_weighted(means, tasks) if whole else {},
        tasks=means,
        missing=missing,
        reference=first.reference,
        status="verified" if all(e.verified for e in everything) else "self-reported",
        label_free=_label_free(everything),
        features="" if any_features else first.feature_identity,
        scores={
            name: {str(e.seed): {m: e.metrics[m] for m in METRICS if m in e.metrics} for e in of}
            for name, of in by_task.items()
        },
        entries=tuple(everything),
    )
    if not whole:
        return Entrant(row)
    scores = np.array([[e.metrics[METRICS[0]] for e in by_task[t.key]] for t in tasks])
    if any(entry.resampled is None for entry in everything):
        return Entrant(row, scores)
    deviations = [[decoded(e.resampled or "") for e in by_task[task.key]] for task in tasks]
    return Entrant(row, scores, np.array(deviations))


def _label_free(entries: list[Entry]) -> bool | None:
    said = {entry.label_free for entry in entries}
    if False in said or entries[0].reference:
        return False
    return None if None in said else True


def _means(entries: list[Entry]) -> dict[str, float]:
    shared = [m for m in METRICS if all(m in entry.metrics for entry in entries)]
    return {m: statistics.fmean(entry.metrics[m] for entry in entries) for m in shared}


def _weighted(
    means: Mapping[str, Mapping[str, float]], tasks: Sequence[RankedTask]
) -> dict[str, float]:
    if len({task.weight for task in tasks}) == 1:  # exact where it can be
        return {m: statistics.fmean(means[task.key][m] for task in tasks) for m in METRICS}
    return {m: sum(task.weight * means[task.key][m] for task in tasks) for m in METRICS}


def _common_seeds(by_task: dict[str, list[Entry]]) -> dict[str, list[Entry]]:
    """Of benchmarks with different numbers of seeds, those that all tasks have."""
    if all(entry.reference for entries in by_task.values() for entry in entries):
        return {name: entries[:1] for name, entries in by_task.items()}
    n_seeds = min(len(entries) for entries in by_task.values())
    return {name: entries[:n_seeds] for name, entries in by_task.items()}


def _missing(by_task: dict[str, list[Entry]], tasks: Sequence[RankedTask]) -> str:
    absent = [task.key for task in tasks if task.key not in by_task]
    if absent:
        return f"{len(absent)} of {len(tasks)} tasks ({_listed(absent, len(absent))})"
    if all(entry.reference for group in by_task.values() for entry in group):
        return ""  # a reference has no seeds to choose among
    short = []
    for place in dict.fromkeys((task.benchmark, task.dataset) for task in tasks):
        seeds = {
            task.key: {entry.seed for entry in by_task[task.key]}
            for task in tasks
            if (task.benchmark, task.dataset) == place
        }
        n = max(MIN_SEEDS, 1 + max(max(of_task) for of_task in seeds.values()))
        lacking = {name: _lacking(of_task, n) for name, of_task in seeds.items()}
        short += [f"{name}: {listed}" for name, listed in lacking.items() if listed]
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
