"""Who can be told apart: estimates with their uncertainty, and places that are shared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..leaderboard.ranking.differences import Estimates, differences
from ..leaderboard.ranking.model import LEVEL
from ..leaderboard.ranking.p_values import reach
from ..leaderboard.ranking.ties import groups
from ..metrics.uncertainty.subsets import N_SUBSETS, SPREAD

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, eq=False)
class ScoreEstimate:
    """A mean score of some fits, and how far other images and other seeds would move it.

    Attributes:
        by_seed: (n_seeds,) float64, whose mean is the score.
        sample_error: standard error over images, None where it is not known.
        deviations: (n_subsets,) what `sample_error` was made of; None where the predictions are not
            at hand.
    """

    by_seed: np.ndarray
    sample_error: float | None = None
    deviations: np.ndarray | None = None

    @classmethod
    def of_seeds(
        cls,
        values: Sequence[float],
        deviations: np.ndarray | None = None,
        sample_error: float | None = None,
    ) -> ScoreEstimate:
        """The estimate from one value per seed; deviations win over a given sample error."""
        if deviations is not None:
            sample_error = SPREAD * float(deviations.std(ddof=1))
        return cls(np.array(values, float), sample_error, deviations)

    @classmethod
    def of_tasks(cls, each: Sequence[ScoreEstimate]) -> ScoreEstimate:
        """The mean of the estimates of several tasks of one data set.

        Where a task has more seeds than another, its further ones enter the mean and not the
        spread. The images of tasks may be the same, which deviations account for; without them,
        errors add up as if they were.
        """
        n_seeds = min(one.n_seeds for one in each)
        spread = np.mean([one.by_seed[:n_seeds] - one.by_seed[:n_seeds].mean() for one in each], 0)
        by_seed = spread + np.mean([one.mean for one in each])
        known = [one.deviations for one in each if one.deviations is not None]
        if len(known) == len(each):
            return cls.of_seeds(by_seed.tolist(), np.mean(known, axis=0))
        errors = [one.sample_error for one in each if one.sample_error is not None]
        whole = sum(errors) / len(each) if len(errors) == len(each) else None
        return cls(by_seed, whole)

    @property
    def mean(self) -> float:
        """The score."""
        return float(self.by_seed.mean())

    @property
    def n_seeds(self) -> int:
        """Seeds: of several tasks the fewest."""
        return len(self.by_seed)

    @property
    def reach(self) -> float | None:
        """Half the width of the interval over images and seeds together; None for neither."""
        parts = []
        if self.sample_error is not None:
            n = N_SUBSETS if self.deviations is None else len(self.deviations)
            parts.append((np.array(self.sample_error**2), n - 1))
        if self.n_seeds > 1:
            parts.append((np.array(self.by_seed.var(ddof=1) / self.n_seeds), self.n_seeds - 1))
        return float(reach(parts, 1 - LEVEL)) if parts else None

    def interval(self, low: float, high: float) -> tuple[float, float] | None:
        """The 95% interval over images and seeds together, cut to a range; None for neither."""
        found = self.reach
        if found is None:
            return None
        return max(low, self.mean - found), min(high, self.mean + found)


@dataclass(frozen=True)
class SharedPlace:
    """Where one stands: its place, shared by all of its group, and how many share it."""

    place: int
    shared_by: int


def places(estimates: Mapping[Name, ScoreEstimate]) -> dict[Name, SharedPlace]:
    """Places from the highest mean down; who cannot be told apart from a group shares its place.

    The tests are those of the leaderboard (`leaderboard.ranking.differences`): paired over images
    and seeds, adjusted for the number of pairs. The place after a group of three that share the
    first is the fourth. Without predictions, the recorded standard error over images stands for
    them, as if of other images. Whose error over images is not known has no place.
    """
    able = {n: e for n, e in estimates.items() if e.sample_error is not None}
    order = sorted(able, key=lambda name: -able[name].mean)
    if not order:
        return {}
    found = [able[name] for name in order]
    n_subsets = max(
        (len(e.deviations) for e in found if e.deviations is not None), default=N_SUBSETS
    )
    apart = differences(
        Estimates(
            np.array([one.mean for one in found]),
            tuple(one.by_seed for one in found),
            np.array([_deviations(one, n_subsets, row) for row, one in enumerate(found)]),
        )
    ).apart
    shared = {}
    for start, stop in groups(apart):
        for name in order[start:stop]:
            shared[name] = SharedPlace(start + 1, stop - start)
    return shared


def _deviations(estimate: ScoreEstimate, n: int, number: int) -> np.ndarray:
    """(n,): its own, or random ones of its standard error, unlike those of any other."""
    if estimate.deviations is not None:
        return estimate.deviations
    drawn = np.random.default_rng(number).normal(size=n)
    drawn -= drawn.mean()
    scaled: np.ndarray = drawn * ((estimate.sample_error or 0.0) / (SPREAD * drawn.std(ddof=1)))
    return scaled
