import json
import statistics

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from clusterbench import InputError
from clusterbench.metrics import METRICS, Resampling, score, score_seeds

RNG = np.random.default_rng(0)
TARGETS = RNG.integers(8, size=500)
RUNS = [
    np.where(RNG.random(500) < share, TARGETS, RNG.integers(8, size=500))
    for share in (0.5, 0.6, 0.4)
]


def test_each_figure_is_the_mean_over_the_seeds():
    found = score_seeds(TARGETS, RUNS)
    assert (found.n, found.n_seeds, found.n_resamples) == (500, 3, 0)
    for name in METRICS:
        values = [getattr(score(TARGETS, run), name) for run in RUNS]
        figure = found.metrics[name]
        assert figure.values == pytest.approx(values, abs=1e-12)
        assert figure.mean == pytest.approx(statistics.fmean(values))
        assert figure.std == pytest.approx(statistics.stdev(values))
        assert figure.samples is None


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_over_seeds_is_students(level):
    figure = score_seeds(TARGETS, RUNS, level=level).metrics["ami"]
    expected = ttest_1samp(figure.values, 0).confidence_interval(level)
    assert (figure.seeds.low, figure.seeds.high) == pytest.approx(tuple(expected))


def test_the_interval_over_samples_is_another_one_and_resamples_all_seeds_together():
    """Equal runs: no variance over seeds, and over samples the variance of a single run."""
    figure = score_seeds(TARGETS, [RUNS[0]] * 3, intervals=Resampling(200)).metrics["acc"]
    alone = score(TARGETS, RUNS[0], intervals=Resampling(200)).intervals.metrics["acc"]
    assert figure.seeds.low == figure.seeds.high == figure.mean
    assert figure.samples == alone


def test_independent_errors_average_out_over_samples():
    figure = score_seeds(TARGETS, RUNS, intervals=Resampling(400)).metrics["acc"]
    alone = score(TARGETS, RUNS[0], intervals=Resampling(400)).intervals.metrics["acc"]
    assert figure.samples.standard_error < 0.75 * alone.standard_error


def test_settings_and_missing_labels_are_in_the_record():
    found = score_seeds(
        [0, 0, 1, -1], [[0, 0, 1, 1], [0, -1, 1, 1]], intervals=Resampling(9, 0.9, 2)
    )
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (record["n"], record["n_unlabelled"]) == (3, 1)
    assert (record["n_resamples"], record["level"], record["seed"]) == (9, 0.9, 2)


def test_intervals_stay_in_the_range_of_the_metric():
    figure = score_seeds([0, 0, 1, 1], [[0, 0, 1, 1], [0, 1, 0, 1]]).metrics["acc"]
    assert (figure.seeds.low, figure.seeds.high) == (0.0, 1.0)


def test_unusable_predictions_are_named():
    with pytest.raises(InputError, match="1 prediction; an interval over seeds needs at least 2"):
        score_seeds(TARGETS, RUNS[:1])
    with pytest.raises(InputError, match=r"500 targets but 499 predictions in predictions\[1\]"):
        score_seeds(TARGETS, [RUNS[0], RUNS[1][1:]])
