"""Which runs one fit serves, and which fits read the same training rows."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from .plan import PlannedRun

#: A run with its number in the plan, from 1.
Item = tuple[int, PlannedRun]


@dataclass(frozen=True, eq=False)
class Batch:
    """Runs whose tasks have the same training rows, by the fit that each is a part of.

    fits: runs of one inner tuple are the same fit (the same method with the same settings, seed
    and K on the same rows) whose clusters are predicted and scored for each of their tasks.
    """

    fits: tuple[tuple[Item, ...], ...]

    @property
    def runs(self) -> list[PlannedRun]:
        """All runs of the batch."""
        return [run for fit in self.fits for _, run in fit]


def batches(runs: Sequence[PlannedRun]) -> list[Batch]:
    """Runs grouped by training rows, then by fit, each group where its first run stands.

    Rows count as the same by their content, so it does not matter which task they came from.
    """
    grouped: dict[Hashable, dict[Hashable, list[Item]]] = {}
    for item in enumerate(runs, start=1):
        fits = grouped.setdefault(train_rows_hash(item[1]), {})
        fits.setdefault(_fit_key(item[1]), []).append(item)
    return [Batch(tuple(tuple(fit) for fit in fits.values())) for fits in grouped.values()]


def train_rows_hash(run: PlannedRun) -> str:
    """Hex SHA-256 of the training rows of the run's task."""
    return str(_fingerprint(run, "train")["rows"])


def scored_rows_hash(run: PlannedRun) -> str:
    """Hex SHA-256 of the rows that the run is scored on."""
    part = "train" if run.protocol == "transductive" else "eval"
    return str(_fingerprint(run, part)["rows"])


def _fingerprint(run: PlannedRun, part: str) -> dict[str, Any]:
    """Number and hashes of a task's rows and targets; hashed once per task."""
    fingerprint: dict[str, Any] = run.task.identity[part]
    return fingerprint


def _fit_key(run: PlannedRun) -> Hashable:
    method = run.method
    settings = json.dumps(dict(method.params), sort_keys=True)
    # Only a reference is fitted with targets; of a method, tasks with other classes share the fit.
    targets = _fingerprint(run, "train")["targets"] if method.reference else None
    return (method.name, method.version, method.reference, settings, run.seed, run.k, targets)
