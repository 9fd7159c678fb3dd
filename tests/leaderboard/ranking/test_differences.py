"""Given scores by seed and deviations over images: differences pair by pair, and their errors."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binom, t

from clusterbench.leaderboard.ranking.differences import Estimates, differences, own_errors

N_SUBSETS = 200


def estimates(by_seed, deviations):
    rows = tuple(np.asarray(values, float) for values in by_seed)
    return Estimates(np.array([row.mean() for row in rows]), rows, np.asarray(deviations, float))


def plain(one, other, of_one, of_other):
    """Difference, errors and unadjusted p-value of a pair, written out."""
    image = 0.0
    if not np.isnan([*of_one, *of_other]).any():
        image = 9 * np.var(of_one - of_other, ddof=1)
    if len(one) == len(other):
        seeds = [(np.var(one - other, ddof=1) / len(one), len(one) - 1)]
    else:
        seeds = [(np.var(x, ddof=1) / len(x), len(x) - 1) for x in (one, other)]
    gap = abs(one.mean() - other.mean())
    parts = [(image, N_SUBSETS - 1), *seeds]

    def excess(log_p):
        return sum(v * t.isf(math.exp(log_p) / 2, d) ** 2 for v, d in parts) - gap**2

    return (
        gap,
        math.sqrt(image),
        math.sqrt(sum(v for v, _ in seeds)),
        math.exp(brentq(excess, math.log(1e-15), 0, xtol=1e-10)),
    )


def test_every_pair_is_tested_as_written_out():
    rng = np.random.default_rng(0)
    by_seed = [0.5 + 0.02 * rng.normal(size=n) for n in (3, 5, 3, 5, 4)]
    deviations = 0.004 * rng.normal(size=(5, N_SUBSETS)) + 0.003 * rng.normal(size=N_SUBSETS)
    deviations[2] = np.nan
    found = differences(estimates(by_seed, deviations))
    p_values = {}
    for i in range(5):
        for j in range(i):
            gap, image, seed, p_value = plain(by_seed[i], by_seed[j], deviations[i], deviations[j])
            assert abs(found.difference[i, j]) == pytest.approx(gap)
            assert found.difference[i, j] == -found.difference[j, i]
            assert found.image_error[i, j] == pytest.approx(image, rel=1e-6)
            assert found.seed_error[i, j] == pytest.approx(seed, rel=1e-6)
            p_values[i, j] = p_value
    smallest = min(p_values, key=lambda pair: p_values[pair])
    assert found.p_value[smallest] == pytest.approx(min(1, 4 * p_values[smallest]), rel=1e-3)
    assert np.array_equal(found.p_value, found.p_value.T)


def test_what_two_share_through_images_and_seeds_cancels():
    """By hand: b is a plus 0.01 for every seed and on every subset, so nothing moves it."""
    rng = np.random.default_rng(1)
    a, images = 0.5 + 0.1 * rng.normal(size=3), 0.05 * rng.normal(size=N_SUBSETS)
    found = differences(estimates([a, a + 0.01], [images, images]))
    assert found.seed_error[0, 1] == pytest.approx(0, abs=1e-9)
    assert found.image_error[0, 1] == pytest.approx(0, abs=1e-9)
    assert found.apart[0, 1]
    # With other seeds and other images the same gap is nothing.
    other = estimates([a, np.roll(a, 1) + 0.01], [images, np.roll(images, 1)])
    assert not differences(other).apart[0, 1]


def test_equal_scores_are_never_told_apart():
    """Two entrants with the same predictions, whose differences have no variance at all."""
    a, images = np.array([0.1, 0.2, 0.3]), np.linspace(-0.01, 0.01, N_SUBSETS)
    found = differences(estimates([a, a], [images, images]))
    assert found.p_value.tolist() == [[1, 1], [1, 1]] and not found.apart.any()
    within_rounding = differences(estimates([a, a + 1e-12], [images, images]))
    assert not within_rounding.apart.any()


def test_errors_of_a_mean_by_hand():
    images = np.tile([0.01, -0.01], N_SUBSETS // 2)
    found = own_errors(
        estimates([[0.1, 0.2, 0.3], [0.4], [0.4]], [images, images, images * np.nan])
    )
    # Seeds: standard deviation 0.1 over sqrt(3). Images: 0.01 sqrt(200 / 199), times 3.
    seed, image = 0.1 / math.sqrt(3), 0.03 * math.sqrt(200 / 199)
    assert found.seed[0] == pytest.approx(seed) and np.isnan(found.seed[1:]).all()
    assert found.image[:2] == pytest.approx(image) and np.isnan(found.image[2])
    wanted = math.hypot(t.isf(0.025, 2) * seed, t.isf(0.025, 199) * image)
    assert found.reach == pytest.approx([wanted, t.isf(0.025, 199) * image, 0])


@pytest.mark.parametrize(
    ("n", "n_seeds", "image", "seed"),
    [
        (2, 3, 1.0, 0.0),  # only images move them
        (2, 3, 1.0, 1.7),
        (2, 5, 0.01, 1.0),  # as good as only seeds
        (6, 3, 1.0, 3.0),  # where Satterthwaite's degrees of freedom fail
        (6, 5, 1.0, 0.5),
    ],
)
def test_equal_entrants_are_tied_at_least_as_often_as_said(n, n_seeds, image, seed):
    """Of boards whose entrants are all equally good, at most 5% tell any from the first."""
    rng, n_boards, wrong = np.random.default_rng(n_seeds), 800, 0
    for _ in range(n_boards):
        scores = image * rng.normal(size=(n, 1)) + seed * rng.normal(size=(n, n_seeds))
        deviations = image / 3 * rng.normal(size=(n, N_SUBSETS))
        wrong += differences(estimates(scores, deviations)).apart[0].any()
    assert binom.sf(wrong - 1, n_boards, 0.05) > 1e-3


def test_a_real_difference_is_found():
    """Three standard errors of 200 subsets and little seed noise: power, not only caution."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(100):
        scores = np.array([[4.5], [0.0]]) + rng.normal(size=(2, 1)) + 0.1 * rng.normal(size=(2, 5))
        found += differences(estimates(scores, rng.normal(size=(2, N_SUBSETS)) / 3)).apart[0, 1]
    assert found > 75
