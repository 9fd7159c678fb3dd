import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labellings import dense_table, labellings
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import balanced_accuracy_score

from clusterbench import InputError
from clusterbench.metrics import score, score_classes
from clusterbench.metrics.counts import count
from clusterbench.metrics.per_class import class_acc, frequency_bands
from clusterbench.metrics.validate import check_labels


def counts_of(targets, predictions):
    return count(check_labels(targets, "targets"), check_labels(predictions, "predictions"))


@given(labellings())
def test_class_acc_is_the_paired_share_of_each_class(pair):
    counts = counts_of(*pair)
    shares = class_acc(counts)
    sizes = counts.table.row_sums
    dense = dense_table(*pair)
    assert np.isnan(shares[sizes == 0]).all()
    weighted = float(np.nansum(shares * sizes)) / len(pair[0])
    assert weighted == pytest.approx(score(*pair).acc, abs=1e-12)
    for row, paired in enumerate(counts.pairing.columns[sizes > 0]):
        position = (
            np.flatnonzero(counts.table.column_sums).tolist().index(paired)
            if (paired >= 0)
            else None
        )
        right = dense[row, position] if position is not None else 0
        assert shares[sizes > 0][row] == right / dense[row].sum()


def test_balanced_acc_equals_scikit_learn_on_the_paired_classes():
    rng = np.random.default_rng(0)
    targets = (rng.random(2000) ** 2 * 12).astype(int)
    predictions = np.where(rng.random(2000) < 0.6, targets, rng.integers(12, size=2000))
    dense = dense_table(targets, predictions)
    rows, columns = linear_sum_assignment(dense, maximize=True)
    as_classes = rows[np.argsort(columns)][predictions]
    expected = balanced_accuracy_score(targets, as_classes)
    assert score(targets, predictions).balanced_acc == pytest.approx(expected, abs=1e-12)
    assert abs(expected - score(targets, predictions).acc) > 0.001


def test_bands_by_hand():
    """Classes of 6, 4 and 2 samples: all, half and none of them right."""
    targets = [0] * 6 + [1] * 4 + [2] * 2
    predictions = [0] * 6 + [1, 1, 2, 3] + [0, 0]
    bands = score(targets, predictions).bands
    assert (bands.head.n_classes, bands.head.n, bands.head.acc) == (1, 6, 1.0)
    assert (bands.middle.n_classes, bands.middle.n, bands.middle.acc) == (1, 4, 0.5)
    assert (bands.tail.n_classes, bands.tail.n, bands.tail.acc) == (1, 2, 0.0)


def test_frequencies_of_the_training_rows_decide_the_bands():
    bands = score([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 3, 4], class_frequencies=[1, 100, 10]).bands
    assert (bands.head.acc, bands.middle.acc, bands.tail.acc) == (1.0, 0.5, 1.0)
    assert (bands.head.n, bands.middle.n, bands.tail.n) == (2, 2, 2)


def test_classes_that_were_only_trained_on_count_in_the_ranks():
    """Class 3 is by far the most frequent, without scored samples: class 1 is no head then."""
    frequencies = [1, 100, 10, 5000]
    bands = score([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 3, 4], class_frequencies=frequencies).bands
    assert (bands.head.n_classes, bands.head.acc) == (0, None)
    assert (bands.middle.n_classes, bands.middle.acc) == (2, 0.75)
    assert (bands.tail.n_classes, bands.tail.acc) == (1, 1.0)


def test_classes_of_equal_frequency_share_a_band():
    bands = score(np.arange(30) % 10, np.arange(30) % 10).bands
    assert (bands.head.n_classes, bands.middle.n_classes, bands.tail.n_classes) == (0, 10, 0)
    assert (bands.head.acc, bands.middle.acc, bands.tail.acc) == (None, 1.0, None)
    json.dumps(bands.to_dict(), allow_nan=False)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any))
def test_every_class_with_samples_is_in_one_band_and_rarer_bands_are_rarer(frequencies):
    sizes = np.array(frequencies)
    targets = np.repeat(np.arange(len(sizes)), sizes)
    bands = frequency_bands(counts_of(targets, targets))
    parts = (bands.head, bands.middle, bands.tail)
    assert sum(band.n_classes for band in parts) == np.count_nonzero(sizes)
    assert sum(band.n for band in parts) == sizes.sum()
    means = [band.n / band.n_classes for band in parts if band.n_classes]
    assert means == sorted(means, reverse=True)
    # A third of distinct frequencies each, to the nearest class.
    if len(set(sizes[sizes > 0].tolist())) == np.count_nonzero(sizes):
        third = np.count_nonzero(sizes) / 3
        assert all(math.floor(third) <= band.n_classes <= math.ceil(third) for band in parts)


@pytest.mark.parametrize(
    ("frequencies", "message"),
    [
        ([3, 4], r"class_frequencies has 2 counts but targets has label 2"),
        ([3, -4, 1], r"class_frequencies has -4 at position 1"),
        ([3, 4.5, 1], r"class_frequencies has 4.5 at position 1; give whole numbers"),
        ([[3, 4, 1]], r"class_frequencies has shape \(1, 3\)"),
    ],
)
def test_unusable_frequencies_are_named(frequencies, message):
    with pytest.raises(InputError, match=message):
        score([0, 1, 2], [0, 1, 2], class_frequencies=frequencies)


def test_frequencies_need_labels_to_look_up():
    with pytest.raises(InputError, match="class_frequencies needs targets that are small whole"):
        score(["a", "b"], [0, 1], class_frequencies=[1, 2])


@settings(max_examples=50)
@given(labellings())
def test_score_classes_has_a_row_for_each_class_as_it_was_labelled(pair):
    targets, predictions = pair
    rows = score_classes(targets, predictions)
    assert rows.classes.tolist() == np.unique(targets).tolist()
    assert rows.sizes.tolist() == np.unique(targets, return_counts=True)[1].tolist()
    for label, size, acc, cluster in zip(
        rows.classes, rows.sizes, rows.acc, rows.clusters, strict=True
    ):
        inside = (targets == label) & (predictions.astype(str) == cluster)
        assert acc == inside.sum() / size
    paired = rows.clusters[rows.clusters != "-1"]
    assert len(np.unique(paired)) == len(paired) > 0
    assert (rows.acc[rows.clusters == "-1"] == 0).all()


def test_score_classes_of_strings_and_of_a_class_without_cluster():
    far = 2**63 + 7
    predictions = np.array([far, far, 1, far], np.uint64)
    rows = score_classes(["owl", "owl", "-1", "cat"], predictions)
    assert rows.classes.tolist() == ["cat", "owl"]
    assert rows.clusters.tolist() == ["-1", str(far)]
    assert rows.acc.tolist() == [0.0, 1.0]
