"""Pairs of classes that share clusters, against plain loops over pairs of samples."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from for_reports.edited_results import counts_of, shared_pairs
from hypothesis import given
from hypothesis import strategies as st

from clusterbench.reports import confused
from clusterbench.reports.confused import confused_pairs

labellings = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(-1, 4), min_size=n, max_size=n),
        st.lists(st.integers(-1, 4), min_size=n, max_size=n),
    )
)


@given(labellings)
def test_shares_are_those_of_pairs_of_images(given) -> None:
    targets, *seeds = (np.array(values) for values in given)
    pairs = confused_pairs([counts_of(targets, seed) for seed in seeds], 100)
    found = {(pair.first, pair.second): pair for pair in pairs}
    for a in range(6):
        for b in range(a + 1, 6):
            each = [shared_pairs(targets, seed, a, b) for seed in seeds]
            wanted = 0.0 if None in each else sum(each) / 2
            assert ((a, b) in found) == (wanted > 0)
            if wanted > 0:
                assert found[a, b].share == pytest.approx(wanted)
                own = [
                    np.mean([shared_pairs(targets, seed, c, c) for seed in seeds])
                    for c in (a, b)
                    if (targets == c).sum() > 1
                ]
                assert found[a, b].own == (pytest.approx(np.mean(own)) if own else None)
    shares = [pair.share for pair in pairs]
    assert shares == sorted(shares, reverse=True)


def test_of_equally_confused_pairs_the_one_of_more_images_comes_first() -> None:
    targets = [0, 1, 2, 2, 3, 3, 4]
    pairs = confused_pairs([counts_of(targets, [0, 0, 1, 1, 1, 1, 2])], 5)
    assert [(pair.first, pair.second, pair.share) for pair in pairs] == [(2, 3, 1.0), (0, 1, 1.0)]


def test_some_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    counts = [counts_of(rng.integers(0, 40, 400), rng.integers(0, 25, 400)) for _ in range(2)]
    whole = confused_pairs(counts, 30)
    monkeypatch.setattr(confused, "_BLOCK_BYTES", 16 * 40 * 3)
    assert confused_pairs(counts, 30) == whole


@pytest.mark.slow
def test_memory_of_10450_classes() -> None:
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(10_450), 20)
    spread = np.where(
        rng.random(len(targets)) < 0.5, targets, rng.integers(0, 10_450, len(targets))
    )
    collapsed = np.where(rng.random(len(targets)) < 0.5, 0, spread)
    tables = [counts_of(targets, clusters) for clusters in (spread, collapsed)]
    tracemalloc.start()
    pairs = confused_pairs(tables, 12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pairs) == 12
    assert peak < 700e6  # all pairs of classes would take 870 MB
