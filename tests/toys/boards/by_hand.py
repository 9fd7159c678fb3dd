"""Boards whose entries are written down by hand: scores by task and seed, deviations as wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clusterbench.leaderboard import Entry, Leaderboard
from clusterbench.leaderboard.board.deviations import encoded
from clusterbench.leaderboard.board.models import BoardBenchmark, TaskDefinition
from clusterbench.metrics.uncertainty.subsets import N_SUBSETS
from clusterbench.results.record import run_key

FLOOR = {"ami": 0.0, "acc": 0.1}


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def benchmark(
    name: str = "b",
    dataset: str = "d",
    tasks: Sequence[str] = ("t1", "t2"),
    floors: Mapping[str, float] | None = None,
) -> BoardBenchmark:
    return BoardBenchmark(
        benchmark=name,
        dataset=dataset,
        tasks=tuple(
            TaskDefinition(
                name=task,
                manifest_hash=sha(f"{name}/{dataset}/{task}"),
                n_classes=10,
                random_floor={"ami": (floors or {}).get(task, 0.0), "acc": 0.1},
            )
            for task in tasks
        ),
    )


def entry(
    method: str,
    ami: float,
    *,
    task: str = "t1",
    seed: int = 0,
    of: str = "b",
    dataset: str = "d",
    encoder: str = "e",
    deviations: np.ndarray | None = None,
    **changes: Any,
) -> Entry:
    values: dict[str, Any] = {
        "manifest_hash": sha(f"{of}/{dataset}/{task}"),
        "feature_identity": sha(f"{encoder} of {dataset}"),
        "method": method,
        "version": 1,
        "params": {},
        "seed": seed,
        "k": 10,
    }
    fields: dict[str, Any] = {
        "benchmark": of,
        "dataset": dataset,
        "task": task,
        "encoder": encoder,
        "metrics": {"ami": ami, "acc": ami / 2},
        "predictions_sha256": sha(f"{of} {dataset} {task} {encoder} {method} {seed} {changes}"),
        "resampled": None if deviations is None else encoded(deviations),
        "created": "2024-06-03T12:00:00Z",
        "submitted": "2024-06-03T12:00:00Z",
    }
    values |= {name: value for name, value in changes.items() if name in values}
    fields |= {name: value for name, value in changes.items() if name not in values}
    protocol = {"protocol": fields["protocol"]} if "protocol" in fields else {}
    return Entry(key=run_key(**values, **protocol), **values, **fields)


def runs(
    method: str,
    scores: Mapping[str, Sequence[float]],
    *,
    deviations: Mapping[str, np.ndarray] | np.ndarray | None = None,
    **changes: Any,
) -> list[Entry]:
    """Entries of a method: AMI by task, one for each seed from 0."""
    return [
        entry(
            method,
            ami,
            task=task,
            seed=seed,
            deviations=deviations.get(task) if isinstance(deviations, Mapping) else deviations,
            **changes,
        )
        for task, values in scores.items()
        for seed, ami in enumerate(values)
    ]


def marked(given: Entry, **marks: Any) -> Entry:
    """An entry with other fields, unchecked."""
    return given.model_copy(update=marks)


def board(benchmarks: Sequence[BoardBenchmark], *groups: Sequence[Entry]) -> Leaderboard:
    """Unchecked, so that it may hold what `marked` makes."""
    return Leaderboard.model_construct(
        benchmarks=tuple(benchmarks),
        entries=tuple(entry for group in groups for entry in group),
        published=(),
    )


def wobble(seed: int, size: float) -> np.ndarray:
    """Deviations over images that have exactly this standard error, and mean 0."""
    drawn = np.random.default_rng(seed).normal(size=N_SUBSETS)
    drawn -= drawn.mean()
    return np.array(drawn / drawn.std(ddof=1) * size / 3)
