"""Scoring side by side with scipy, lap and scikit-learn, in one process.

    pip install '.[compare]'
    python scripts/compare_scoring.py            # all shapes, about ten minutes and 12 GB
    python scripts/compare_scoring.py --shapes 0,1 --kinds long-tail

Prints Markdown. Each peer is given what it needs (a dense matrix, a sparse one with dummy columns)
outside of its time. Times are the best of several calls, warm; peak memory is what the resident
set grows by during a call (Linux only). Totals of the assignments are checked against each other.
"""

from __future__ import annotations

import argparse
import ctypes
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from clusterbench.kernels.assignment import assign
from clusterbench.kernels.contingency import Contingency, contingency
from clusterbench.metrics import score


class Shape(NamedTuple):
    """Samples, classes and clusters of a made-up labelling."""

    n: int
    n_classes: int
    n_clusters: int

    def __str__(self) -> str:
        return f"{self.n:,} / {self.n_classes:,} / {self.n_clusters:,}"


SHAPES = (
    Shape(50_000, 1_000, 1_000),
    Shape(522_500, 10_450, 10_450),
    Shape(11_060_223, 10_450, 10_450),
    Shape(425_872, 20_992, 20_992),
    Shape(50_000, 1_000, 25_000),
    Shape(1_281_167, 1_000, 25_000),
)
KINDS = ("easy", "hard", "chance", "long-tail")
#: scikit-learn's AMI is called up to this many (class, cluster) pairs, and extrapolated beyond.
AMI_PAIRS = 4_000_000


