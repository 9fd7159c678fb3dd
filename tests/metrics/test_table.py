from dataclasses import fields

import numpy as np
import pytest

from clusterbench.metrics import FURTHER_METRICS, METRICS, RandomFloor, Scores, score
from clusterbench.metrics.table import MetricValues


def test_the_values_have_a_field_per_metric_in_the_order_of_the_table():
    assert [field.name for field in fields(MetricValues)] == list(METRICS)
    assert all(name == metric.name for name, metric in METRICS.items())


@pytest.mark.parametrize(
    ("record", "before", "after"),
    [
        (
            Scores,
            ["n", "n_classes", "n_clusters", "n_unassigned", "n_unlabelled"],
            ["average", "bands", "clusters", "intervals"],
        ),
        (RandomFloor, ["n", "n_clusters", "n_repeats", "seed"], []),
    ],
)
def test_records_have_the_metrics_between_their_own_fields(record, before, after):
    """The order of fields is that of the JSON, which others read and compare."""
    assert [field.name for field in fields(record)] == [*before, *METRICS, *after]


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
