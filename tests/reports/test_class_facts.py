"""Per-class ACC against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from for_reports.edited_results import counts_of

from clusterbench.reports.class_facts import per_class


def test_by_hand() -> None:
    # Twelve classes of 12, 11 ... 1 training rows, two scored rows each.
    train = np.repeat(np.arange(12), np.arange(12, 0, -1))
    targets = np.repeat(np.arange(12), 2)
    right = targets.copy()
    half = targets.copy()
    half[1::2] = (targets[1::2] + 12) % 24  # the second row of each class in a cluster of its own
    found = per_class([counts_of(targets, right), counts_of(targets, half)], train, 12)
    assert found.train_sizes.tolist() == list(range(12, 0, -1))
    assert found.sizes.tolist() == [2] * 12
    assert found.acc.tolist() == [0.75] * 12
    assert found.bands == {"head": 0.75, "middle": 0.75, "tail": 0.75}
    assert found.band_classes == {"head": 4, "middle": 4, "tail": 4}


def test_a_class_without_scored_rows_is_no_0() -> None:
    found = per_class([counts_of([0, 0, 1], [0, 0, 1])], np.array([0, 1, 2, 2]), 3)
    assert found.acc[:2].tolist() == [1.0, 1.0] and np.isnan(found.acc[2])
    assert found.bands["head"] is None  # class 2 is the most frequent, and nothing of it is scored


def test_equally_frequent_classes_are_all_the_middle() -> None:
    found = per_class([counts_of([0, 1, 2], [0, 1, 1])], np.array([0, 1, 2]), 3)
    assert found.bands["head"] is None and found.bands["tail"] is None
    assert found.bands["middle"] == pytest.approx(2 / 3)
