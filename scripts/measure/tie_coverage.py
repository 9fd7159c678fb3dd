"""How often nobody is told apart from the first of equal entrants, for docs/ranking.md.

    python scripts/measure/tie_coverage.py [--boards N]

Every entrant's score is 0 plus an error over images with standard error 1, which 200 subsets
estimate, plus the mean of errors over seeds of a given standard deviation. Beside the test of
`clusterbench.leaderboard`, the usual one: Student's with Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from scipy.stats import t

from clusterbench.leaderboard.ranking.differences import Estimates, differences
from clusterbench.leaderboard.ranking.p_values import holm_by_row
from clusterbench.metrics.uncertainty.subsets import N_SUBSETS, SPREAD

ENTRANTS, SEEDS, SPREADS = (2, 5, 14), (3, 5, 10), (0.0, 0.5, 1.0, 2.0, 4.0)


def main() -> None:
    """Print a row for each setting: shares in per cent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=2000)
    n_boards = parser.parse_args().boards
    print("entrants  seeds  sd of a seed  Satterthwaite  here")
    for n, n_seeds, spread in itertools.product(ENTRANTS, SEEDS, SPREADS):
        rng = np.random.default_rng((n, n_seeds))
        usual = here = 0
        for _ in range(n_boards):
            scores = rng.normal(size=(n, 1)) + spread * rng.normal(size=(n, n_seeds))
            deviations = rng.normal(size=(n, N_SUBSETS)) / SPREAD
            given = Estimates(scores.mean(axis=1), tuple(scores), deviations)
            found = differences(given)
            here += not found.apart[0].any()
            image, seed = found.image_error**2, found.seed_error**2
            with np.errstate(invalid="ignore"):
                degrees = (image + seed) ** 2 / (
                    image**2 / (N_SUBSETS - 1) + seed**2 / (n_seeds - 1)
                )
                p_values = 2 * t.sf(np.abs(found.difference) / np.sqrt(image + seed), degrees)
            usual += not (holm_by_row(p_values)[0] <= 0.05).any()
        shares = f"{100 * usual / n_boards:13.1f}  {100 * here / n_boards:4.1f}"
        print(f"{n:8d}  {n_seeds:5d}  {spread:12.1f}  {shares}", flush=True)


if __name__ == "__main__":
    main()
