"""How often intervals over samples hold the expected score, against the ordinary bootstrap.

    python scripts/simulate_coverage.py          # some minutes on two cores

For each population, fresh samples are drawn again and again; the expected score is the mean over
many of them. Shown is the share of 95% intervals that hold it, per metric: those of
`clusterbench.metrics.intervals` (subsets of nine tenths, without replacement) and two ordinary
bootstraps (samples drawn with replacement) of the same number of resamples: the percentile
interval, and the score plus and minus its bootstrap standard error. Prints Markdown.
"""

from __future__ import annotations

import argparse
import functools
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from clusterbench.cores import n_cores
from clusterbench.kernels.contingency import contingency, reweighted
from clusterbench.metrics import METRICS, Resampling
from clusterbench.metrics.counts import Counts
from clusterbench.metrics.intervals import sample_intervals

NAMES = ("acc", "acc_many_to_one", "balanced_acc", "nmi", "ami", "ari", "fowlkes_mallows")
RESAMPLES = 200


class Population(NamedTuple):
    """n samples of k classes; `right` of them in the cluster of their class, others anywhere."""

    n: int
    k: int
    right: float
    tail: float = 0.0  # class sizes fall as rank ** -tail

    def draw(self, rng: np.random.Generator) -> Counts:
        weights = np.arange(1.0, self.k + 1) ** -self.tail
        targets = rng.choice(self.k, self.n, p=weights / weights.sum())
        right = rng.random(self.n) < self.right
        predictions = np.where(right, targets, rng.integers(self.k, size=self.n))
        return Counts(contingency(targets, predictions, self.k, self.k))


POPULATIONS = (
    Population(1_000, 10, 0.6),
    Population(1_000, 10, 0.6, tail=1.0),
    Population(2_000, 100, 0.5),
    Population(10_000, 100, 0.5, tail=1.0),
    Population(1_500, 300, 0.4),
    Population(10_000, 1_000, 0.3),
    Population(50_000, 1_000, 0.6),
    Population(2_000, 100, 0.0),
)


def values(counts: Counts) -> np.ndarray:
    return np.array([METRICS[name].compute(counts) for name in NAMES])


def trial(population: Population, expected: np.ndarray, seed: int) -> np.ndarray:
    """(3, n_metrics) bool: whether each kind of interval holds the expected scores."""
    rng = np.random.default_rng((1, seed))
    counts = population.draw(rng)
    found = sample_intervals(
        counts, {name: METRICS[name] for name in NAMES}, Resampling(RESAMPLES, 0.95, seed)
    ).metrics
    ours = [
        found[name].low <= e <= found[name].high for name, e in zip(NAMES, expected, strict=True)
    ]
    table = counts.table
    again = np.array(
        [
            values(Counts(reweighted(table, rng.multinomial(counts.n, table.data / counts.n))))
            for _ in range(RESAMPLES)
        ]
    )
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    reach = 1.959964 * again.std(axis=0, ddof=1)
    return np.array(
        [
            ours,
            (low <= expected) & (expected <= high),
            np.abs(values(counts) - expected) <= reach,
        ]
    )


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--draws", type=int, default=2000, help="samples for the expected score")
    options = parser.parse_args()
    print(f"{options.trials} trials, {RESAMPLES} resamples each; percent of 95% intervals\n")
    print(
        f"| samples / classes / right | interval | {' | '.join(METRICS[n].label for n in NAMES)} |"
    )
    print(f"|---|---|{'--:|' * len(NAMES)}")
    with ProcessPoolExecutor(n_cores()) as pool:
        for population in POPULATIONS:
            rng = np.random.default_rng(0)
            expected = np.mean([values(population.draw(rng)) for _ in range(options.draws)], axis=0)
            run = functools.partial(trial, population, expected)
            held = np.mean(list(pool.map(run, range(options.trials), chunksize=10)), axis=0)
            tail = ", long tail" if population.tail else ""
            name = f"{population.n:,} / {population.k:,} / {population.right:.0%}{tail}"
            kinds = ("clusterbench", "bootstrap, percentile", "bootstrap, normal")
            for kind, shares in zip(kinds, held, strict=True):
                cells = " | ".join(f"{100 * share:.1f}" for share in shares)
                print(f"| {name} | {kind} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
