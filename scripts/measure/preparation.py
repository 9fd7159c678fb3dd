"""Preparations of features for k-means, and rules without labels that choose one.

    python scripts/measure/preparation.py                     # about two minutes of CPU
    python scripts/measure/preparation.py --tasks ratio-1 "digits pixels"

Prints two tables for Markdown: AMI in per cent on the val rows, of clusters fitted on the train
rows, for each value of `scaling`; then for each rule the regret, the best AMI of these values less
the AMI of what it chose. Labels score, and nothing else. Tasks and rules are those of
`smoothing.py`.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from smoothing import Case, ami, cases, held_together, pooled, table

from clusterbench.methods import KMeans
from clusterbench.methods.scaling import Scaler
from clusterbench.neighbours.kept import neighbours_of

SCALINGS = [
    "l2",
    "whiten(256, 0.25)",
    "whiten(256, 0.5)",
    "whiten(256, 1)",
    "whiten(64, 0.5)",
    "whiten(32, 0.5)",
]
#: Scalings that are always the same, for comparison with rules.
FIXED = SCALINGS[:3]
#: Neighbours that clusters should hold together.
_HELD = 10


def fitted(case: Case, scaling: str, rows: np.ndarray) -> KMeans:
    """k-means of some training rows."""
    return KMeans(case.k, device="cpu", scaling=scaling).fit(rows)


def by_halves(case: Case, train: np.ndarray) -> tuple[list[float], list[float]]:
    """For each scaling the AMI of clusters by two halves of the rows, and the neighbours held out.

    The latter are those of each half that clusters fitted on the other half hold together; of all
    scalings in the cosine of the features as they are.
    """
    order = np.random.default_rng(0).permutation(len(train))
    halves = [np.sort(half) for half in np.array_split(order, 2)]
    if len(halves[1]) < case.k:
        return [0.0] * len(SCALINGS), [0.0] * len(SCALINGS)
    near = [neighbours_of(train[half], _HELD).ids for half in halves]
    agreed, held = [], []
    for scaling in SCALINGS:
        found = [fitted(case, scaling, train[half]).predict(train) for half in halves]
        agreed.append(ami(*found))
        apart = [held_together(found[a][halves[1 - a]], near[1 - a]) for a in (0, 1)]
        held.append(float(np.mean(apart)))
    return agreed, held


def measured(case: Case) -> tuple[dict[str, float], dict[str, float]]:
    """AMI by scaling, and regret by rule; of equally good ones a rule takes the first."""
    train, val = (np.asarray(rows, dtype=np.float32) for rows in (case.train, case.val))
    models = [fitted(case, scaling, train) for scaling in SCALINGS]
    scores = [ami(case.targets, model.predict(val)) for model in models]
    agreed, held = by_halves(case, train)
    spaces = [Scaler(scaling).fit(train)(train) for scaling in SCALINGS]
    said = {
        "halves of rows": agreed,
        "held-out rows": held,
        "pooled": pooled(spaces, [model.labels_ for model in models], case.k).tolist(),
    }
    chosen = {rule: scores[int(np.argmax(values))] for rule, values in said.items()}
    by_scaling = dict(zip(SCALINGS, scores, strict=True))
    chosen |= {f"always {scaling}": by_scaling[scaling] for scaling in FIXED}
    return by_scaling, {rule: max(scores) - score for rule, score in chosen.items()}


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="*", metavar="NAME", help="of those that ship")
    parser.add_argument("--also", nargs="*", default=[], metavar="DATASET", help="one's own")
    arguments = parser.parse_args()
    scores, regrets = [], []
    for case in cases(arguments.tasks, arguments.also, []):
        by_scaling, by_rule = measured(case)
        scores.append((case.name, by_scaling))
        regrets.append((case.name, by_rule))
        print(case.name, file=sys.stderr, flush=True)
    print("AMI on val rows, per cent\n")
    table(scores)
    print("\nRegret, points of AMI\n")
    table(regrets)


if __name__ == "__main__":
    main()
