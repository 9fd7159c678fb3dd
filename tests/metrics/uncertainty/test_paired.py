import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from clusterbench import InputError
from clusterbench.metrics import METRICS, Resampling, compare, score

FEW = Resampling(20)


def right_samples(targets, predictions, many_to_one=False):
    """For each sample whether its cluster stands for its class, worked out sample by sample."""
    from clusterbench.metrics.counts import count
    from clusterbench.metrics.validate import check_labels

    counts = count(check_labels(targets, "t"), check_labels(predictions, "p"))
    if not many_to_one:
        paired = counts.pairing.columns
        return np.array(
            [t >= 0 and 0 <= p == paired[t] for t, p in zip(targets, predictions, strict=True)]
        )
    majority = {}
    for cluster in set(predictions.tolist()) - {-1}:
        inside = targets[(predictions == cluster) & (targets >= 0)]
        majority[cluster] = np.bincount(inside).argmax() if len(inside) else None
    return np.array(
        [t >= 0 and majority.get(p) == t for t, p in zip(targets, predictions, strict=True)]
    )


def two_sided(a, b):
    """Exact p of a fair coin by adding up every split that is at most as likely."""
    n = a + b
    masses = binom.pmf(np.arange(n + 1), n, 0.5)
    return min(1.0, float(masses[masses <= masses[a] * (1 + 1e-9)].sum()))


@st.composite
def triples(draw):
    n = draw(st.integers(2, 40))
    labels = st.lists(st.integers(-1, 4), min_size=n, max_size=n)
    targets = draw(labels.filter(lambda values: sum(v >= 0 for v in values) >= 2))
    return np.array(targets), np.array(draw(labels)), np.array(draw(labels))


@given(triples())
def test_scores_and_tests_are_those_of_each_sample(labels):
    targets, a, b = labels
    found = compare(targets, a, b, resampling=Resampling(2))
    for name in METRICS:
        figure = found.metrics[name]
        assert figure.a == getattr(score(targets, a), name)
        assert figure.b == getattr(score(targets, b), name)
        assert figure.difference == figure.b - figure.a
    for name, many in (("acc", False), ("acc_many_to_one", True)):
        right_a, right_b = right_samples(targets, a, many), right_samples(targets, b, many)
        test = found.tests[name]
        assert test.only_a == (right_a & ~right_b).sum()
        assert test.only_b == (right_b & ~right_a).sum()
        assert test.p_value == pytest.approx(two_sided(test.only_a, test.only_b))
        gap = (test.only_b - test.only_a) / found.n
        assert found.metrics[name].difference == pytest.approx(gap, abs=1e-12)


def test_the_same_partition_under_other_names_does_not_differ():
    rng = np.random.default_rng(0)
    targets, a = rng.integers(6, size=200), rng.integers(6, size=200)
    found = compare(targets, a, (a + 2) % 6, resampling=FEW)
    for name, figure in found.metrics.items():
        if name == "balanced_acc":  # of pairings that are equally good for ACC, names decide
            continue
        assert figure.difference == pytest.approx(0, abs=1e-12)
        assert figure.standard_error == pytest.approx(0, abs=1e-12)
    assert found.tests["acc"].p_value == 1.0


def test_pairing_makes_the_interval_narrow():
    """b repairs some of a's errors: the difference is known far better than either score."""
    rng = np.random.default_rng(0)
    targets = rng.integers(10, size=2000)
    a = np.where(rng.random(2000) < 0.5, targets, rng.integers(10, size=2000))
    b = np.where(rng.random(2000) < 0.05, targets, a)
    gap = compare(targets, a, b, resampling=Resampling(300)).metrics["acc"]
    alone = score(targets, a, intervals=Resampling(300)).intervals.metrics["acc"].standard_error
    assert gap.low > 0
    assert gap.standard_error < alone / 2
    # The error of a difference of paired shares, from the samples that one of both gets right.
    test = compare(targets, a, b, resampling=FEW).tests["acc"]
    share = (test.only_a + test.only_b) / 2000
    expected = math.sqrt((share - gap.difference**2) / 2000)
    assert gap.standard_error == pytest.approx(expected, rel=0.15)


def test_exchanging_a_and_b_turns_the_signs():
    rng = np.random.default_rng(1)
    targets, a, b = rng.integers(5, size=(3, 150))
    left, right = compare(targets, a, b, resampling=FEW), compare(targets, b, a, resampling=FEW)
    for name in METRICS:
        assert left.metrics[name].difference == -right.metrics[name].difference
    assert left.tests["acc"].only_a == right.tests["acc"].only_b
    assert left.tests["acc"].p_value == pytest.approx(right.tests["acc"].p_value)


def test_the_test_is_as_honest_as_it_says():
    """Two predictions that err alike and independently: p below 0.05 in at most 5% of trials."""
    rng = np.random.default_rng(5)
    significant = 0
    for _ in range(300):
        targets = rng.integers(4, size=200)
        a, b = (
            np.where(rng.random(200) < 0.7, targets, rng.integers(4, size=200)) for _ in range(2)
        )
        significant += compare(targets, a, b, resampling=Resampling(2)).tests["acc"].p_value < 0.05
    assert significant / 300 <= 0.07


def test_a_comparison_goes_to_json_with_its_settings():
    found = compare([0, 0, 1, -1], [0, 0, 1, 1], [0, 1, 1, 1], average="max", resampling=FEW)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (record["n"], record["n_unlabelled"], record["average"]) == (3, 1, "max")
    assert (record["n_resamples"], record["level"], record["seed"]) == (20, 0.95, 0)


def test_unusable_predictions_are_named():
    with pytest.raises(InputError, match="3 targets but 2 predictions in b"):
        compare([0, 1, 1], [0, 1, 1], [0, 1])
    with pytest.raises(InputError, match="a has label -3"):
        compare([0, 1, 1], [0, -3, 1], [0, 1, 1])
