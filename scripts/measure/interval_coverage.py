"""How often intervals over samples hold the expected score, against the ordinary bootstrap.

    python scripts/measure/interval_coverage.py --figure docs/images/coverage.svg  # 6 minutes

For each population, fresh samples are drawn again and again; the expected score is the mean over
many of them. Shown is the share of 95% intervals that hold it, per metric: those of
`metrics.uncertainty.intervals` (subsets of nine tenths, without replacement) and two ordinary
bootstraps (samples drawn with replacement) of the same number of resamples: the percentile
interval, and the score plus and minus its bootstrap standard error. Prints Markdown, and draws
ACC, AMI and ARI with --figure.
"""

from __future__ import annotations

import argparse
import functools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clusterbench.cores import n_cores
from clusterbench.kernels.contingency import contingency, reweighted
from clusterbench.metrics import METRICS, Resampling
from clusterbench.metrics.counts import Counts
from clusterbench.metrics.uncertainty.intervals import sample_intervals

NAMES = ("acc", "acc_many_to_one", "balanced_acc", "nmi", "ami", "ari", "fowlkes_mallows")
RESAMPLES = 200
KINDS = ("clusterbench", "bootstrap, percentile", "bootstrap, normal")


class Population(NamedTuple):
    """n samples of k classes; `right` of them in the cluster of their class, others anywhere."""

    n: int
    k: int
    right: float
    tail: float = 0.0  # class sizes fall as rank ** -tail

    def draw(self, rng: np.random.Generator) -> Counts:
        """The counts of n samples; a wrong one falls into any cluster."""
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
    """(n_metrics,) float64 scores, in the order of `NAMES`."""
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


def draw(path: Path, shares: dict[str, np.ndarray]) -> None:
    """A dot per population and kind of interval; shares: (3, n_metrics) by population."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "coverage", "font.size": 9})
    from matplotlib import pyplot

    shown = ("acc", "ami", "ari")
    looks = (("o", "#1f6fb4"), ("s", "#b4b4b4"), ("^", "#e08020"))
    figure, axes = pyplot.subplots(1, len(shown), figsize=(9, 3.4), sharey=True)
    rows = np.arange(len(shares))
    for axis, name in zip(axes, shown, strict=True):
        axis.axvspan(93, 97, color="#d8ecd8", zorder=0)
        column = NAMES.index(name)
        for kind in (1, 2, 0):
            marker, colour = looks[kind]
            values = [100 * held[kind, column] for held in shares.values()]
            axis.plot(values, rows, marker, color=colour, label=KINDS[kind], clip_on=False)
        axis.set(title=METRICS[name].label, xlim=(0, 100), xlabel="% of 95% intervals that hold")
        axis.grid(axis="y", color="#eeeeee")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(rows, list(shares))
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--draws", type=int, default=2000, help="samples for the expected score")
    parser.add_argument("--figure", type=Path, help="SVG or PNG to draw")
    options = parser.parse_args()
    shares = {}
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
            shares[name] = held
            for kind, row in zip(KINDS, held, strict=True):
                cells = " | ".join(f"{100 * share:.1f}" for share in row)
                print(f"| {name} | {kind} | {cells} |", flush=True)
    if options.figure:
        draw(options.figure, shares)


if __name__ == "__main__":
    main()
