"""Given predictions and the numbers of their samples: scores on subsets, and what they pair."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterbench import InputError
from clusterbench.kernels.left_out import hashed, without_left_out
from clusterbench.metrics import METRICS, Resampling, compare, score
from clusterbench.metrics.uncertainty.subsets import SPREAD, subset_deviations


def kept(samples, source, number):
    """(n,) bool: the samples of a subset, each decided by itself."""
    key = int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "little")
    n = len(samples)
    ones, cells = np.ones(n, np.int64), np.arange(n)
    hashes = hashed(np.asarray(samples), key)
    return without_left_out(ones, cells, hashes, number, 2**64 // 10).astype(bool)


@st.composite
def labelled(draw):
    n = draw(st.integers(2, 40))
    labels = st.lists(st.integers(-1, 4), min_size=n, max_size=n)
    targets = draw(labels.filter(lambda values: max(values) >= 0))
    samples = draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n))
    return np.array(targets), np.array(draw(labels)), np.array(samples)


@given(labelled(), st.sampled_from(["ami", "acc", "ari"]))
def test_deviations_are_those_of_scores_of_the_kept_samples(given_, metric):
    targets, predictions, samples = given_
    found = subset_deviations(targets, predictions, samples, "s", metric=metric, n_subsets=5)
    whole = getattr(score(targets, predictions), metric)
    for number, deviation in enumerate(found):
        mask = kept(samples, "s", number)
        wanted = 0.0
        if (targets[mask] >= 0).any():
            wanted = getattr(score(targets[mask], predictions[mask]), metric) - whole
        assert deviation == pytest.approx(wanted, abs=1e-12)


def test_they_depend_on_the_samples_and_the_source_and_not_on_their_order():
    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(5, size=(2, 300))
    samples, order = rng.permutation(900)[:300], rng.permutation(300)
    found = subset_deviations(targets, predictions, samples, "a")
    again = subset_deviations(targets[order], predictions[order], samples[order], "a")
    assert np.allclose(found, again, atol=1e-12)
    other = subset_deviations(targets, predictions, samples, "b")
    assert abs(np.corrcoef(found, other)[0, 1]) < 0.3  # 200 independent pairs


def alike(rng, n, k, shared):
    """Classes, and two predictions that are wrong in part of the same samples."""
    targets = rng.integers(k, size=n)
    wrong = rng.integers(k, size=n)
    both = rng.random(n) < shared
    a = np.where(both | (rng.random(n) < 0.2), wrong, targets)
    b = np.where(both | (rng.random(n) < 0.1), wrong, targets)
    return targets, a, b


@pytest.mark.parametrize("shared", [0.0, 0.4])
@pytest.mark.parametrize(("n", "k"), [(600, 12), (3000, 100)])
@pytest.mark.parametrize("metric", ["ami", "acc"])
def test_the_error_of_a_difference_is_that_of_compare(n, k, shared, metric):
    """Also where predictions err together, so that the pairing matters."""
    targets, a, b = alike(np.random.default_rng(n), n, k, shared)
    samples = np.arange(n) * 3
    of_a, of_b = (subset_deviations(targets, p, samples, "s", metric=metric) for p in (a, b))
    stored = SPREAD * float(np.std(of_b - of_a, ddof=1))
    wanted = compare(targets, a, b, resampling=Resampling(1000)).metrics[metric].standard_error
    assert stored / wanted == pytest.approx(1, abs=5 * 0.055)  # 200 and 1000 resamples
    if shared:
        alone = SPREAD * np.hypot(np.std(of_a, ddof=1), np.std(of_b, ddof=1))
        assert stored < 0.9 * alone


def test_a_task_with_some_of_the_samples_is_paired_with_one_of_all():
    """The mean over two tasks of the same images moves as one score, not as two."""
    rng = np.random.default_rng(1)
    targets, a, _ = alike(rng, 2000, 10, 0.3)
    half = np.sort(rng.permutation(2000)[:1000])
    whole = subset_deviations(targets, a, np.arange(2000), "s")
    part = subset_deviations(targets[half], a[half], half, "s")
    # Half of the samples: a correlation of sqrt(1/2).
    assert np.corrcoef(whole, part)[0, 1] == pytest.approx(0.71, abs=0.15)


def test_every_metric_and_a_single_sample():
    for metric in METRICS:
        assert subset_deviations([0], [0], [7], "s", metric=metric, n_subsets=3).shape == (3,)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([0, 1], r"samples has shape \(2,\); wanted \(3,\)"),
        ([0, 1, -1], "samples has -1"),
        ([0, 1, 0.5], "samples has 0.5 at position 2"),
    ],
)
def test_unusable_samples(samples, message):
    with pytest.raises(InputError, match=message):
        subset_deviations([0, 1, 1], [0, 1, 1], samples, "s")
