"""Results of the study by data set, benchmark, task and method, with their predictions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clusterbench.benchmarks import Task
from clusterbench.benchmarks.targets import Hierarchy
from clusterbench.leaderboard.result_files import result_files
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.record import ResultRecord

from .gaps import METRIC, Gap, gap

BASE = "kmeans"
HEADS = ("temi", "scan")


@dataclass
class TaskResults:
    """One task: targets and, by method, records and predictions in the order of the seeds."""

    name: str
    targets: np.ndarray
    hierarchy: Hierarchy | None
    records: dict[str, list[ResultRecord]] = field(default_factory=lambda: defaultdict(list))
    predictions: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    ranked: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    _gaps: dict[str, Gap] = field(default_factory=dict)

    def scores(self, method: str, metric: str = METRIC) -> list[float]:
        """One score per seed; empty for a method that was not run."""
        return [r.scores.metrics[metric] for r in self.records.get(method, ()) if r.scores]

    def gap(self, method: str) -> Gap | None:
        """How far the method is above k-means; None where one of them was not run."""
        if not self.records.get(method) or not self.records.get(BASE):
            return None
        if method not in self._gaps:
            self._gaps[method] = gap(self.targets, self.predictions[BASE], self.predictions[method])
        return self._gaps[method]

    @property
    def floor(self) -> float:
        """What a random assignment scores."""
        return next(iter(self.records.values()))[0].random_floor[METRIC]


def _empty(task: Task) -> TaskResults:
    return TaskResults(task.name, task.eval_targets, task.hierarchy)


Study = dict[str, dict[str, dict[str, TaskResults]]]


def read(folder: Path) -> Study:
    """data set -> benchmark -> task; tasks in the order of their benchmark.

    Every result is checked against its task and its predictions, as for a leaderboard.
    """
    reader = EvidenceReader()
    found: dict[tuple[str, str], dict[str, TaskResults]] = {}
    for path in result_files([folder]):
        evidence = reader.read(path)
        record, task = evidence.record, evidence.task
        where = record.dataset, record.benchmark
        by_task = found.setdefault(where, {})
        results = by_task.setdefault(task.name, _empty(task))
        results.records[record.method.name].append(record)
        results.predictions[record.method.name].append(evidence.predictions)
        if evidence.ranked is not None:
            results.ranked[record.method.name].append(evidence.ranked)
    study: Study = defaultdict(dict)
    for (dataset, benchmark), by_task in sorted(found.items()):
        order = [name for name in reader.tasks(benchmark, dataset) if name in by_task]
        study[dataset][benchmark] = {name: by_task[name] for name in order}
    return study
