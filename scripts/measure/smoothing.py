"""Averages of neighbours before k-means: which settings, chosen by which rule without labels.

    python scripts/measure/smoothing.py --also digits         # some 10 minutes
    python scripts/measure/smoothing.py --tasks ratio-1 "digits pixels" --further --no-rules
    python scripts/measure/smoothing.py --tasks --also digits --per-class 4 8 --no-rules

Prints tables for Markdown: AMI in per cent on the val rows, of clusters
fitted on the train rows, for each setting; then for each rule the regret, the best AMI of the
settings that it chooses from less the AMI of what it chose. Labels score, and nothing else.

Rules: "halves of dimensions", clusters of one half of the principal components hold neighbours of
the other half together; "halves of rows", the AMI of all rows' clusters by fits on two halves;
"held-out rows", clusters fitted on half the rows hold neighbours among the other rows together;
"pooled", ranks of the simplified silhouette of each setting's clusters in every setting's space,
averaged (after ACE, arXiv 2403.14830); "auto", what the method does when nothing is set.
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

#: Neighbours, rounds, mutual.
Setting = tuple[int, int, bool]
#: Settings that a rule chooses from; no rounds are k-means.
CHOICES: list[Setting] = [
    (7, 0, True),
    (3, 2, False),
    (5, 2, False),
    (10, 2, False),
    (5, 2, True),
    (7, 2, True),
    (10, 2, True),
    (20, 2, True),
]
#: Settings that are scored beside them.
FURTHER: list[Setting] = [
    *((k, rounds, False) for k in (2, 3, 4, 5, 7, 10, 20) for rounds in (1, 2, 3)),
    *((k, rounds, True) for k in (5, 7, 10, 15, 20) for rounds in (1, 2, 3)),
]
#: Settings that are always the same.
FIXED: list[Setting] = [(3, 2, False), (5, 2, False), (7, 2, True), (10, 2, True)]
#: Other methods that are scored beside them.
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "spectral 5": ("spectral", {"n_neighbors": 5}),
    "spectral 10": ("spectral", {"n_neighbors": 10}),
    "leiden 5": ("leiden", {"n_neighbors": 5}),
    "leiden 10": ("leiden", {"n_neighbors": 10}),
}
TASKS = {
    "icons-wordnet": {
        "imbalanced": ["ratio-1", "ratio-30", "window-50"],
        "granularity": ["fine", "coarse-50", "depth-6"],
        "easy": ["easiest", "hardest"],
        "scale": ["images-4"],
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


def cases(wanted: list[str] | None, also: list[str], per_class: list[int]) -> Iterator[Case]:
    """Tasks of the data sets that ship, digits' pixels, and other data sets as they are."""
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
        if wanted is None or case.name in wanted:
            yield case
    for name in also:
        case, labels = whole(name)
        if not per_class:
            yield case
        for number in per_class:
            yield from few(case, labels, number)


def whole(name: str) -> tuple[Case, np.ndarray]:
    """All train rows of a data set of one's own, scored on all val rows; classes of the former."""
    dataset = registry.load(name)
    store = dataset.store()
    index = store.index
    train, val = (index.rows(split) for split in ("train", "val"))
    rows = store.read(train), store.read(val)
    return Case(name, *rows, index.labels[val], index.n_classes), index.labels[train]


def few(case: Case, labels: np.ndarray, number: int) -> Iterator[Case]:
    """So many training rows of each class, drawn three times, scored on 2,000 rows."""
    rng = np.random.default_rng(number)
    scored = rng.permutation(len(case.val))[:2000]
    for _ in range(3):
        rows = [rng.choice(np.flatnonzero(labels == c), number, False) for c in range(case.k)]
        yield Case(
            f"{case.name}, {number} a class",
            case.train[np.sort(np.concatenate(rows))],
            case.val[scored],
            case.targets[scored],
            case.k,
        )


def digits() -> Iterator[Case]:
    """scikit-learn's digits, 30 % for val: ten classes alike, and of 100 to 10 rows."""
    from sklearn.datasets import load_digits

    pixels, targets = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(targets))
    val, train = order[:539], order[539:]
    uneven = [train[targets[train] == c][: round(100 * 10 ** (-c / 9))] for c in range(10)]
    for name, rows in (("digits pixels", train), ("digits pixels uneven", np.concatenate(uneven))):
        yield Case(name, pixels[rows], pixels[val], targets[val], 10)


