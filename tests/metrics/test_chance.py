import itertools
import json

import numpy as np
import pytest

from clusterbench import InputError
from clusterbench.metrics import METRICS, chance_levels, random_floor, score
from clusterbench.metrics.table import metrics_with


def test_the_floor_is_the_mean_over_random_predictions():
    targets = np.arange(400) % 20
    floor = random_floor(targets, 25, n_repeats=200, seed=1)
    rng = np.random.default_rng(99)
    runs = [score(targets, rng.integers(25, size=400)) for _ in range(200)]
    for name in METRICS:
        values = [getattr(run, name) for run in runs]
        error = 5 * np.std(values) * np.sqrt(2 / 200)  # five standard errors of the difference
        assert getattr(floor, name) == pytest.approx(np.mean(values), abs=error)


def test_metrics_that_declare_their_chance_level_reach_it():
    floor = random_floor(np.arange(5000) % 50, 50)
    for name, metric in METRICS.items():
        if isinstance(metric.chance, float):
            assert getattr(floor, name) == pytest.approx(metric.chance, abs=0.005)


def test_the_same_seed_gives_the_same_floor():
    targets = [0, 0, 1, 1, 2, 2]
    assert random_floor(targets, 3, seed=4) == random_floor(targets, 3, seed=4)
    assert random_floor(targets, 3, seed=4) != random_floor(targets, 3, seed=5)


def test_the_floor_goes_to_json():
    floor = random_floor([0, 1], 2, n_repeats=3, seed=0)
    record = json.loads(json.dumps(floor.to_dict()))
    assert record == {**record, "n": 2, "n_clusters": 2, "n_repeats": 3, "seed": 0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 0}, r"n_clusters=0; give a whole number from 1"),
        ({"n_clusters": 2.5}, r"n_clusters=2.5"),
        ({"n_clusters": 2**40}, r"n_clusters=1099511627776"),
        ({"n_clusters": 2, "n_repeats": 0}, r"n_repeats=0"),
        ({"n_clusters": 2, "seed": -1}, r"seed=-1"),
    ],
)
def test_unusable_options_are_named(options, message):
    with pytest.raises(InputError, match=message):
        random_floor([0, 1], **options)


@pytest.mark.parametrize(
    ("targets", "predictions"),
    [
        ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]),
        ([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, -1]),
        ([0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 2, 2]),
        ([0, 0, 0, 1, 1, 1], [4, 4, 4, 4, 4, 4]),
        ([3, 3, 3, 3, 3, 3], [0, 0, 0, 0, 0, 0]),
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        ([0, 0, 1, 1, 1, 2], [0, 1, 2, 3, 4, 5]),
    ],
)
@pytest.mark.parametrize("average", ["arithmetic", "geometric", "min", "max"])
def test_formulas_equal_the_mean_over_every_way_to_deal_predictions_out(
    targets, predictions, average
):
    dealt = [score(targets, p, average=average) for p in itertools.permutations(predictions)]
    levels = chance_levels(targets, predictions, average=average, n_repeats=1)
    for name, metric in metrics_with(average).items():
        if metric.chance is None:
            continue
        mean = np.mean([getattr(scores, name) for scores in dealt])
        if name in ("ami", "ari") and dealt[0].to_dict()[name] in (0.0, 1.0) and mean in (0.0, 1.0):
            continue  # sizes alone decide the score: a single group, or one sample in each
        assert levels[name] == pytest.approx(mean, abs=1e-12), name


def test_simulated_levels_are_the_mean_over_random_shuffles():
    rng = np.random.default_rng(3)
    targets, predictions = rng.integers(5, size=60), rng.integers(7, size=60)
    predictions[:6] = -1
    levels = chance_levels(targets, predictions, n_repeats=400, seed=1)
    runs = [score(targets, rng.permutation(predictions)) for _ in range(400)]
    for name, metric in METRICS.items():
        if metric.chance is None:
            values = [getattr(run, name) for run in runs]
            error = 5 * np.std(values) * np.sqrt(2 / 400)
            assert levels[name] == pytest.approx(np.mean(values), abs=error), name


def test_levels_come_in_the_order_of_the_metrics_and_leave_their_input_alone():
    targets, predictions = np.array([0, 0, 1, 1, -1]), np.array([0, 1, 1, -1, 0])
    levels = chance_levels(targets, predictions, seed=2)
    assert list(levels) == list(METRICS)
    assert predictions.tolist() == [0, 1, 1, -1, 0]
    assert levels == chance_levels(targets, predictions, seed=2)
    with pytest.raises(InputError, match="5 targets but 4 predictions"):
        chance_levels(targets, predictions[:4])


def test_far_more_clusters_than_samples_cost_no_memory():
    floor = random_floor([0, 0, 1, 1], 10**9, n_repeats=3)
    assert (floor.n_clusters, floor.acc, floor.homogeneity) == (10**9, 0.5, 1.0)


def test_samples_without_a_class_are_left_out_of_the_floor():
    floor = random_floor([0, 0, 1, 1, -1, -1], 3, seed=4)
    assert floor == random_floor([0, 0, 1, 1], 3, seed=4)
    assert floor.n == 4
