"""Who can be told apart: estimates with their uncertainty, paired tests, groups that tie."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ..metrics.uncertainty.subsets import SPREAD

#: Two are told apart below this chance of so large a difference between equals.
ALPHA = 0.05

_DOF = 199  # of a standard error over samples whose resamples are not at hand

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, eq=False)
class ScoreEstimate:
    """A mean score of some fits, and how far other images and other seeds would move it.

    Attributes:
        mean: over seeds, and tasks where it is of several.
        n_seeds: the fewest on a task.
        seed_parts: (variance, degrees of freedom) of each independent part of the variance of the
            mean over seeds; empty for single seeds, whose spread is not known.
        sample_error: standard error over samples, None where it is not known.
        deviations: (n_subsets,) what `sample_error` was made of; None where the predictions are not
            at hand.
    """

    mean: float
    n_seeds: int
    seed_parts: tuple[tuple[float, int], ...] = ()
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
        parts: tuple[tuple[float, int], ...] = ()
        if len(values) > 1:
            parts = ((float(np.var(values, ddof=1)) / len(values), len(values) - 1),)
        if deviations is not None:
            sample_error = SPREAD * float(deviations.std(ddof=1))
        return cls(float(np.mean(values)), len(values), parts, sample_error, deviations)

    @classmethod
    def of_tasks(cls, each: Sequence[ScoreEstimate]) -> ScoreEstimate:
        """The mean of the estimates of several tasks of one data set.

        Fits of different tasks are independent; their images may be the same, which deviations
        account for. Without them, sample errors add up as if the images were the same.
        """
        n = len(each)
        parts = tuple((v / n**2, dof) for one in each for v, dof in one.seed_parts)
        mean, seeds = sum(one.mean for one in each) / n, min(one.n_seeds for one in each)
        known = [one.deviations for one in each if one.deviations is not None]
        if len(known) == n and len({len(d) for d in known}) == 1:
            deviations: np.ndarray = np.mean(known, axis=0)
            return cls(mean, seeds, parts, SPREAD * float(deviations.std(ddof=1)), deviations)
        errors = [one.sample_error for one in each if one.sample_error is not None]
        return cls(mean, seeds, parts, sum(errors) / n if len(errors) == n else None)

    def interval(self, low: float, high: float) -> tuple[float, float] | None:
        """The 95% interval over samples and seeds together, cut to a range.

        None where neither is known.
        """
        parts = list(self.seed_parts)
        if self.sample_error is not None:
            parts.append((self.sample_error**2, _sample_dof(self.deviations)))
        if not parts:
            return None
        error, dof = _combined(parts)
        reach = _quantile(dof) * error
        return max(low, self.mean - reach), min(high, self.mean + reach)


def p_value(a: ScoreEstimate, b: ScoreEstimate) -> float:
    """Two-sided chance of a difference this large between equals, over samples and seeds.

    Samples are paired where both have deviations: the same images left out. The variances over
    samples and over the seeds of each are added; degrees of freedom by Satterthwaite (Biometrics
    Bulletin 2, 1946).
    """
    parts = [*a.seed_parts, *b.seed_parts]
    if (
        a.deviations is not None
        and b.deviations is not None
        and len(a.deviations) == len(b.deviations)
    ):
        spread = SPREAD * float((a.deviations - b.deviations).std(ddof=1))
        parts.append((spread**2, len(a.deviations) - 1))
    else:
        parts += [(one.sample_error**2, _DOF) for one in (a, b) if one.sample_error is not None]
    gap = abs(a.mean - b.mean)
    error, dof = _combined(parts)
    if error == 0.0:
        return 1.0 if gap == 0.0 else 0.0
    from scipy.stats import t

    return float(2 * t.sf(gap / error, dof))


@dataclass(frozen=True)
class Place:
    """Where one stands: its place, shared by all of its group, and how many share it."""

    place: int
    shared_by: int


def places(
    estimates: Mapping[Name, ScoreEstimate], higher_is_better: bool = True
) -> dict[Name, Place]:
    """Places from the best mean to the worst; who cannot be told from a group's best shares it.

    The best opens the first group. Each of the next, in order of the means, that the test cannot
    tell from it joins; the first that it can opens the next group, and so on. p values are adjusted
    for the number of all pairs (Holm, Scandinavian Journal of Statistics 6, 1979), so that all
    differences which are told hold together. The place after a group of three that share the first
    is the fourth.
    """
    sign = -1.0 if higher_is_better else 1.0
    order = sorted(estimates, key=lambda name: sign * estimates[name].mean)
    apart = _told_apart([estimates[name] for name in order])
    groups: list[list[int]] = []
    for number in range(len(order)):
        if groups and not apart[groups[-1][0], number]:
            groups[-1].append(number)
        else:
            groups.append([number])
    found, before = {}, 0
    for group in groups:
        for number in group:
            found[order[number]] = Place(before + 1, len(group))
        before += len(group)
    return found


def _told_apart(estimates: Sequence[ScoreEstimate]) -> np.ndarray:
    """(n, n) bool: the pairs whose adjusted p value is below `ALPHA`."""
    n = len(estimates)
    first, second = np.triu_indices(n, 1)
    values = np.array(
        [p_value(estimates[int(a)], estimates[int(b)]) for a, b in zip(first, second, strict=True)]
    )
    order = np.argsort(values, kind="stable")
    # Holm: the smallest against ALPHA / m, the next against ALPHA / (m - 1); none after a failure.
    holds = values[order] < ALPHA / (len(values) - np.arange(len(values)))
    passed = order[: int(np.argmin(holds)) if not holds.all() else len(holds)]
    apart = np.zeros((n, n), bool)
    apart[first[passed], second[passed]] = apart[second[passed], first[passed]] = True
    return apart


def _combined(parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Standard error and degrees of freedom of a sum of independent parts."""
    variance = sum(part for part, _ in parts)
    if variance == 0.0:
        return 0.0, 1.0
    below = sum((part / variance) ** 2 / dof for part, dof in parts)
    return math.sqrt(variance), 1.0 / below


def _sample_dof(deviations: np.ndarray | None) -> int:
    return _DOF if deviations is None else len(deviations) - 1


def _quantile(dof: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - ALPHA / 2, dof))