def labels(shape: Shape, kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(targets, predictions), int32.

    easy: 80% right; hard: 30%, the rest in 20 clusters that the class is mistaken for; chance:
    uniform; long-tail: chance, with log-normal class and cluster sizes. Else classes are balanced.
    """
    rng = np.random.default_rng(seed)
    if kind == "long-tail":
        sides = []
        for size in (shape.n_classes, shape.n_clusters):
            weights = rng.lognormal(0, 1, size)
            sides.append(rng.choice(size, shape.n, p=weights / weights.sum()).astype(np.int32))
        return sides[0], sides[1]
    targets = (np.arange(shape.n, dtype=np.int64) * shape.n_classes // shape.n).astype(np.int32)
    guesses = rng.integers(shape.n_clusters, size=shape.n, dtype=np.int32)
    if kind == "chance":
        return targets, guesses
    parts = max(1, shape.n_clusters // shape.n_classes)  # clusters that share a class
    right = targets * np.int32(parts) + rng.integers(parts, size=shape.n, dtype=np.int32)
    if kind == "hard":
        alike = rng.integers(shape.n_clusters, size=(shape.n_classes, 20), dtype=np.int32)
        guesses = alike[targets, rng.integers(20, size=shape.n)]
    predictions = np.where(rng.random(shape.n) < (0.8 if kind == "easy" else 0.3), right, guesses)
    return targets, rng.permutation(shape.n_clusters).astype(np.int32)[predictions]


def measured(call: Callable[[], Any], repeats: int = 5) -> tuple[float, float, Any]:
    """(seconds, MB, answer): best time, resident memory that the first call adds at its peak."""
    before = _peak_since_reset()
    start = time.perf_counter()
    answer = call()
    best = time.perf_counter() - start
    memory = _status("VmHWM") - before
    for _ in range(repeats - 1):
        if best > 1:
            break
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best, memory / 1024, answer


def _peak_since_reset() -> float:
    """Reset the peak resident set to the present one, and give it in kB."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # freed memory back to the system, to be counted again
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return float("nan")
    return _status("VmRSS")


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(float(line.split()[1]) for line in lines if line.startswith(field))


def assignments(shape: Shape, kind: str) -> str:
    """A row of the assignment table."""
    table = contingency(*labels(shape, kind), shape.n_classes, shape.n_clusters)
    shape_of = (shape.n_classes, shape.n_clusters)
    sparse = csr_array((table.data, table.indices, table.indptr), shape=shape_of)
    ours, our_memory, answer = measured(lambda: assign(table))
    peers = {"scipy sparse": _scipy_sparse, "scipy dense": _scipy_dense, "lap": _lap}
    times, memories = {}, {}
    for name, peer in peers.items():
        times[name], memories[name], (rows, columns) = peer(table, sparse)
        total = int(sparse[rows, columns].sum())
        if times[name] == times[name] and total != answer.total:
            raise AssertionError(f"{name} finds {total}, clusterbench {answer.total}")
    cells = [f"{times[name]:.4f} ({memories[name]:,.0f})" for name in times]
    best = min(value for value in times.values() if value == value)
    return (
        f"| {shape} | {kind} | {len(table.data):,} | {ours:.4f} ({our_memory:,.0f}) | "
        + " | ".join(cells)
        + f" | {best / ours:,.0f}x |"
    )


Measured = tuple[float, float, tuple[np.ndarray, np.ndarray]]


def _scipy_sparse(table: Contingency, sparse: csr_array) -> Measured:
    """Positive costs, and a column of its own for each row to be left over in."""
    n_rows, n_columns = sparse.shape
    rows = np.repeat(np.arange(n_rows), np.diff(table.indptr))
    top, own = int(table.data.max()) + 1, np.arange(n_rows)
    values = np.concatenate([top - table.data, np.full(n_rows, top)]).astype(np.float64)
    where = (np.concatenate([rows, own]), np.concatenate([table.indices, n_columns + own]))
    costs = csr_array((values, where), shape=(n_rows, n_columns + n_rows))
    seconds, memory, (rows, columns) = measured(
        lambda: min_weight_full_bipartite_matching(costs), 3
    )
    real = columns < n_columns
    return seconds, memory, (rows[real], columns[real])


def _scipy_dense(table: Contingency, sparse: csr_array) -> Measured:
    del table
    dense = sparse.toarray()
    return measured(lambda: linear_sum_assignment(dense, maximize=True), 3)


def _lap(table: Contingency, sparse: csr_array) -> Measured:
    try:
        import lap
    except ModuleNotFoundError:
        empty = np.empty(0, np.int64)
        return float("nan"), float("nan"), (empty, empty)
    costs = sparse.toarray()
    costs = (int(table.data.max()) - costs).astype(np.float64)
    square = costs.shape[0] == costs.shape[1]
    seconds, memory, (_, columns, _) = measured(lambda: lap.lapjv(costs, extend_cost=not square), 3)
    return seconds, memory, (np.arange(len(columns)), columns)


def all_scores(shape: Shape, kind: str, per_pair: float) -> str:
    """A row of the table of all scores; per_pair: seconds of scikit-learn's AMI for a pair."""
    from sklearn import metrics as peers

    targets, predictions = labels(shape, kind)
    ours, memory, scores = measured(lambda: score(targets, predictions))
    rest, rest_memory, found = measured(
        lambda: (
            peers.adjusted_rand_score(targets, predictions),
            peers.normalized_mutual_info_score(targets, predictions),
            peers.homogeneity_completeness_v_measure(targets, predictions),
            peers.fowlkes_mallows_score(targets, predictions),
        ),
        1,
    )
    _close(found, (scores.ari, scores.nmi, None, scores.fowlkes_mallows))
    pairs = shape.n_classes * shape.n_clusters
    if pairs <= AMI_PAIRS:
        ami, _, value = measured(lambda: peers.adjusted_mutual_info_score(targets, predictions), 1)
        _close((value,), (scores.ami,))
        told = f"{ami:.1f}"
    else:
        ami = per_pair * pairs
        told = f"about {ami:,.0f} (extrapolated)"
    return (
        f"| {shape} | {kind} | {ours:.4f} ({memory:,.0f}) | {rest:.2f} ({rest_memory:,.0f}) | "
        f"{told} | {(rest + ami) / ours:,.0f}x |"
    )


def _close(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
    for theirs, ours in zip(found, wanted, strict=True):
        if ours is not None and abs(theirs - ours) > 1e-9:
            raise AssertionError(f"scikit-learn finds {theirs}, clusterbench {ours}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shapes", default=",".join(str(i) for i in range(len(SHAPES))))
    parser.add_argument("--kinds", default="easy,hard,chance", help=f"of {','.join(KINDS)}")
    options = parser.parse_args()
    shapes = [SHAPES[int(text)] for text in options.shapes.split(",")]
    kinds = options.kinds.split(",")
    warnings.simplefilter("ignore")  # scikit-learn's, about many classes
    score([0, 1], [0, 1])
    assign(contingency(np.array([0, 1]), np.array([0, 1]), 2, 2))

    print("Assignment, seconds (MB of extra memory); the ratio is to the best of the others.\n")
    print(
        "| samples / classes / clusters | kind | table entries | clusterbench | scipy sparse |",
        end="",
    )
    print(" scipy dense | lap | ratio |\n|---|---|--:|--:|--:|--:|--:|--:|")
    for shape in shapes:
        for kind in kinds:
            print(assignments(shape, kind), flush=True)

    from sklearn.metrics import adjusted_mutual_info_score

    small = labels(Shape(50_000, 1_000, 1_000), "hard")
    per_pair = measured(lambda: adjusted_mutual_info_score(*small), 1)[0] / 1_000_000
    print("\nAll scores, seconds (MB of extra memory). scikit-learn: ARI, NMI, V-measure with its")
    print("parts and Fowlkes-Mallows; AMI apart, beyond 4 million (class, cluster) pairs")
    print("extrapolated from 1 million.\n")
    print("| samples / classes / clusters | kind | clusterbench | scikit-learn | its AMI | ratio |")
    print("|---|---|--:|--:|--:|--:|")
    for shape in shapes:
        for kind in kinds:
            print(all_scores(shape, kind, per_pair), flush=True)


if __name__ == "__main__":
    main()
