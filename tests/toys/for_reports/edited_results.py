"""Results for reports: written from given predictions on the tasks of the small world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from clusterbench.metrics.counts import Counts, count
from clusterbench.metrics.validate import check_labels


def counts_of(targets: Any, predictions: Any) -> Counts:
    return count(check_labels(targets, "targets"), check_labels(predictions, "predictions"))


def result_files(folder: Path, method: str = "*", task: str = "*") -> list[Path]:
    return sorted(Path(folder).glob(f"*/*/*/{task}/{method}/seed-*.json"))


def edit(path: Path, **changes: Any) -> None:
    """Change fields of a result by dotted names, the key anew: `edit(p, **{"task.name": "x"})`."""
    from clusterbench.results.record import ResultRecord

    content = json.loads(path.read_text())
    for name, value in changes.items():
        *parents, last = name.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    content["key"] = ResultRecord.model_validate_json(json.dumps(content)).recomputed_key()
    path.write_text(json.dumps(content))


def shared_pairs(targets: np.ndarray, predictions: np.ndarray, a: int, b: int) -> float | None:
    """By loops: of all pairs of different samples of classes a and b, the share in one cluster."""
    together = total = 0
    for i in range(len(targets)):
        for j in range(len(targets)):
            if i != j and targets[i] == a and targets[j] == b:
                total += 1
                together += predictions[i] == predictions[j] and predictions[i] >= 0
    return together / total if total else None
