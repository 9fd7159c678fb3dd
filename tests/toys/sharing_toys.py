"""Tasks on the small world that share training rows, and their execution."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from clusterbench.benchmarks import Task
from clusterbench.datasets import registry
from clusterbench.results.record import ResultRecord
from clusterbench.runs import settings
from clusterbench.runs.environment import capture
from clusterbench.runs.events import RunEvent
from clusterbench.runs.execute import execute
from clusterbench.runs.plan import FeatureSource, MethodSpec, PlannedRun, plan


def tasks() -> dict[str, Task]:
    """Tasks of one set of training rows: "all" and "half" differ in their evaluation rows,
    "merged" has other classes (as many) on the rows of "all"; "other" has other training rows."""
    index = registry.load("tiny").index
    train, val = index.rows("train"), index.rows("val")
    names = tuple(f"class-{c}" for c in range(index.n_classes))
    shuffled = (index.labels * 5 + 1) % index.n_classes
    shuffled[index.labels == 2] = shuffled[index.labels == 3]  # two classes are one
    shuffled[train[0]] = 5  # and each has a training row
    for missing in set(range(index.n_classes)) - set(shuffled[train].tolist()):
        shuffled[train[1]] = missing

    def task(name: str, rows: np.ndarray, scored: np.ndarray, labels: np.ndarray) -> Task:
        return Task(
            name=name,
            benchmark="tiny-imbalance",
            dataset="tiny",
            index_hash=index.hash,
            train_rows=rows,
            eval_rows=scored,
            train_targets=labels[rows],
            eval_targets=labels[scored],
            n_classes=index.n_classes,
            class_names=names,
        )

    return {
        "all": task("all", train, val, index.labels),
        "other": task("other", train[::2], val, index.labels),
        "half": task("half", train.copy(), val[::2], index.labels),
        "merged": task("merged", train, val, shuffled),
    }


def planned(names: list[str], chosen: list[str], results: str, **options: Any) -> list[PlannedRun]:
    """Runs of tasks by name with methods and references by name, two seeds each."""
    store = registry.load("tiny").store()
    specs: list[MethodSpec] = settings.settle(chosen, {}, {}, "cpu")
    features = FeatureSource("blobs", store.identity, store.dim)
    built = tasks()
    seeds = options.pop("seeds", (0, 1))
    return plan([built[name] for name in names], specs, seeds, features, Path(results), **options)


def executed(runs: list[PlannedRun], events: list[RunEvent] | None = None) -> list[ResultRecord]:
    """Records of runs, in the order of the plan, computed in one call."""

    def make(run: PlannedRun) -> Any:
        return settings.build(run.method, k=run.k, seed=run.seed, device="cpu")

    listen = (lambda event: None) if events is None else events.append
    store = registry.load("tiny").store()
    found = {run.key: record for run, record in execute(runs, store, make, capture("cpu"), listen)}
    assert len(found) == len(runs)
    return [found[run.key] for run in runs]


def one_by_one(runs: list[PlannedRun]) -> list[ResultRecord]:
    """The same, each run in a call of its own, so that nothing is shared."""
    return list(itertools.chain.from_iterable(executed([run]) for run in runs))


def timeless(record: ResultRecord) -> dict[str, Any]:
    """A record without its times."""
    content = record.to_dict()
    return {key: value for key, value in content.items() if key not in ("timings", "created")}
