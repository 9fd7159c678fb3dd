"""AMI of TURTLE with few steps, by its settings, on made-up classes and on scikit-learn's digits.

    python scripts/trials/turtle_settings.py [SEEDS]

Last come ten well separated Gaussians of equal and of unequal sizes, by the weight of the entropy.
By the others the table `turtle` of benchmarks/presets/laptop.toml was chosen. Of the made-up
classes, 150 of unequal sizes, 20 rows each on average, groups lie apart, and dimensions lose
variance one after the other as those of features do.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from clusterbench import score
from clusterbench.methods import TURTLE, KMeans

FEW: dict[str, Any] = {
    "steps": 120,
    "batch_size": 2048,
    "learning_rate": 1e-2,
    "inner_steps": 5,
    "inner_learning_rate": 3e-2,
}
WARM: dict[str, Any] = {"warm_start": True, "inner_learning_rate": 1e-2}
CHANGES: list[dict[str, Any]] = [
    {},
    {"gamma": 3.0},
    {"gamma": 1.5},
    WARM,
    {**WARM, "gamma": 3.0},
]


def made_up(seed: int = 1, k: int = 150, n: int = 3000, dim: int = 128) -> tuple[Any, Any]:
    """Rows, (n, dim) float32, and their classes."""
    rng = np.random.default_rng(seed)
    share = np.arange(1, k + 1) ** -0.5
    drawn = rng.choice(k, n - 4 * k, p=share / share.sum())
    y = np.concatenate([np.repeat(np.arange(k), 4), drawn])
    groups = rng.normal(size=(k // 8 + 1, dim))
    centers = groups[rng.integers(0, len(groups), k)] + 0.55 * rng.normal(size=(k, dim))
    X = (centers[y] + 1.6 * rng.normal(size=(n, dim))) * np.geomspace(1, 0.15, dim)
    return X.astype(np.float32), y


def gaussians(sizes: list[int]) -> tuple[Any, Any]:
    """Rows, (n, 16) float32, and their classes, at distance 5.7 with standard deviation 0.5."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = 4.0 * np.eye(len(sizes), 16)[y]
    X += 0.5 * np.random.default_rng(0).normal(size=X.shape)
    return X.astype(np.float32), y


def main() -> None:
    """Print a line for each setting."""
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    torch.set_num_threads(1)
    digits = load_digits()
    for name, (X, y), k in (
        ("made-up", made_up(), 150),
        ("digits", (digits.data.astype(np.float32), digits.target), 10),
    ):
        for scaling in ("l2", "standardize"):
            labels = KMeans(k, device="cpu", scaling=scaling).fit_predict(X)
            print(f"{name} kmeans {scaling}: AMI {100 * score(y, labels).ami:.1f}")
        for change in CHANGES:
            begin, found = time.process_time(), []
            for seed in seeds:
                labels = TURTLE(k, seed, "cpu", **{**FEW, **change}).fit_predict(X)
                found.append((100 * score(y, labels).ami, len(np.unique(labels))))
            seconds = (time.process_time() - begin) / len(seeds)
            ami, used = np.mean(found, axis=0)
            print(f"{name} {change}: AMI {ami:.1f}, {used:.0f} clusters, {seconds:.1f} s of CPU")
    few: dict[str, Any] = {
        "steps": 150,
        "learning_rate": 1e-2,
        "inner_steps": 5,
        "inner_learning_rate": 0.1,
    }
    for sizes in ([60] * 10, [300, 206, 141, 97, 66, 45, 31, 21, 15, 10]):
        X, y = gaussians(sizes)
        for gamma in (10.0, 3.0, 1.0, 0.5, 0.3):
            found = []
            for seed in seeds:
                labels = TURTLE(10, seed, "cpu", 2, gamma=gamma, select="loss", **few).fit_predict(
                    X
                )
                found.append((score(y, labels).ami, len(np.unique(labels))))
            amis, used = zip(*found, strict=True)
            print(
                f"sizes {sizes[0]} to {sizes[-1]}, gamma {gamma:g}: AMI {np.mean(amis):.3f}, "
                f"{min(used)} clusters or more"
            )


if __name__ == "__main__":
    main()
