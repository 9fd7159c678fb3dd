"""Entropy of a partition, and the mutual information two partitions share by chance."""

from __future__ import annotations

import math

import numpy as np

from .compiled import compiled

_TABLE = 4096  # logarithms of 1 .. _TABLE - 1 are looked up
_SERIES = tuple(1 / (k * (k - 1)) for k in range(2, 10))  # of (1 + t) log(1 + t) - t, signs apart
_NEGLIGIBLE = 1e-15  # relative size of the first term left out of a sum


def entropy(counts: np.ndarray) -> float:
    """Entropy in nats of the partition with these sizes; zeros are allowed.

    `log N - sum(n log n) / N`, summed with compensation (Kahan), so the error does not grow with
    the number of parts. 0.0 for at most one part.

    Args:
        counts: (n,) int64, >= 0.
    """
    return float(_entropy(np.ascontiguousarray(counts, dtype=np.int64)))


def expected_mutual_information(row_sums: np.ndarray, column_sums: np.ndarray) -> float:
    """Expected mutual information in nats of two random partitions with these sizes.

    The model is the permutation (hypergeometric) one of Vinh, Epps & Bailey, "Information theoretic
    measures for clusterings comparison", JMLR 11, 2010, eq. 24a.

    Sizes enter once per *distinct* value, weighted by how often they occur (there are at most
    sqrt(2 N) distinct sizes). For sizes a and b with mean overlap m = ab / N, the sum over overlaps
    n runs outward from the mode of the hypergeometric distribution by its ratio of neighbours, and
    is divided by the summed ratios, so that no logarithm of a factorial loses digits at large N.
    As E[n] = m, `n log(n / m) - (n - m)` may replace `n log(n / m)`: it is never negative, so
    nothing cancels.

    Args:
        row_sums: (n_rows,) int64, >= 0, with the sum N.
        column_sums: (n_columns,) int64, >= 0, with the same sum.
    """
    rows, row_repeats = _distinct(row_sums)
    columns, column_repeats = _distinct(column_sums)
    n = int(rows @ row_repeats)
    if n == 0:
        return 0.0
    logs = np.zeros(_TABLE)
    np.log(np.arange(1, _TABLE), out=logs[1:])
    return float(_expected(rows, row_repeats, columns, column_repeats, n, logs)) / n


def _distinct(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, repeats = np.unique(sizes[sizes > 0], return_counts=True)
    return values.astype(np.int64), repeats.astype(np.int64)


@compiled
def _entropy(counts: np.ndarray) -> float:
    n = 0
    total, lost = 0.0, 0.0
    for count in counts:
        n += count
        if count > 1:
            term = count * math.log(count) - lost
            new = total + term
            lost = (new - total) - term
            total = new
    return max(0.0, math.log(n) - total / n) if n > 0 else 0.0


@compiled
def _expected(
    rows: np.ndarray,
    row_repeats: np.ndarray,
    columns: np.ndarray,
    column_repeats: np.ndarray,
    n: int,
    logs: np.ndarray,
) -> float:
    result = 0.0
    for i in range(rows.size):
        for j in range(columns.size):
            a, b = rows[i], columns[j]
            result += row_repeats[i] * column_repeats[j] * _expected_overlap(a, b, n, logs)
    return result


@compiled
def _expected_overlap(a: int, b: int, n: int, logs: np.ndarray) -> float:
    """E[x log(x / m)] of the overlap x of two random subsets of sizes a and b out of n."""
    mean = float(a) * b / n
    log_mean = math.log(mean)
    rest = n - a - b
    least, most = max(0, -rest), min(a, b)
    mode = min(max(int((a + 1.0) * (b + 1.0) / (n + 2.0)), least), most)

    weights = 1.0
    total: float = _divergence(mode, mean, log_mean, logs)
    weight = 1.0
    for x in range(mode + 1, most + 1):
        weight *= (a - x + 1.0) * (b - x + 1.0) / (float(x) * (rest + x))
        term = weight * _divergence(x, mean, log_mean, logs)
        weights += weight
        total += term
        if term < _NEGLIGIBLE * total and weight < 0.5:
            break
    weight = 1.0
    for x in range(mode - 1, least - 1, -1):
        weight *= (x + 1.0) * (rest + x + 1.0) / ((a - float(x)) * (b - x))
        term = weight * _divergence(x, mean, log_mean, logs)
        weights += weight
        total += term
        if term < _NEGLIGIBLE * total and weight < 0.5:
            break
    return total / weights


@compiled
def _divergence(x: int, mean: float, log_mean: float, logs: np.ndarray) -> float:
    """x log(x / mean) - (x - mean), by its series near the mean, where the difference cancels."""
    gap = x - mean
    part = gap / mean
    if abs(part) < 0.02:
        series = _SERIES[7]
        for k in range(6, -1, -1):
            series = _SERIES[k] - part * series
        return gap * part * series
    if x == 0:
        return mean
    log_x = float(logs[x]) if x < logs.size else math.log(x)
    return x * (log_x - log_mean) - gap
