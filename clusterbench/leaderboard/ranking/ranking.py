"""The rankings of a board: of a task, of a benchmark, of a data set, and over data sets."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...results.protocol import PROTOCOLS
from ...results.record import Protocol
from ..board.models import AGGREGATED as METRICS
from ..board.models import BoardBenchmark, Entry, Leaderboard, PublishedRow
from .entrants import Entrant, entrants
from .flags import flags_of
from .model import RankedTask, Ranking, Scope
from .placing import placed

#: Methods that must be complete on a benchmark of a data set before it counts in an aggregate, so
#: that a benchmark that one person has run does not make everyone else incomplete.
METHODS_TO_COUNT = 2


def rank(
    board: Leaderboard, benchmark: str | None = None, *, by_encoder: bool = False
) -> list[Ranking]:
    """Rankings of all benchmarks of a leaderboard, or of one: one for each data set.

    Complete entrants are ranked by the mean over tasks of the mean over seeds of AMI, which is
    adjusted for chance, so that tasks with few and many classes can be averaged. Entrants that
    cannot be told apart share a place (`model.BoardRow`, `differences`, `ties`). Entrants that lack
    a task or a seed follow without a place or a mean: a mean over fewer tasks is a mean over other
    tasks. References come last and unranked. Entries of another protocol are scored on other rows,
    so they get a ranking of their own, where there are any.

    Args:
        board: as read.
        benchmark: its name; by default all.
        by_encoder: a ranking for each encoder instead of one for all, so that methods are compared
            on the same features.
    """
    return [
        ranking
        for known, protocol in _places(board, benchmark)
        for ranking in _rankings(
            board, "benchmark", _tasks([known], protocol), protocol, by_encoder=by_encoder
        )
    ]


def rank_tasks(
    board: Leaderboard,
    benchmark: str | None = None,
    task: str | None = None,
    *,
    by_encoder: bool = False,
) -> list[Ranking]:
    """Rankings of single tasks, as `rank` makes them of benchmarks.

    Args:
        board: as read.
        benchmark: its name; by default all.
        task: its name; by default all.
        by_encoder: as for `rank`.
    """
    return [
        ranking
        for known, protocol in _places(board, benchmark)
        for of_task in _tasks([known], protocol)
        if task is None or of_task.task == task
        for ranking in _rankings(
            board, "task", (replace(of_task, weight=1.0),), protocol, by_encoder=by_encoder
        )
    ]


def rank_overall(board: Leaderboard, *, by_encoder: bool = False) -> list[Ranking]:
    """Rankings over benchmarks: of each data set, and over all data sets where there are several.

    Each benchmark on a data set weighs the same, however many tasks it has, and so do its tasks.
    One counts once `METHODS_TO_COUNT` methods are complete on it. Over data sets, whose features
    are never the same, an entrant is a method with its settings, on each data set on the features
    of one encoder: the one that most methods were run on (`Ranking.features`). Of benchmarks with
    different numbers of seeds, the seeds that all have count.

    Args:
        board: as read.
        by_encoder: a ranking for each encoder; over data sets, those that have its features count.
    """
    found: list[Ranking] = []
    for protocol in PROTOCOLS:
        entries = [entry for entry in board.entries if entry.protocol == protocol]
        used = {(entry.benchmark, entry.dataset) for entry in entries}
        known = [b for b in board.benchmarks if (b.benchmark, b.dataset) in used]
        datasets = list(dict.fromkeys(b.dataset for b in known))
        for dataset in datasets:
            of_dataset = [b for b in known if b.dataset == dataset]
            for encoder in _encoders(entries, [dataset]) if by_encoder else [""]:
                chosen = [e for e in entries if not encoder or e.encoder == encoder]
                found += _aggregate(board, "dataset", of_dataset, chosen, protocol, encoder)
        if len(datasets) > 1:
            for encoder in _encoders(entries, datasets) if by_encoder else [""]:
                chosen = [e for e in entries if not encoder or e.encoder == encoder]
                found += _aggregate(board, "overall", known, chosen, protocol, encoder)
    return found


def _places(board: Leaderboard, benchmark: str | None) -> Iterator[tuple[BoardBenchmark, Protocol]]:
    used = {(entry.benchmark, entry.dataset, entry.protocol) for entry in board.entries}
    for known in board.benchmarks:
        if benchmark is None or known.benchmark == benchmark:
            for protocol in PROTOCOLS:
                if protocol == PROTOCOLS[0] or (known.benchmark, known.dataset, protocol) in used:
                    yield known, protocol


def _tasks(known: Sequence[BoardBenchmark], protocol: Protocol) -> tuple[RankedTask, ...]:
    """Their tasks, each benchmark with the same weight."""
    transductive = protocol == "transductive"
    return tuple(
        RankedTask(
            key=task.name if len(known) == 1 else f"{b.benchmark}/{b.dataset}/{task.name}",
            benchmark=b.benchmark,
            dataset=b.dataset,
            task=task.name,
            manifest_hash=task.manifest_hash,
            n_classes=task.n_classes,
            weight=1 / len(known) / len(b.tasks),
            floor={m: floor[m] for m in METRICS}
            if (floor := task.train_floor if transductive else task.random_floor)
            else {},
        )
        for b in known
        for task in b.tasks
    )


def _aggregate(
    board: Leaderboard,
    scope: Scope,
    known: Sequence[BoardBenchmark],
    entries: Sequence[Entry],
    protocol: Protocol,
    encoder: str,
) -> list[Ranking]:
    features: dict[str, str] = {}
    if scope == "overall":
        chosen = {dataset: _most_used(entries, dataset) for dataset in {b.dataset for b in known}}
        entries = [e for e in entries if e.feature_identity == chosen[e.dataset][1]]
        features = {dataset: name for dataset, (name, _) in sorted(chosen.items()) if name}
    counted = [b for b in known if _counts(b, entries, protocol)]
    left_out = tuple(f"{b.benchmark}/{b.dataset}" for b in known if b not in counted)
    tasks = _tasks(counted, protocol)
    if len(counted) == 1:  # named in full, as in every aggregate
        tasks = tuple(
            replace(task, key=f"{task.benchmark}/{task.dataset}/{task.task}") for task in tasks
        )
    return _rankings(
        board,
        scope,
        tasks,
        protocol,
        entries=entries,
        dataset=known[0].dataset if scope == "dataset" else "",
        encoder=encoder,
        features=features,
        left_out=left_out,
    )


def _counts(known: BoardBenchmark, entries: Sequence[Entry], protocol: Protocol) -> bool:
    rows = [entrant.row for entrant in entrants(entries, _tasks([known], protocol))]
    return len({row.method for row in rows if row.complete}) >= METHODS_TO_COUNT


def _encoders(entries: Sequence[Entry], datasets: Sequence[str]) -> list[str]:
    return sorted({entry.encoder for entry in entries if entry.dataset in datasets})


def _most_used(entries: Sequence[Entry], dataset: str) -> tuple[str, str]:
    """Encoder and identity of the features that most methods were run on; then most entries."""
    methods: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if entry.dataset == dataset and not entry.reference:
            methods.setdefault((entry.encoder, entry.feature_identity), []).append(entry.method)
    order = sorted(methods, key=lambda f: (-len(set(methods[f])), -len(methods[f]), f))
    return order[0] if order else ("", "")


def _rankings(
    board: Leaderboard,
    scope: Scope,
    tasks: tuple[RankedTask, ...],
    protocol: Protocol,
    *,
    entries: Sequence[Entry] | None = None,
    by_encoder: bool = False,
    dataset: str = "",
    encoder: str = "",
    features: dict[str, str] | None = None,
    left_out: tuple[str, ...] = (),
) -> list[Ranking]:
    chosen = board.entries if entries is None else entries
    found = entrants(
        (entry for entry in chosen if entry.protocol == protocol),
        tasks,
        any_features=scope == "overall",
    )
    flags = flags_of([entrant.row for entrant in found], tasks)
    found = [
        replace(entrant, row=replace(entrant.row, flags=of))
        for entrant, of in zip(found, flags, strict=True)
    ]
    return [
        _ranking(board, scope, tasks, protocol, members, dataset, name, features or {}, left_out)
        for name, members in (_by_encoder(found) if by_encoder else [(encoder, found)])
    ]


def _by_encoder(found: list[Entrant]) -> list[tuple[str, list[Entrant]]]:
    """Entrants on the same features; where an encoder has several, its name and their hash."""
    groups: dict[tuple[str, str], list[Entrant]] = {}
    for entrant in found:
        groups.setdefault((entrant.row.encoder, entrant.row.features), []).append(entrant)
    names = [encoder for encoder, _ in groups]
    return [
        (encoder if names.count(encoder) == 1 else f"{encoder} {identity[:6]}", groups[key])
        for key in sorted(groups)
        for encoder, identity in [key]
    ]


def _ranking(
    board: Leaderboard,
    scope: Scope,
    tasks: tuple[RankedTask, ...],
    protocol: Protocol,
    found: list[Entrant],
    dataset: str,
    encoder: str,
    features: dict[str, str],
    left_out: tuple[str, ...],
) -> Ranking:
    rows, pairs = placed(found, tasks)
    narrow = scope in ("task", "benchmark")
    bare = any(row.complete and row.deviations is None for row in rows)
    return Ranking(
        scope=scope,
        benchmark=tasks[0].benchmark if narrow else "",
        dataset=tasks[0].dataset if narrow else dataset,
        task=tasks[0].task if scope == "task" else "",
        protocol=protocol,
        encoder=encoder,
        features=features,
        tasks=tasks,
        left_out=left_out,
        floor=_floor(tasks),
        rows=rows,
        basis="seeds" if bare else "images and seeds",
        pairs=pairs,
        published=tuple(p for p in board.published if _is_beside(p, scope, tasks, protocol)),
    )


def _floor(tasks: Sequence[RankedTask]) -> dict[str, float]:
    if not tasks or not all(task.floor for task in tasks):
        return {}
    if len({task.weight for task in tasks}) == 1:
        return {m: statistics.fmean(task.floor[m] for task in tasks) for m in METRICS}
    return {m: sum(task.weight * task.floor[m] for task in tasks) for m in METRICS}


def _is_beside(
    row: PublishedRow, scope: Scope, tasks: Sequence[RankedTask], protocol: Protocol
) -> bool:
    if scope not in ("benchmark", "task") or protocol != PROTOCOLS[0]:
        return False
    dataset, task = getattr(row, "dataset", None), getattr(row, "task", None)
    fits = row.benchmark == tasks[0].benchmark and dataset in (None, tasks[0].dataset)
    return fits and (scope == "benchmark" or task == tasks[0].task)
