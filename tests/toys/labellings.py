"""Labellings to score: random, tie-heavy and degenerate ones, as hypothesis strategies."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def labellings(draw, max_n=80):
    """(targets, predictions): two int64 arrays of one length, of the kinds that go wrong."""
    n = draw(st.integers(1, max_n))
    return draw(labels(n)), draw(labels(n))


@st.composite
def labels(draw, n):
    kind = draw(st.sampled_from(["random", "one", "singletons", "equal", "gaps", "mostly one"]))
    if kind == "one":
        return np.full(n, draw(st.integers(0, 3)))
    if kind == "singletons":
        return np.array(draw(st.permutations(range(n))))
    if kind == "equal":  # equal sizes: ties everywhere
        return np.arange(n) % draw(st.integers(1, n))
    groups = draw(st.integers(1, 12))
    values = np.array(draw(st.lists(st.integers(0, groups - 1), min_size=n, max_size=n)))
    if kind == "gaps":
        return values * draw(st.sampled_from([2, 1000, 10**12]))
    if kind == "mostly one":
        return np.where(values > 1, 0, values)
    return values


def dense_table(targets, predictions):
    """The contingency table as a dense int64 matrix."""
    rows = np.unique(targets, return_inverse=True)[1]
    columns = np.unique(predictions, return_inverse=True)[1]
    table = np.zeros((rows.max() + 1, columns.max() + 1), np.int64)
    np.add.at(table, (rows, columns), 1)
    return table
