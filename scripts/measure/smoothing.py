"""Averages of neighbours before k-means: which settings, chosen by which rule without labels.

    python scripts/measure/smoothing.py                                # all tasks, some 20 minutes
    python scripts/measure/smoothing.py --tasks ratio-1 digits --output scores.json

Prints tables for Markdown: AMI in per cent on the val rows, of clusters
fitted on the train rows, for each setting; then for each rule the regret, the best AMI of the
settings that it chooses from less the AMI of what it chose. Labels score, and nothing else.

Rules: "halves of dimensions", clusters of one half of the principal components hold neighbours of
the other half together; "halves of rows", the AMI of all rows' clusters by fits on two halves;
"held-out rows", clusters fitted on half the rows hold neighbours among the other rows together;
"pooled", ranks of the simplified silhouette of each setting's clusters in every setting's space,
averaged (after ACE, arXiv 2403.14830).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clusterbench import methods
from clusterbench.benchmarks import build
from clusterbench.datasets import registry
from clusterbench.feature_rows import unit_rows
from clusterbench.methods.graph.links import Neighbourhood
from clusterbench.methods.graph.smoothing import Smoothing
from clusterbench.metrics import score
from clusterbench.neighbours.kept import neighbours_of

#: Settings that a rule chooses from: (neighbours, rounds, mutual); no rounds are k-means.
MUTUAL = [(10, 0, True), *((k, rounds, True) for k in (3, 5, 10, 20) for rounds in (1, 2))]
PLAIN = [(k, rounds, False) for k in (3, 5, 10) for rounds in (1, 2)]
DEFAULT = (10, 2, True)
#: Other methods that are scored beside them.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "spectral 5": ("spectral", {"n_neighbors": 5}),
    "spectral 10": ("spectral", {"n_neighbors": 10}),
    "leiden 10": ("leiden", {"n_neighbors": 10}),
    "leiden 20": ("leiden", {"n_neighbors": 20}),
}
TASKS = {
    "icons-wordnet": {
        "imbalanced": ["ratio-1", "ratio-30", "window-50"],
        "granularity": ["fine", "coarse-50", "depth-6"],
        "easy": ["easiest", "hardest"],
    },
    "emoji": {
        "imbalanced": ["subgroups-ratio-1", "subgroups-ratio-30", "subgroups-window-50"],
        "granularity": ["fine", "subgroups", "groups"],
        "easy": ["easiest", "hardest"],
    },
}
#: Neighbours that clusters should hold together.
_HELD = 10


@dataclass(frozen=True, eq=False)
class Case:
    """Features of the rows that are fitted and of those scored, and the classes of the latter."""

    name: str
    train: np.ndarray
    val: np.ndarray
    targets: np.ndarray
    k: int


def cases(wanted: list[str] | None) -> Iterator[Case]:
    """Tasks of the data sets that ship, and handwritten digits: their pixels, whole and uneven."""
    for name, benchmarks in TASKS.items():
        dataset = registry.load(name)
        for benchmark, tasks in benchmarks.items():
            for task in build(benchmark, dataset, tasks):
                if wanted is None or task.name in wanted or f"{name} {task.name}" in wanted:
                    read = dataset.store().read
                    yield Case(
                        f"{name} {task.name}",
                        read(task.train_rows),
                        read(task.eval_rows),
                        task.eval_targets,
                        task.n_classes,
                    )
    for case in digits():
        if wanted is None or case.name in wanted or "digits" in wanted:
            yield case


def digits() -> Iterator[Case]:
    """scikit-learn's digits, 30 % for val: ten classes alike, and of 100 to 10 rows."""
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(targets))
    val, train = order[:539], order[539:]
    uneven = [train[targets[train] == c][: round(100 * 10 ** (-c / 9))] for c in range(10)]
    for name, rows in (("digits", train), ("digits uneven", np.concatenate(uneven))):
        yield Case(name, pixels[rows], pixels[val], targets[val], 10)


def smoothed(case_k: int, setting: tuple[int, int, bool], seed: int) -> Any:
    """The method at a setting."""
    k, rounds, mutual = setting
    return methods.SmoothedKMeans(case_k, seed, "cpu", n_neighbors=k, rounds=rounds, mutual=mutual)


def ami(targets: np.ndarray, clusters: np.ndarray) -> float:
    """In per cent."""
    return 100 * score(targets, clusters).ami


def held_together(labels: np.ndarray, near: np.ndarray) -> float:
    """Share of neighbours that are in the same cluster, adjusted for what chance would give."""
    share = float((labels[near] == labels[:, None]).mean())
    chance = float(((np.bincount(labels) / len(labels)) ** 2).sum())
    return (share - chance) / max(1 - chance, 1e-12)


class Rules:
    """What each rule says of a setting, from the training rows alone."""

    def __init__(self, case: Case, seed: int) -> None:
        self.k, self.seed = case.k, seed
        self.rows = np.ascontiguousarray(unit_rows(np.asarray(case.train, dtype=np.float32)))
        centred = self.rows - self.rows.mean(axis=0)
        components = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
        self.sides = [np.ascontiguousarray(components[:, side::2]) for side in (0, 1)]
        self.near = [neighbours_of(side, _HELD).ids for side in self.sides]
        order = np.random.default_rng(seed).permutation(len(self.rows))
        self.halves = [np.sort(half) for half in np.array_split(order, 2)]
        self.near_in_half = [neighbours_of(self.rows[half], _HELD).ids for half in self.halves]

    def of_dimensions(self, setting: tuple[int, int, bool]) -> float:
        """Clusters of one half of the components, neighbours of the other."""
        found = [smoothed(self.k, setting, self.seed).fit(side).labels_ for side in self.sides]
        return float(np.mean([held_together(found[a], self.near[1 - a]) for a in (0, 1)]))

    def of_rows(self, setting: tuple[int, int, bool]) -> tuple[float, float]:
        """AMI of the clusters by both halves; neighbours held together among rows held out."""
        if len(self.halves[0]) < self.k:
            return 0.0, 0.0
        found = [
            smoothed(self.k, setting, self.seed).fit(self.rows[half]).predict(self.rows)
            for half in self.halves
        ]
        apart = [
            held_together(found[a][self.halves[1 - a]], self.near_in_half[1 - a]) for a in (0, 1)
        ]
        return ami(*found), float(np.mean(apart))