def smoothed(case_k: int, setting: Setting, seed: int) -> Any:
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

    def of_dimensions(self, setting: Setting) -> float:
        """Clusters of one half of the components, neighbours of the other."""
        found = [smoothed(self.k, setting, self.seed).fit(side).labels_ for side in self.sides]
        return float(np.mean([held_together(found[a], self.near[1 - a]) for a in (0, 1)]))

    def of_rows(self, setting: Setting) -> tuple[float, float]:
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


def smoothed_rows(rows: np.ndarray, setting: Setting) -> np.ndarray:
    """Unit rows as a setting makes them."""
    k, rounds, mutual = setting
    near = Neighbourhood(rows, rows, rows, k, mutual, "cpu")
    made = Smoothing(rows, near, rounds, True).smoothed
    assert made is not None
    return made


def measured(case: Case, seed: int, rules: bool, further: bool) -> dict[str, Any]:
    """AMI of every setting, and what the rules say of those that they choose from."""
    found: dict[str, Any] = {"case": case.name, "n": len(case.train), "k": case.k, "ami": {}}
    partitions = []
    for setting in dict.fromkeys([*CHOICES, *(FURTHER if further else [])]):
        model = smoothed(case.k, setting, seed).fit(case.train)
        found["ami"][title(setting)] = ami(case.targets, model.predict(case.val))
        partitions.append(model.labels_)
    model = methods.SmoothedKMeans(case.k, seed, "cpu").fit(case.train)
    found["ami"]["auto"] = ami(case.targets, model.predict(case.val))
    for name, (method, settings) in OTHERS.items():
        model = methods.get(method)(case.k, random_state=seed, device="cpu", **settings)
        found["ami"][name] = ami(case.targets, model.fit(case.train).predict(case.val))
    if not rules:
        return found
    judge = Rules(case, seed)
    spaces = [smoothed_rows(judge.rows, setting) for setting in CHOICES]
    by_rows = [judge.of_rows(setting) for setting in CHOICES]
    found["rules"] = {
        "halves of dimensions": [judge.of_dimensions(setting) for setting in CHOICES],
        "halves of rows": [one for one, _ in by_rows],
        "held-out rows": [other for _, other in by_rows],
        "pooled": pooled(spaces, partitions[: len(CHOICES)], case.k).tolist(),
    }
    return found


def title(setting: Setting) -> str:
    """A setting for people."""
    k, rounds, mutual = setting
    return f"{'mutual ' if mutual else ''}{k} x {rounds}" if rounds else "k-means"


def regrets(found: dict[str, Any]) -> dict[str, float]:
    """Best of what the rules choose from, less what each took; of equal ones the first."""
    values = [found["ami"][title(setting)] for setting in CHOICES]
    chosen = {name: values[int(np.argmax(said))] for name, said in found["rules"].items()}
    for setting in FIXED:
        chosen[f"always {title(setting)}"] = found["ami"][title(setting)]
    chosen["auto"] = found["ami"]["auto"]
    return {name: max(values) - value for name, value in chosen.items()}


def line(cells: list[Any]) -> str:
    """Of a table."""
    return "| " + " | ".join(c if isinstance(c, str) else f"{c:.1f}" for c in cells) + " |"


def table(rows: list[tuple[str, dict[str, float]]]) -> None:
    """A line for each name, and the means of all rows."""
    columns = list(rows[0][1])

    def mean(of: list[dict[str, float]]) -> list[float]:
        return [float(np.mean([values[column] for values in of])) for column in columns]

    print(line(["", *columns]))
    print("|---" + "|--:" * len(columns) + "|")
    for name in dict.fromkeys(name for name, _ in rows):
        print(line([name, *mean([values for other, values in rows if other == name])]))
    print(line(["mean", *mean([values for _, values in rows])]))


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="*", metavar="NAME", help="of those that ship")
    parser.add_argument("--also", nargs="*", default=[], metavar="DATASET", help="one's own")
    parser.add_argument(
        "--per-class", nargs="*", type=int, default=[], metavar="N", help="few rows of these"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-rules", action="store_true", help="score settings, no more")
    parser.add_argument("--further", action="store_true", help="score a finer grid of settings")
    parser.add_argument("--output", type=Path, help="everything as JSON, written after each task")
    arguments = parser.parse_args()
    found = []
    for case in cases(arguments.tasks, arguments.also, arguments.per_class):
        rules = not arguments.no_rules
        found.append(measured(case, arguments.seed, rules, arguments.further))
        print(case.name, file=sys.stderr, flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps(found, indent=1))
    print("AMI on val rows, per cent\n")
    table([(one["case"], one["ami"]) for one in found])
    if not arguments.no_rules:
        print("\nRegret, points of AMI\n")
        table([(one["case"], regrets(one)) for one in found])


if __name__ == "__main__":
    main()
