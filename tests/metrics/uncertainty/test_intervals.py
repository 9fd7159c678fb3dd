import json
import math

import numpy as np
import pytest
from labellings import dense_table

from clusterbench import InputError
from clusterbench.metrics import METRICS, Resampling, score
from clusterbench.metrics.counts import count
from clusterbench.metrics.uncertainty import intervals as module
from clusterbench.metrics.uncertainty.cells import Cells
from clusterbench.metrics.uncertainty.intervals import sample_intervals, standard_errors
from clusterbench.metrics.validate import check_labels


def noisy(n, k, share, rng):
    targets = rng.integers(k, size=n)
    return targets, np.where(rng.random(n) < share, targets, rng.integers(k, size=n))


def counts_of(pair):
    return count(*(check_labels(labels, "labels") for labels in pair))


def some(*names):
    return {name: METRICS[name] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "k", "share"),
    [
        (600, 10, 0.6),
        pytest.param(800, 60, 0.5, marks=pytest.mark.exhaustive),
    ],
)
def test_ninety_five_percent_intervals_cover_the_expected_score(n, k, share):
    """Fresh samples 400 times: the mean of the scores must lie in 93 to 97% of the intervals.

    60 classes of 13 samples is where intervals of the ordinary bootstrap hold AMI in 85%.
    """
    metrics = some("acc", "ami", "ari")
    rng = np.random.default_rng(2)
    expected = {
        name: np.mean(values)
        for name, values in zip(
            metrics,
            np.array(
                [
                    [metric.compute(counts) for metric in metrics.values()]
                    for counts in (counts_of(noisy(n, k, share, rng)) for _ in range(1200))
                ]
            ).T,
            strict=True,
        )
    }
    held = dict.fromkeys(metrics, 0)
    for trial in range(400):
        counts = counts_of(noisy(n, k, share, rng))
        found = sample_intervals(counts, metrics, Resampling(120, 0.95, trial)).metrics
        for name, interval in found.items():
            held[name] += interval.low <= expected[name] <= interval.high
    for name, times in held.items():
        assert 0.93 <= times / 400 <= 0.97, (name, times / 400)


def test_the_standard_error_of_a_share_is_the_binomial_one():
    """With two classes, clearly found, ACC is the share of a coin."""
    rng = np.random.default_rng(0)
    targets = np.arange(2000) % 2
    predictions = np.where(rng.random(2000) < 0.8, targets, 1 - targets)
    scores = score(targets, predictions, intervals=Resampling(4000))
    error = math.sqrt(scores.acc * (1 - scores.acc) / 2000)
    found = scores.intervals.metrics["acc"]
    assert found.standard_error == pytest.approx(error, rel=0.05)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * found.standard_error)
    assert (found.high + found.low) / 2 == pytest.approx(scores.acc)


def test_a_replicate_is_the_score_of_a_subset_of_the_samples():
    """Three samples: a subset leaves out one of them, so there are three possible scores."""
    targets, predictions = [0, 0, 1], [0, 1, 1]
    subsets = {score(np.delete(targets, i), np.delete(predictions, i)).acc for i in range(3)}
    counts = counts_of((targets, predictions))
    seen = []
    standard_errors(
        Cells.of(counts),
        lambda drawn: seen.append(METRICS["acc"].compute(drawn[0])) or np.zeros(1),
        Resampling(60),
    )
    assert set(seen) == subsets


def test_more_of_the_level_is_wider_and_bounds_hold():
    targets, predictions = noisy(300, 5, 0.97, np.random.default_rng(0))
    narrow = score(targets, predictions, intervals=Resampling(50, 0.5)).intervals
    wide = score(targets, predictions, intervals=Resampling(50, 0.9999)).intervals
    for name, metric in METRICS.items():
        assert wide.metrics[name].low < narrow.metrics[name].low
        assert metric.low <= wide.metrics[name].low <= wide.metrics[name].high <= metric.high
    perfect = score([0, 0, 1, 1], [1, 1, 0, 0], intervals=Resampling(20)).intervals.metrics["acc"]
    assert (perfect.low, perfect.high, perfect.standard_error) == (1.0, 1.0, 0.0)