def pooled(spaces: list[np.ndarray], partitions: list[np.ndarray], k: int) -> np.ndarray:
    """Mean rank, over the spaces, of the simplified silhouette of each partition."""
    ranks = []
    for rows in spaces:
        values = [_silhouette(rows, labels, k) for labels in partitions]
        ranks.append(np.argsort(np.argsort(values)))
    mean: np.ndarray = np.mean(ranks, axis=0)
    return mean


def _silhouette(rows: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The simplified silhouette, as `choose_k` has it, of any partition in any space."""
    counts = np.bincount(labels, minlength=k)
    used = np.flatnonzero(counts)
    own = np.searchsorted(used, labels)
    means = np.zeros((len(used), rows.shape[1]))
    np.add.at(means, own, rows)
    means /= counts[used, None]
    squared = (rows**2).sum(axis=1)[:, None] + (means**2).sum(axis=1) - 2 * rows @ means.T
    away = np.sqrt(np.maximum(squared, 0.0))
    every, n = np.arange(len(rows)), counts[labels]
    inner = away[every, own] * n / np.maximum(n - 1, 1)
    away[every, own] = np.inf
    outer = away.min(axis=1)
    value = np.where(n > 1, (outer - inner) / np.maximum(outer, inner), 0.0)
    return float(value.mean())


def smoothed_rows(rows: np.ndarray, setting: tuple[int, int, bool]) -> np.ndarray:
    """Unit rows as a setting makes them."""
    k, rounds, mutual = setting
    near = Neighbourhood(rows, rows, rows, k, mutual, "cpu")
    made = Smoothing(rows, near, rounds, True).smoothed
    assert made is not None
    return made


def measured(case: Case, seed: int, others: bool) -> dict[str, Any]:
    """AMI of every setting, and what the rules say of those that they choose from."""
    found: dict[str, Any] = {"case": case.name, "seed": seed, "ami": {}, "rules": {}}
    partitions = []
    for setting in (*MUTUAL, *PLAIN):
        model = smoothed(case.k, setting, seed).fit(case.train)
        found["ami"][title(setting)] = ami(case.targets, model.predict(case.val))
        if setting in MUTUAL:
            partitions.append(model.labels_)
    for name, (method, settings) in (OTHERS if others else {}).items():
        model = methods.get(method)(case.k, random_state=seed, device="cpu", **settings)
        found["ami"][name] = ami(case.targets, model.fit(case.train).predict(case.val))
    rules = Rules(case, seed)
    spaces = [smoothed_rows(rules.rows, setting) for setting in MUTUAL]
    by_rows = [rules.of_rows(setting) for setting in MUTUAL]
    found["rules"] = {
        "halves of dimensions": [rules.of_dimensions(setting) for setting in MUTUAL],
        "halves of rows": [one for one, _ in by_rows],
        "held-out rows": [other for _, other in by_rows],
        "pooled": pooled(spaces, partitions, case.k).tolist(),
    }
    return found


def title(setting: tuple[int, int, bool]) -> str:
    """A setting for people."""
    k, rounds, mutual = setting
    return f"{'mutual ' if mutual else ''}{k} x {rounds}" if rounds else "k-means"


def regrets(found: dict[str, Any]) -> dict[str, float]:
    """Best of what the rules choose from, less what each took; of equal ones the first."""
    values = [found["ami"][title(setting)] for setting in MUTUAL]
    chosen = {name: values[int(np.argmax(said))] for name, said in found["rules"].items()}
    chosen[f"always {title(DEFAULT)}"] = found["ami"][title(DEFAULT)]
    return {name: max(values) - value for name, value in chosen.items()}


def line(cells: list[Any]) -> str:
    """Of a table."""
    return "| " + " | ".join(c if isinstance(c, str) else f"{c:.1f}" for c in cells) + " |"


def table(rows: list[tuple[str, dict[str, float]]]) -> None:
    """A line for each, and the means."""
    names = list(rows[0][1])
    print(line(["", *names]))
    print("|---" + "|--:" * len(names) + "|")
    for name, values in rows:
        print(line([name, *values.values()]))
    print(line(["mean", *(float(np.mean([v[name] for _, v in rows])) for name in names)]))


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-others", action="store_true", help="smoothing alone")
    parser.add_argument("--output", type=Path, help="everything as JSON, written after each task")
    arguments = parser.parse_args()
    found = []
    for case in cases(arguments.tasks):
        found.append(measured(case, arguments.seed, not arguments.no_others))
        print(line([case.name, *found[-1]["ami"].values()]), file=sys.stderr, flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps(found, indent=1))
    print("AMI on val rows, per cent\n")
    table([(one["case"], one["ami"]) for one in found])
    print("\nRegret, points of AMI\n")
    table([(one["case"], regrets(one)) for one in found])


if __name__ == "__main__":
    main()
