from dataclasses import fields

import numpy as np
import pytest

from clusterbench.metrics import FURTHER_METRICS, METRICS, RandomFloor, Scores, score


def test_every_metric_is_a_field_of_the_scores_and_of_the_floor():
    for record in (Scores, RandomFloor):
        assert set(METRICS) <= {field.name for field in fields(record)}
    assert all(name == metric.name for name, metric in METRICS.items())


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_prediction_reaches_the_declared_best(name):
    targets = np.arange(30) % 6
    metric = METRICS[name]
    best = metric.high if metric.higher_is_better else metric.low
    assert getattr(score(targets, 5 - targets), name) == best


@pytest.mark.parametrize("name", METRICS)
def test_values_stay_in_the_declared_range(name):
    rng = np.random.default_rng(0)
    for n_clusters in (1, 2, 7, 40):
        value = getattr(score(rng.integers(7, size=40), rng.integers(n_clusters, size=40)), name)
        assert METRICS[name].low <= value <= METRICS[name].high


@pytest.mark.parametrize("metric", FURTHER_METRICS.values(), ids=FURTHER_METRICS)
def test_further_metrics_and_their_chance_levels_are_fields(metric):
    names = {field.name for field in fields(metric.source)}
    assert metric.name in names
    assert metric.chance is None or metric.chance in names
    assert metric.name not in METRICS
