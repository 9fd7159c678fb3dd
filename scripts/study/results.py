"""Results of the study by data set, benchmark, task and method, with their predictions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clusterbench.benchmarks import Task
from clusterbench.benchmarks.targets import Hierarchy
from clusterbench.leaderboard.submissions.submitted_files import submitted_files
from clusterbench.results.evidence import EvidenceReader
from clusterbench.results.record import ResultRecord, read_result

from .gaps import METRIC, Gap, gap

#: k-means from ten random starts, as it is commonly run; well started; and with the neighbours
#: that heads draw their pairs from.
RANDOM, BASE, SMOOTHED = "kmeans-random", "kmeans", "smoothed-kmeans"
BASES = (RANDOM, BASE, SMOOTHED)
HEADS = ("temi", "scanv2")


@dataclass
class TaskResults:
    """One task: targets and, by method, records and predictions in the order of the seeds."""

    name: str
    targets: np.ndarray
    hierarchy: Hierarchy | None
    records: dict[str, list[ResultRecord]] = field(default_factory=lambda: defaultdict(list))
    predictions: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    ranked: dict[str, list[np.ndarray]] = field(default_factory=lambda: defaultdict(list))
    comparisons: int = 1
    _gaps: dict[tuple[str, str], Gap] = field(default_factory=dict)

    def scores(self, method: str, metric: str = METRIC) -> list[float]:
        """One score per seed; empty for a method that was not run."""
        return [r.scores.metrics[metric] for r in self.records.get(method, ()) if r.scores]

    def gap(self, method: str, base: str = BASE) -> Gap | None:
        """How far the method is above another; None where one of them was not run."""
        if not self.records.get(method) or not self.records.get(base):
            return None
        if (method, base) not in self._gaps:
            self._gaps[method, base] = gap(
                self.targets, self.predictions[base], self.predictions[method], self.comparisons
            )
        return self._gaps[method, base]

    @property
    def floor(self) -> float:
        """What a random assignment scores."""
        return next(iter(self.records.values()))[0].random_floor[METRIC]


def _empty(task: Task) -> TaskResults:
    return TaskResults(task.name, task.eval_targets, task.hierarchy)


Study = dict[str, dict[str, dict[str, TaskResults]]]


def read(folder: Path, failed: bool = False) -> Study:
    """data set -> benchmark -> task; tasks in the order of their benchmark.

    Every result is checked against its task and its predictions, as for a leaderboard. Results of
    k-means from random starts count as another method. Intervals are corrected for all gaps
    between heads and k-means of a data set. `failed`: leave out runs that failed, instead of an
    error.
    """
    reader = EvidenceReader()
    found: dict[tuple[str, str], dict[str, TaskResults]] = {}
    for path in submitted_files([folder]):
        if failed and read_result(path).status == "failed":
            continue
        evidence = reader.read(path)
        record, task = evidence.record, evidence.task
        where = record.dataset, record.benchmark
        by_task = found.setdefault(where, {})
        results = by_task.setdefault(task.name, _empty(task))
        method = record.method.name
        if method == BASE and record.method.params.get("init") == "random":
            method = RANDOM
        results.records[method].append(record)
        results.predictions[method].append(evidence.predictions)
        if evidence.ranked is not None:
            results.ranked[method].append(evidence.ranked)
    study: Study = defaultdict(dict)
    for (dataset, benchmark), by_task in sorted(found.items()):
        order = [name for name in reader.tasks(benchmark, dataset) if name in by_task]
        study[dataset][benchmark] = {name: by_task[name] for name in order}
    for benchmarks in study.values():
        every = [results for by_task in benchmarks.values() for results in by_task.values()]
        for results in every:
            results.comparisons = len(every) * len(HEADS) * len(BASES)
    return study
