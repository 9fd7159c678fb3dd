"""Print the figures of an embedded data set's card: sizes, neighbours, k-means.

python scripts/measure/embedded_sets.py features/icons-wordnet [--encoder NAME]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from clusterbench.datasets import registry
from clusterbench.methods import KMeans
from clusterbench.metrics import random_floor, score

SEEDS = (0, 1, 2)
NEIGHBOURS = (1, 20)
_BLOCK = 512


def main() -> None:
    """Print sizes, k-NN accuracies and k-means scores at every level."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--encoder")
    arguments = options.parse_args()
    data = registry.read(arguments.folder)
    store = data.store(arguments.encoder)
    index = store.index
    features = store.read()
    counts = np.bincount(index.labels, minlength=index.n_classes)
    n_train, n_val = len(index.rows("train")), len(index.rows("val"))
    print(f"{index.n} images, {index.n_classes} classes, {n_train} train, {n_val} val")
    print("class sizes", np.percentile(counts, (0, 25, 50, 75, 90, 100)).astype(int).tolist())
    for least in (8, 10, 16, 22, 50, 100):
        print(f"classes of >= {least}: {(counts >= least).sum()}")
    for depth, labels, n_classes in levels(data, index.labels):
        accuracy = neighbours(features, labels)
        print(f"{depth}: {n_classes} classes, leave-one-out k-NN", accuracy)
        kmeans(features, labels, n_classes, index.rows("train"), index.rows("val"))


def levels(data: registry.Dataset, labels: np.ndarray) -> list[tuple[str, np.ndarray, int]]:
    """The classes, and for a tree of three levels its cuts."""
    found = [("classes", labels, data.index.n_classes)]
    tree = data.tree
    if tree is not None and tree.depth.max() == 2:
        for depth in (1, 0):
            cut = tree.cut(depth)[tree.find(data.index.class_names)]
            nodes, group = np.unique(cut, return_inverse=True)
            found.append((f"depth {depth}", group[labels], len(nodes)))
    return found


def neighbours(features: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """Leave-one-out accuracy of cosine k-NN by majority, ties to the class of the nearest."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    most = max(NEIGHBOURS)
    right = dict.fromkeys(NEIGHBOURS, 0)
    for first in range(0, len(unit), _BLOCK):
        similar = unit[first : first + _BLOCK] @ unit.T
        rows = np.arange(len(similar))
        similar[rows, first + rows] = -np.inf
        near = np.argpartition(-similar, most, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(similar, near, axis=1), axis=1, kind="stable")
        found = labels[np.take_along_axis(near, order, axis=1)]
        for k in NEIGHBOURS:
            votes = (found[:, :k, None] == found[:, None, :k]).sum(axis=2)
            chosen = found[rows, votes.argmax(axis=1)]  # the first, so the nearest, of the most
            right[k] += int((chosen == labels[first : first + _BLOCK]).sum())
    return {k: round(count / len(labels), 4) for k, count in right.items()}


def kmeans(
    features: np.ndarray, labels: np.ndarray, n_classes: int, train: np.ndarray, val: np.ndarray
) -> None:
    """k-means with one cluster per class, fitted on train, scored on val: mean over seeds."""
    scores = []
    for seed in SEEDS:
        model = KMeans(n_clusters=n_classes, random_state=seed, device="cpu", n_init=1)
        scores.append(score(labels[val], model.fit(features[train]).predict(features[val])))
    floor = random_floor(labels[val], n_classes, n_repeats=3, seed=0)
    for name in ("acc", "nmi", "ami", "ari"):
        values = [getattr(one, name) for one in scores]
        print(f"  k-means {name}: {np.mean(values):.3f} (random {getattr(floor, name):.3f})")


if __name__ == "__main__":
    main()
