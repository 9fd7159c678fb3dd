"""Defect 7: contingency by a K x K loop over N, or by a Python loop over samples."""

import sys
import tracemalloc

import numpy as np
import pytest

from clusterbench.metrics import score

N, K = 522_500, 10_450


@pytest.mark.parametrize("kind", ["good", "chance"])
def test_full_scale_allocates_nothing_of_size_k_by_k(kind):
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(K, dtype=np.int32), N // K)
    predictions = rng.integers(K, size=N, dtype=np.int32)
    if kind == "good":
        predictions = np.where(rng.random(N) < 0.7, targets, predictions)
    score(targets[:10], predictions[:10])  # compile outside the measurement
    tracemalloc.start()
    scores = score(targets, predictions, n_classes=K, n_clusters=K)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One byte per cell would be 109 MB. The table has at most N entries of 12 bytes.
    assert peak < 40 * N
    assert scores.n == N
    assert (scores.acc > 0.65) == (kind == "good")


def test_no_python_code_runs_per_sample():
    targets = np.arange(20_000) % 100
    score(targets, targets)
    lines = 0

    def count(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return count

    previous = sys.gettrace()
    sys.settrace(count)
    try:
        score(targets, targets)
    finally:
        sys.settrace(previous)
    assert lines < 2000