def test_seed_decides_and_threads_do_not(monkeypatch):
    pair = noisy(400, 10, 0.5, np.random.default_rng(0))

    def found(**settings):
        return score(*pair, intervals=Resampling(40, **settings)).intervals

    one = found(seed=1)
    assert found(seed=1) == one
    assert found(seed=2).metrics != one.metrics
    monkeypatch.setattr(module, "_SIDE_BY_SIDE", 0)
    monkeypatch.setattr(module, "n_cores", lambda: 3)
    assert found(seed=1) == one


def test_progress_is_told_and_threads_keep_to_their_memory(monkeypatch):
    told = []
    score([0, 1, 1], [0, 1, 0], intervals=Resampling(5), progress=lambda *now: told.append(now))
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    monkeypatch.setattr(module, "n_cores", lambda: 64)
    assert module.threads_for(1000, 1) == 1
    assert module.threads_for(100_000, 1) == 64
    assert module.threads_for(10_000_000, 1) == 2
    assert module.threads_for(10_000_000, 30) == 1


def test_stopping_waits_only_for_resamples_under_way():
    """As Ctrl-C does: of a hundred thousand, a handful has been started."""
    started = []

    def replicate(number):
        started.append(number)
        return np.zeros(1)

    stream = module.in_order(replicate, 100_000, 2)
    next(stream)
    stream.close()
    assert len(started) < 10
    in_order = [int(v) for v in module.in_order(lambda n: np.array(n), 50, 3)]
    assert in_order == list(range(50))


def test_a_number_stands_for_a_resampling():
    pair = noisy(100, 4, 0.5, np.random.default_rng(0))
    assert score(*pair, intervals=20) == score(*pair, intervals=Resampling(20))
    for given in (True, 2.5, "20"):
        with pytest.raises(InputError, match="n_resamples="):
            score(*pair, intervals=given)
    assert Resampling(2, np.float32(0.5)).level == 0.5


def test_intervals_are_a_part_of_the_record():
    scores = score([0, 0, 1, 1, -1], [0, 1, 1, -1, 0], intervals=Resampling(30, 0.9, 5))
    record = json.loads(json.dumps(scores.to_dict(), allow_nan=False))["intervals"]
    assert (record["n_resamples"], record["level"], record["seed"]) == (30, 0.9, 5)
    assert set(record["metrics"]) == set(METRICS)
    assert set(record["metrics"]["acc"]) == {"low", "high", "standard_error"}


def test_nothing_of_the_size_of_the_samples_is_kept():
    """A hundred million samples in four cells: memory follows the cells."""
    size = 25_000_000
    dense = np.array([[size, size // 5], [size // 7, size]])
    rows, columns = np.nonzero(dense)
    assert dense_table(rows, columns).sum() == 4
    from clusterbench.kernels.contingency import contingency, reweighted
    from clusterbench.metrics.counts import Counts

    table = reweighted(contingency(rows, columns, 2, 2), dense.ravel())
    errors = sample_intervals(Counts(table), some("acc"), Resampling(3)).metrics["acc"]
    assert 0 < errors.standard_error < 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_resamples": 1}, r"n_resamples=1; give a whole number from 2"),
        ({"n_resamples": 2.5}, r"n_resamples=2.5"),
        ({"level": 95}, r"level=95; give a number between 0 and 1, such as 0.95"),
        ({"level": float("nan")}, r"level=nan"),
        ({"level": "high"}, r"level='high'"),
        ({"seed": -1}, r"seed=-1"),
    ],
)
def test_unusable_settings_are_named(settings, message):
    with pytest.raises(InputError, match=message):
        Resampling(**settings)


def test_one_sample_has_no_interval():
    with pytest.raises(InputError, match="at least 2 samples with a class; found 1"):
        score([0, -1], [0, 0], intervals=Resampling(10))
