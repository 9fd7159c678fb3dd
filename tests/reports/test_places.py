"""Who shares a place: cases worked by hand, and properties of estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clusterbench.metrics.uncertainty.subsets import SPREAD
from clusterbench.reports.places import Place, ScoreEstimate, p_value, places

finite = st.floats(0, 1, allow_nan=False)


def known(mean: float, error: float, n: int = 200) -> ScoreEstimate:
    """An estimate from one seed whose standard error over images is `error`."""
    deviations = np.resize([-1.0, 1.0], n)
    deviations *= error / (SPREAD * deviations.std(ddof=1))
    return ScoreEstimate.of_seeds([mean], deviations)


def test_an_estimate_over_seeds_alone_has_students_interval() -> None:
    values = [0.5, 0.6, 0.7]
    low, high = ScoreEstimate.of_seeds(values).interval(-1, 1)
    reach = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / math.sqrt(3)
    assert (low, high) == (pytest.approx(0.6 - reach), pytest.approx(0.6 + reach))


def test_images_and_seeds_add_up() -> None:
    both = ScoreEstimate.of_seeds([0.5, 0.6, 0.7], known(0.6, 0.02).deviations)
    assert both.sample_error == pytest.approx(0.02)
    low, high = both.interval(-1, 1)
    of_seeds = np.var([0.5, 0.6, 0.7], ddof=1) / 3
    variance = 0.02**2 + of_seeds
    dof = variance**2 / (of_seeds**2 / 2 + 0.02**4 / 199)
    assert high - low == pytest.approx(2 * stats.t.ppf(0.975, dof) * math.sqrt(variance))


def test_a_single_run_without_predictions_has_no_interval_and_one_is_cut_to_the_range() -> None:
    assert ScoreEstimate.of_seeds([0.4]).interval(-1, 1) is None
    assert ScoreEstimate.of_seeds([0.99, 0.9]).interval(-1, 1)[1] == 1.0


def test_the_same_images_cancel() -> None:
    """Two that rise and fall together are told apart by what two independent ones are not."""
    a, b = known(0.50, 0.05), known(0.52, 0.05)
    assert p_value(a, b) == 0.0
    opposite = ScoreEstimate.of_seeds([0.52], -b.deviations)
    assert p_value(a, opposite) > 0.5
    unpaired = ScoreEstimate.of_seeds([0.52], sample_error=0.05)
    assert 0.5 < p_value(a, unpaired) < p_value(a, opposite)


def test_one_twice_is_no_difference() -> None:
    one = ScoreEstimate.of_seeds([0.3, 0.4], known(0.3, 0.01).deviations)
    assert p_value(one, one) == 1.0
    assert p_value(ScoreEstimate.of_seeds([0.3]), ScoreEstimate.of_seeds([0.3])) == 1.0


def test_places_by_hand() -> None:
    noise = np.random.default_rng(0).normal(size=(5, 200)) * 0.01 / SPREAD
    means = {"a": 0.60, "b": 0.59, "c": 0.50, "d": 0.49, "e": 0.30}
    found = places(
        {n: ScoreEstimate.of_seeds([m], noise[i]) for i, (n, m) in enumerate(means.items())}
    )
    assert found == {
        "a": Place(1, 2),
        "b": Place(1, 2),
        "c": Place(3, 2),
        "d": Place(3, 2),
        "e": Place(5, 1),
    }


def test_nobody_and_one() -> None:
    assert places({}) == {}
    assert places({"a": ScoreEstimate.of_seeds([0.1])}) == {"a": Place(1, 1)}


def test_many_comparisons_need_a_larger_difference() -> None:
    """Equal methods: without a correction, one pair in twenty would be told apart."""
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(20):
        noise = rng.normal(size=(20, 200)) * 0.01 / SPREAD
        means = 0.5 + rng.normal(size=20) * 0.01
        found = places({n: ScoreEstimate.of_seeds([means[n]], noise[n]) for n in range(20)})
        told += any(place.place > 1 for place in found.values())
    assert told <= 4  # of 20, each with a chance of at most 1 in 20


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=8))
def test_places_follow_the_means(given_seeds: list[tuple[float, float]]) -> None:
    estimates = {n: ScoreEstimate.of_seeds(seeds) for n, seeds in enumerate(given_seeds)}
    found = places(estimates)
    order = sorted(estimates, key=lambda n: -estimates[n].mean)
    assert [found[n].place for n in order] == sorted(found[n].place for n in order)
    for n, place in found.items():
        sharing = [m for m in found if found[m].place == place.place]
        assert place.shared_by == len(sharing)
        assert place.place == 1 + sum(found[m].place < place.place for m in found)
        assert n in sharing


def test_a_mean_over_tasks() -> None:
    a = ScoreEstimate.of_seeds([0.2, 0.4], known(0.3, 0.04).deviations)
    b = ScoreEstimate.of_seeds([0.5, 0.5], known(0.5, 0.02).deviations)
    mean = ScoreEstimate.of_tasks([a, b])
    assert mean.mean == pytest.approx(0.4)
    assert mean.sample_error == pytest.approx(0.03)  # the same images move both
    assert mean.seed_parts == ((pytest.approx(0.02 / 2 / 4), 1), (0.0, 1))
    without = ScoreEstimate.of_tasks([a, ScoreEstimate.of_seeds([0.5], sample_error=0.02)])
    assert without.deviations is None and without.sample_error == pytest.approx(0.03)
