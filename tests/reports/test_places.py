"""Who shares a place: cases worked by hand, and properties of estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from clusterbench.metrics.uncertainty.subsets import SPREAD
from clusterbench.reports.places import ScoreEstimate, SharedPlace, places

finite = st.floats(0, 1, allow_nan=False)


def known(mean: float, error: float, n: int = 200) -> ScoreEstimate:
    """An estimate from one seed whose standard error over images is `error`."""
    deviations = np.resize([-1.0, 1.0], n)
    deviations *= error / (SPREAD * deviations.std(ddof=1))
    return ScoreEstimate.of_seeds([mean], deviations)


def told_apart(a: ScoreEstimate, b: ScoreEstimate) -> bool:
    return {place.place for place in places({"a": a, "b": b}).values()} == {1, 2}


def test_an_estimate_over_seeds_alone_has_students_interval() -> None:
    values = [0.5, 0.6, 0.7]
    low, high = ScoreEstimate.of_seeds(values).interval(-1, 1)
    reach = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / math.sqrt(3)
    assert (low, high) == (pytest.approx(0.6 - reach), pytest.approx(0.6 + reach))


def test_images_and_seeds_add_up() -> None:
    both = ScoreEstimate.of_seeds([0.5, 0.6, 0.7], known(0.6, 0.02).deviations)
    assert both.sample_error == pytest.approx(0.02)
    of_seeds = stats.t.ppf(0.975, 2) ** 2 * np.var([0.5, 0.6, 0.7], ddof=1) / 3
    of_images = stats.t.ppf(0.975, 199) ** 2 * 0.02**2
    assert both.reach == pytest.approx(math.sqrt(of_seeds + of_images))


def test_a_single_run_without_predictions_has_no_interval_and_one_is_cut_to_the_range() -> None:
    assert ScoreEstimate.of_seeds([0.4]).interval(-1, 1) is None
    assert ScoreEstimate.of_seeds([0.99, 0.9]).interval(-1, 1)[1] == 1.0


def test_the_same_images_cancel() -> None:
    """Two that rise and fall together are told apart by what two independent ones are not."""
    a, b = known(0.50, 0.05), known(0.52, 0.05)
    assert told_apart(a, b)
    assert not told_apart(a, ScoreEstimate.of_seeds([0.52], -b.deviations))
    assert not told_apart(a, ScoreEstimate.of_seeds([0.52], sample_error=0.05))
    assert told_apart(a, ScoreEstimate.of_seeds([0.90], sample_error=0.05))


def test_one_twice_is_no_difference() -> None:
    one = ScoreEstimate.of_seeds([0.3, 0.4], known(0.3, 0.01).deviations)
    assert places({"a": one, "b": one}) == {"a": SharedPlace(1, 2), "b": SharedPlace(1, 2)}


def test_who_has_no_error_over_images_has_no_place() -> None:
    bare = ScoreEstimate.of_seeds([0.9, 0.8])
    assert places({"a": bare}) == {}
    assert places({"a": bare, "b": known(0.1, 0.01)}) == {"b": SharedPlace(1, 1)}


def test_places_by_hand() -> None:
    noise = np.random.default_rng(0).normal(size=(5, 200)) * 0.01 / SPREAD
    means = {"c": 0.50, "a": 0.60, "e": 0.30, "b": 0.59, "d": 0.49}
    found = places(
        {n: ScoreEstimate.of_seeds([m], noise[i]) for i, (n, m) in enumerate(means.items())}
    )
    assert found == {
        "a": SharedPlace(1, 2),
        "b": SharedPlace(1, 2),
        "c": SharedPlace(3, 2),
        "d": SharedPlace(3, 2),
        "e": SharedPlace(5, 1),
    }


def test_nobody_and_one() -> None:
    assert places({}) == {}
    assert places({"a": known(0.1, 0.01)}) == {"a": SharedPlace(1, 1)}


@given(st.lists(st.tuples(finite, finite, st.floats(0.001, 0.2)), min_size=1, max_size=8))
def test_places_follow_the_means(drawn: list[tuple[float, float, float]]) -> None:
    estimates = {
        n: ScoreEstimate.of_seeds(seeds, sample_error=error)
        for n, (*seeds, error) in enumerate(drawn)
    }
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
    b = ScoreEstimate.of_seeds([0.5, 0.3], known(0.4, 0.02).deviations)
    mean = ScoreEstimate.of_tasks([a, b])
    assert mean.mean == pytest.approx(0.35)
    assert mean.sample_error == pytest.approx(0.03)  # the same images move both
    assert mean.by_seed.tolist() == pytest.approx([0.35, 0.35])
    without = ScoreEstimate.of_tasks([a, ScoreEstimate.of_seeds([0.5], sample_error=0.02)])
    assert without.deviations is None and without.sample_error == pytest.approx(0.03)


def test_a_task_with_more_seeds_keeps_its_mean() -> None:
    a = ScoreEstimate.of_seeds([0.2, 0.4, 0.9])
    b = ScoreEstimate.of_seeds([0.6, 0.8])
    mean = ScoreEstimate.of_tasks([a, b])
    assert mean.mean == pytest.approx((0.5 + 0.7) / 2)
    assert mean.by_seed.tolist() == pytest.approx([0.5, 0.7])
