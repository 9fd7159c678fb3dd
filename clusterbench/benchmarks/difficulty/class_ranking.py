"""Classes ranked by how well several encoders' features recognise them.

A ranking has columns: an encoder and a measure each. A column ranks the classes by their
recognised images, and the ranks are averaged over the columns. Ranks rather than accuracies,
since an encoder that recognises more, or spreads its classes wider, would otherwise decide alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...catalog import unknown_name
from ...errors import InputError

MEASURES = ("knn", "probe")


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are trained.

    steps: of the descent. l2: weight of the penalty, against a mean over images.
    """

    steps: int = 80
    l2: float = 1e-5

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"steps={self.steps} should be >= 1")
        if not 0 < self.l2 < 1:
            raise InputError(f"l2={self.l2} should be in (0, 1)")


@dataclass(frozen=True)
class RankingSettings:
    """What the counts of a ranking depend on, beside the data set and the features.

    seed: of the draw of images and folds. images_per_class: train images that rank a class,
    equally many for each, so that size plays no part. folds: of the probe. n_neighbors: of kNN.
    """

    seed: int
    images_per_class: int
    folds: int = 3
    n_neighbors: int = 20
    probe: ProbeSettings = ProbeSettings()

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise InputError(f"folds={self.folds} should be >= 2")
        if self.images_per_class < self.folds:
            raise InputError(
                f"images_per_class={self.images_per_class} should be >= folds={self.folds}, so "
                "that each fold has an image of each class"
            )
        if self.n_neighbors < 1:
            raise InputError(f"n_neighbors={self.n_neighbors} should be >= 1")


@dataclass(frozen=True, eq=False)
class RankingColumn:
    """One encoder, one measure ("knn" or "probe").

    identity: of the features. correct: (n_classes,) int64, images of the class that are
    recognised. same: (n_classes,) int64, neighbours of its images that are of the class, for kNN
    alone; None for a probe.
    """

    encoder: str
    identity: str
    measure: str
    correct: np.ndarray
    same: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ClassRanking:
    """Counts per class and column; `read_ranking` and `write_ranking` keep them in a file.

    index_hash: the data set's. classes: names of the ranked classes, as the index has them.
    """

    index_hash: str
    settings: RankingSettings
    classes: tuple[str, ...]
    columns: tuple[RankingColumn, ...]

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes) or not self.classes:
            raise InputError(f"{len(self.classes)} ranked classes should be some, and distinct")
        if not self.columns:
            raise InputError("a ranking without columns ranks nothing")
        keys = [(column.encoder, column.measure) for column in self.columns]
        if len(set(keys)) < len(keys):
            raise InputError("a ranking has two columns of one encoder and measure")
        for column in self.columns:
            self._check(column)

    def _check(self, column: RankingColumn) -> None:
        name = f"column {column.encoder}/{column.measure}"
        if column.measure not in MEASURES:
            raise unknown_name("measure", column.measure, MEASURES)
        if (column.same is not None) != (column.measure == "knn"):
            raise InputError(f"{name}: counts of neighbours belong to kNN, and to nothing else")
        m = self.settings.images_per_class
        for counts in (column.correct, column.same):
            if counts is None:
                continue
            if counts.shape != (len(self.classes),):
                raise InputError(
                    f"{name}: counts of shape {counts.shape}; wanted ({len(self.classes)},)"
                )
            if counts.min() < 0:
                raise InputError(f"{name}: a count of {counts.min()}; wanted 0 or more")
        if column.correct.max() > m:
            raise InputError(f"{name}: {column.correct.max()} images are recognised, of {m}")

    @property
    def encoders(self) -> tuple[str, ...]:
        """The encoders of the columns, each once, in order."""
        return tuple(dict.fromkeys(column.encoder for column in self.columns))

    def of_encoders(self, encoders: Sequence[str]) -> ClassRanking:
        """The columns of some encoders; InputError for one that is not there."""
        for encoder in encoders:
            if encoder not in self.encoders:
                raise unknown_name("encoder of the ranking", encoder, self.encoders)
        columns = tuple(column for column in self.columns if column.encoder in encoders)
        return dataclasses.replace(self, columns=columns)

    def __contains__(self, name: object) -> bool:
        return name in self._position

    def rank_sums(self, classes: Sequence[str]) -> np.ndarray:
        """(m,) int64: twice the sum over columns of each class's rank among `classes`.

        Ranks are 1 for the easiest to m; equal classes share the mean of their places, which
        twice is a whole number. Raises InputError for a class that is not ranked.
        """
        at = self._places(classes)
        total = np.zeros(len(at), dtype=np.int64)
        for column in self.columns:
            counts = column.correct[at]
            ascending = np.sort(counts)
            better = len(at) - np.searchsorted(ascending, counts, side="right")
            not_worse = len(at) - np.searchsorted(ascending, counts, side="left")
            total += better + 1 + not_worse
        return total

    def mean_rank(self, classes: Sequence[str]) -> np.ndarray:
        """(m,) float64: the mean over columns of each class's rank among `classes`, from 1."""
        mean: np.ndarray = self.rank_sums(classes) / (2 * len(self.columns))
        return mean

    def order(self, classes: Sequence[str], tie_break: np.ndarray) -> np.ndarray:
        """(m,) int64: positions in `classes`, easiest first.

        By mean rank, then by more neighbours of the own class, then by `tie_break` (m,).
        """
        at = self._places(classes)
        same = np.zeros(len(at), dtype=np.int64)
        for column in self.columns:
            if column.same is not None:
                same += column.same[at]
        return np.lexsort((tie_break, -same, self.rank_sums(classes)))

    def accuracy(self, measure: str, classes: Sequence[str]) -> np.ndarray:
        """(m,) float64: recognised share of each class, the mean over encoders.

        Raises InputError when no column has the measure.
        """
        counts = [column.correct for column in self.columns if column.measure == measure]
        if not counts:
            raise InputError(f"the ranking has no column of {measure!r}")
        total = np.sum(counts, axis=0)[self._places(classes)]
        share: np.ndarray = total / (len(counts) * self.settings.images_per_class)
        return share

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.classes)}

    def _places(self, classes: Sequence[str]) -> np.ndarray:
        for name in classes:
            if name not in self._position:
                raise unknown_name("ranked class", name, self.classes)
        return np.array([self._position[name] for name in classes], dtype=np.int64)
