"""Places that entrants share who cannot be told apart, and the range of places of each."""

from __future__ import annotations

import numpy as np

from .differences import EQUAL


def groups(apart: np.ndarray) -> list[tuple[int, int]]:
    """Runs of an order in which no two are told apart: (first, last + 1) of each.

    From the best downwards, each entrant joins the group above it if it cannot be told apart from
    *any* of its members; else it begins a new one. So two with one place cannot be told apart, and
    the order of places is that of the scores. Not to be told apart is not transitive (A and B, B
    and C, but not A and C), so two neighbours with different places need not be told apart: that is
    what `place_ranges` shows.

    Args:
        apart: (n, n) bool, symmetric, in the order of the scores.
    """
    found, start = [], 0
    for position in range(1, len(apart)):
        if apart[start:position, position].any():
            found.append((start, position))
            start = position
    if len(apart):
        found.append((start, len(apart)))
    return found


def place_ranges(difference: np.ndarray, apart: np.ndarray) -> list[tuple[int, int]]:
    """Lowest and highest place of each entrant that the tests leave open.

    1 + those that are told apart above it, and n less those told apart below it. Where all tests of
    a ranking hold together with some probability, so do all these ranges: a joint confidence region
    for the ranks (Klein, Wright & Wieczorek, Journal of the Royal Statistical Society C 69, 2020;
    Mogstad, Romano, Shaikh & Wilhelm, "Inference for ranks", Review of Economic Studies 91, 2024;
    the latter also say why percentiles of ranks over resamples are none). The places of an
    entrant's group lie within its range.

    Args:
        difference: (n, n) scores of the row's entrant less the column's.
        apart: (n, n) bool.
    """
    above = (apart & (difference < -EQUAL)).sum(axis=1)
    below = (apart & (difference > EQUAL)).sum(axis=1)
    n = len(apart)
    return [(1 + int(a), n - int(b)) for a, b in zip(above, below, strict=True)]
