"""The differences of all pairs of entrants, their errors over images and seeds, and tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...metrics.uncertainty.subsets import SPREAD
from .model import LEVEL
from .p_values import bounded_p_values, holm, reach

#: Scores that differ by less are equal: the tolerance within which scores are computed again.
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class Estimates:
    """Scores of n entrants on the same tasks, with what moves them.

    Attributes:
        means: (n,) float64.
        by_seed: of each, (n_seeds,) float64: the weighted mean over tasks, whose mean is its score.
            Seed s of one and seed s of another are paired where both have as many.
        deviations: (n, n_subsets) float64, the weighted mean over tasks of the mean over seeds on
            each subset of the images, less that on all; NaN for an entrant without.
    """

    means: np.ndarray
    by_seed: tuple[np.ndarray, ...]
    deviations: np.ndarray

    @classmethod
    def of(
        cls,
        scores: Sequence[np.ndarray],
        deviations: Sequence[np.ndarray | None],
        weights: np.ndarray,
        n_subsets: int,
    ) -> Estimates:
        """Estimates from the scores of each task and seed.

        Args:
            scores: of each entrant (n_tasks, n_seeds).
            deviations: of each (n_tasks, n_seeds, n_subsets), or None.
            weights: (n_tasks,) of the tasks; their sum is 1.
            n_subsets: of the deviations.
        """
        by_seed = tuple(weights @ of for of in scores)
        bare = np.full(n_subsets, np.nan)
        moved = [bare if of is None else weights @ of.mean(axis=1) for of in deviations]
        return cls(
            means=np.array([values.mean() for values in by_seed]),
            by_seed=by_seed,
            deviations=np.array(moved).reshape(len(scores), n_subsets),
        )

    @property
    def centred(self) -> np.ndarray:
        """(n, n_subsets): deviations from their mean over the subsets; 0 where there are none."""
        means = self.deviations.mean(axis=1, keepdims=True)
        return np.array(np.nan_to_num(self.deviations - means))

    def by_number_of_seeds(self) -> dict[int, np.ndarray]:
        """Number of seeds -> (m,) the entrants that have as many, ascending."""
        found: dict[int, list[int]] = {}
        for position, values in enumerate(self.by_seed):
            found.setdefault(len(values), []).append(position)
        return {n: np.array(found[n]) for n in sorted(found)}

    def seed_residuals(self, positions: np.ndarray) -> np.ndarray:
        """(m, n_seeds): scores by seed less their mean, of entrants with equally many."""
        values = np.array([self.by_seed[position] for position in positions])
        return np.array(values - values.mean(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Differences:
    """Of all pairs: entry [i, j] is entrant i less entrant j.

    Attributes:
        difference: (n, n) float64.
        image_error: (n, n) float64: its standard error over images; 0 where one has no deviations.
        seed_error: (n, n) float64: its standard error over seeds.
        p_value: (n, n) float64, two-sided, adjusted by Holm's method for all pairs.
        apart: (n, n) bool: p_value <= 1 - LEVEL.
    """

    difference: np.ndarray
    image_error: np.ndarray
    seed_error: np.ndarray
    p_value: np.ndarray
    apart: np.ndarray


def differences(estimates: Estimates) -> Differences:
    """Test all pairs of entrants for a difference of their mean scores.

    A difference moves with two things. With the images: the variance of the difference of the
    deviations over the subsets, times kept / left out (`subset_deviations`). With the seeds: the
    variance of the mean over seeds of the difference by seed, where both have the same seeds, so
    that what two methods share through a seed cancels; else the sum of both variances of the mean.
    Few seeds know their variance badly, so the difference counts only where it is beyond
    sqrt(sum of t_i^2 v_i), with Student's quantile t_i for the degrees of freedom of each variance
    v_i (n_subsets - 1 and n_seeds - 1): Banerjee, "Approximate confidence interval for linear
    functions of means of k populations when the population variances are not equal", Sankhya 22,
    1960, who shows that it errs at most as often as it says. (Satterthwaite's degrees of freedom,
    the usual choice, let equal entrants be told apart far too often in the tails that many pairs
    need: docs/ranking.md.)

    With all pairs tested, some would differ by chance: p-values are adjusted by Holm's method ("A
    simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979), which holds whatever the dependence. So with probability `LEVEL` no two equal entrants
    of a ranking are told apart, whichever pairs are looked at afterwards.
    """
    n_subsets = estimates.deviations.shape[1]
    difference = estimates.means[:, None] - estimates.means[None, :]
    image = _of_differences(_covariance(estimates.centred) * SPREAD**2)
    bare = np.isnan(estimates.deviations).any(axis=1)
    image[bare] = 0.0
    image[:, bare] = 0.0
    seed, p_value = np.zeros((2, *difference.shape))
    of_one = {n: _seed_covariance(estimates, p) for n, p in estimates.by_number_of_seeds().items()}
    groups = estimates.by_number_of_seeds()
    for (n_one, one), (n_other, other) in itertools.product(groups.items(), repeat=2):
        block = np.ix_(one, other)
        if n_one == n_other:
            parts = [(_of_differences(of_one[n_one]), n_one - 1)]
        else:
            shape = (len(one), len(other))
            own = np.broadcast_to(np.diag(of_one[n_one])[:, None], shape)
            others = np.broadcast_to(np.diag(of_one[n_other])[None, :], shape)
            parts = [(own, n_one - 1), (others, n_other - 1)]
        seed[block] = sum(variance for variance, _ in parts)
        p_value[block] = bounded_p_values(
            difference[block], [(image[block], n_subsets - 1), *parts]
        )
    p_value[np.abs(difference) <= EQUAL] = 1.0
    p_value = holm(np.minimum(p_value, p_value.T))
    return Differences(difference, np.sqrt(image), np.sqrt(seed), p_value, p_value <= 1 - LEVEL)


@dataclass(frozen=True, eq=False)
class OwnErrors:
    """Of each entrant's mean: (n,) float64 each.

    Attributes:
        image: standard error over images; NaN without deviations.
        seed: standard error over seeds; NaN for one seed.
        reach: half the width of its interval at `LEVEL`, as `differences` would have it.
    """

    image: np.ndarray
    seed: np.ndarray
    reach: np.ndarray


def own_errors(estimates: Estimates) -> OwnErrors:
    """How far each mean moves with the images and the seeds."""
    n_subsets = estimates.deviations.shape[1]
    image = SPREAD * estimates.deviations.std(axis=1, ddof=1)
    seed, reaches = np.full(len(image), np.nan), np.zeros(len(image))
    for n_seeds, positions in estimates.by_number_of_seeds().items():
        if n_seeds > 1:
            seed[positions] = np.sqrt(np.diag(_seed_covariance(estimates, positions)))
        reaches[positions] = reach(
            [
                (np.nan_to_num(image[positions]) ** 2, n_subsets - 1),
                (np.nan_to_num(seed[positions]) ** 2, n_seeds - 1),
            ],
            1 - LEVEL,
        )
    return OwnErrors(image, seed, reaches)


def _covariance(centred: np.ndarray) -> np.ndarray:
    """(n, n): of the rows, which have mean 0."""
    return np.array(centred @ centred.T / (centred.shape[1] - 1))


def _seed_covariance(estimates: Estimates, positions: np.ndarray) -> np.ndarray:
    """(m, m): covariances over seeds of the means of entrants with equally many; 0 for one seed."""
    residuals = estimates.seed_residuals(positions)
    n_seeds = residuals.shape[1]
    if n_seeds < 2:
        return np.zeros((len(positions), len(positions)))
    return np.array(_covariance(residuals) / n_seeds)


def _of_differences(covariance: np.ndarray) -> np.ndarray:
    """(n, n): variances of the differences of all pairs."""
    own = np.diag(covariance)
    variance: np.ndarray = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0.0)
    np.fill_diagonal(variance, 0.0)
    return variance
