"""The features of the tasks of a batch, read once and shared by all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .sharing import Batch, scored_rows_hash, train_rows_hash

if TYPE_CHECKING:
    from ..features.store.store import FeatureStore


class SharedFeatures:
    """Features by the rows they are of, read-only: runs share them.

    Evaluation rows that a later batch has too are kept for it; everything else goes when its batch
    has ended, so that the training features of one batch are held at a time.
    """

    def __init__(self, store: FeatureStore, batches: list[Batch]) -> None:
        self._store = store
        self._scored = [{scored_rows_hash(run) for run in batch.runs} for batch in batches]
        self._held: dict[str, np.ndarray] = {}

    def read(self, number: int, batch: Batch) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Features of batch `number`: (n_train, dim) float32, and of the scored rows by hash.

        Raises InputError when the store holds other samples than a task was built on, or a feature
        that is NaN or infinite.
        """
        runs = batch.runs
        train = train_rows_hash(runs[0])
        self._held = {
            rows: features
            for rows, features in self._held.items()
            if rows == train or any(rows in scored for scored in self._scored[number:])
        }
        for task in {id(run.task): run.task for run in runs}.values():
            task.verify(self._store.index)
        self._hold(train, runs[0].task.train_rows)
        for run in runs:
            self._hold(scored_rows_hash(run), run.scored_rows)
        return self._held[train], {rows: self._held[rows] for rows in self._scored[number]}

    def _hold(self, name: str, rows: np.ndarray) -> None:
        if name not in self._held:
            features = self._store.read(rows)
            features.flags.writeable = False
            self._held[name] = features
