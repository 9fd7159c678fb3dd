"""Boards made of nothing: entries with scores by a formula, as many as a test needs."""

from __future__ import annotations

import hashlib
from typing import Any

from clusterbench.leaderboard import Entry, Leaderboard
from clusterbench.leaderboard.board.models import BoardBenchmark, TaskDefinition
from clusterbench.results.record import run_key

METRICS = ("acc", "nmi", "ami", "ari")
REFERENCE = "linear-probe"
DEFAULT_METHODS = ("kmeans", "spectral", "temi", "turtle", REFERENCE)


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def share(*parts: object) -> float:
    """A number in [0, 1) that the parts decide."""
    return int(digest(*parts)[:12], 16) / 16**12


def entry(benchmark: str, dataset: str, task: str, method: str, seed: int, **more: Any) -> Entry:
    """A run whose AMI lies around one of its method and task."""
    centre = 0.3 + 0.3 * share(method) + 0.2 * share(benchmark, task)
    encoder = more.pop("encoder", "an-encoder")
    key: dict[str, Any] = {
        "manifest_hash": digest(benchmark, dataset, task),
        "feature_identity": digest(dataset, encoder),
        "method": method,
        "version": 1,
        "params": {"n_init": 3},
        "seed": seed,
        "k": 10,
    } | {name: more.pop(name) for name in ("params", "k", "protocol") if name in more}
    metrics = {m: min(1.0, centre + 0.01 * share(method, task, seed, m)) for m in METRICS}
    fields = {
        **key,
        "key": run_key(**key),
        "benchmark": benchmark,
        "dataset": dataset,
        "task": task,
        "encoder": encoder,
        "reference": method == REFERENCE,
        "metrics": metrics,
        "predictions_sha256": digest(benchmark, dataset, task, method, seed),
        "created": "2026-01-02T03:04:05Z",
        "submitted": "2026-01-03T03:04:05Z",
    }
    return Entry(**(fields | more))


def board(
    methods: tuple[str, ...] = DEFAULT_METHODS,
    benchmarks: tuple[str, ...] = ("imbalanced", "scale"),
    datasets: tuple[str, ...] = ("somewhere",),
    n_tasks: int = 3,
    n_seeds: int = 3,
) -> Leaderboard:
    """Every method on every task with every seed; a reference with one."""
    where = [(b, d) for d in datasets for b in benchmarks]
    tasks = {pair: [f"task-{i}" for i in range(n_tasks)] for pair in where}
    floor = dict.fromkeys(METRICS, 0.0)
    return Leaderboard(
        benchmarks=tuple(
            BoardBenchmark(
                benchmark=b,
                dataset=d,
                tasks=tuple(
                    TaskDefinition(
                        name=task,
                        manifest_hash=digest(b, d, task),
                        n_classes=10,
                        random_floor=floor,
                    )
                    for task in tasks[b, d]
                ),
            )
            for b, d in where
        ),
        entries=tuple(
            entry(b, d, task, method, seed)
            for b, d in where
            for task in tasks[b, d]
            for method in methods
            for seed in range(1 if method == REFERENCE else n_seeds)
        ),
    )
