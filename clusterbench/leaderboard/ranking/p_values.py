"""P-values of a normal difference with several estimated variances, and of many of them at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

#: Smallest p-value that is told from 0.
_LEAST = 1e-15
#: Two-sided p-values in this many steps of equal ratio; between them the logarithm is interpolated,
#: which moves none by more than 1 in 10,000.
_STEPS = 2048


def bounded_p_values(
    difference: np.ndarray, variances: Sequence[tuple[np.ndarray, int]]
) -> np.ndarray:
    """Two-sided p-values of the hypothesis that differences are 0: at most as small as they may be.

    The p at which the difference is just sqrt(sum of t_i(p)^2 v_i), where t_i(p) is Student's
    two-sided quantile for the degrees of freedom of v_i (Banerjee, Sankhya 22, 1960). For a single
    variance this is Student's test.

    Args:
        difference: any shape.
        variances: independent parts of the variance of the difference, of that shape, each with its
            degrees of freedom; a part with none is left out.

    Returns:
        Of that shape: float64. 0 for a difference without variance, and below 1e-15.
    """
    shape = difference.shape
    square = np.asarray(difference, float).ravel() ** 2
    parts = [(v.ravel(), _squared_quantiles(degrees)) for v, degrees in variances if degrees > 0]
    low, high = np.zeros(square.shape, int), np.full(square.shape, _STEPS)

    def bound(step: np.ndarray) -> np.ndarray:
        return np.array(sum((v * squares[step] for v, squares in parts), np.zeros(square.shape)))

    # The last step that the difference reaches, by halving; step 0 is p = 1, whose bound is 0.
    while int((high - low).max(initial=0)) > 1:
        middle = (low + high) // 2
        reached = bound(middle) <= square
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    below, above = bound(low), bound(high)
    beyond = above <= square
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(above > below, (square - below) / (above - below), 0.0)
    ratio = math.log(_LEAST) / _STEPS
    p_value = np.where(beyond, 0.0, np.exp(ratio * (low + part)))
    return np.array(p_value.reshape(shape))


def reach(variances: Sequence[tuple[np.ndarray, int]], p_value: float) -> np.ndarray:
    """The difference that has this p-value by `bounded_p_values`: half the width of an interval."""
    from scipy.special import stdtrit

    square = sum(v * stdtrit(degrees, p_value / 2) ** 2 for v, degrees in variances if degrees > 0)
    return np.array(np.sqrt(square))


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values of all pairs adjusted for their number by Holm's method.

    Args:
        p_values: (n, n) symmetric; the diagonal is not looked at.

    Returns:
        (n, n) symmetric, 1 on the diagonal.
    """
    n = len(p_values)
    upper = np.triu_indices(n, 1)
    given = p_values[upper]
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.ones((n, n))
    adjusted[upper[0][order], upper[1][order]] = np.minimum(stepped, 1.0)
    return np.array(np.minimum(adjusted, adjusted.T))


@functools.lru_cache(maxsize=64)
def _squared_quantiles(degrees: int) -> np.ndarray:
    """(_STEPS + 1,) squares of Student's two-sided quantiles at p = _LEAST^(step / _STEPS)."""
    from scipy.special import stdtrit

    p_values = _LEAST ** (np.arange(_STEPS + 1) / _STEPS)
    return np.array(stdtrit(degrees, p_values / 2) ** 2)
