"""The features of one task, read once and shared by all its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..benchmarks.task import Task
    from ..features.store import FeatureStore


class TaskFeatures:
    """Features of both splits of a task, read-only: runs share them.

    train, evaluation: (n_train, dim), (n_eval, dim) float32.

    Raises InputError when the store holds other samples than the task was built on, or a feature
    that is NaN or infinite.
    """

    def __init__(self, store: FeatureStore, task: Task) -> None:
        task.verify(store.index)
        self.task = task
        self.train = _read_only(store.read(task.train_rows))
        self.evaluation = _read_only(store.read(task.eval_rows))


def _read_only(features: np.ndarray) -> np.ndarray:
    features.flags.writeable = False
    return features
