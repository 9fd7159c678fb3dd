import json

import numpy as np
import pytest

from clusterbench import InputError
from clusterbench.metrics import METRICS, random_floor, score


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
        if metric.chance is not None:
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
