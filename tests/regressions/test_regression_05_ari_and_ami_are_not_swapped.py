"""Defect 5: ARI and AMI swapped in the output."""

import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from clusterbench.metrics import METRICS, random_floor, score

TARGETS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
PREDICTIONS = [0, 0, 1, 1, 1, 1, 2, 2, 2, 3]


def test_each_score_stands_under_its_own_name():
    expected = {
        "ari": adjusted_rand_score(TARGETS, PREDICTIONS),
        "ami": adjusted_mutual_info_score(TARGETS, PREDICTIONS),
    }
    assert abs(expected["ari"] - expected["ami"]) > 0.05
    record = score(TARGETS, PREDICTIONS).to_dict()
    for name, value in expected.items():
        assert record[name] == pytest.approx(value, abs=1e-9)
        assert METRICS[name].label == name.upper()


def test_the_random_floor_keeps_the_names_too():
    """Two samples, two clusters: together or apart, half the time each."""
    floors = [random_floor([0, 1], 2, n_repeats=1, seed=seed) for seed in range(20)]
    for floor in floors:
        apart = floor.acc == 1.0
        assert (floor.ari, floor.ami) == ((1.0, 1.0) if apart else (0.0, 0.0))
    floor = random_floor(TARGETS, 4, n_repeats=400)
    assert floor.nmi > 0.2
    assert abs(floor.ami) < 0.1
    assert abs(floor.ari) < 0.1
