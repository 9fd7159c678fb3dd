"""What each part of P2OT does on made-up clusters: AMI in per cent, means over seeds.

    python scripts/trials/p2ot_parts.py [--seeds 4] [--only NAME]

Ten Gaussians in 16 dimensions, 800 rows, the largest as large as the smallest or 30 times; and 150
on the leaves of a tree in 128 dimensions, 3,000 rows, whose mean is far from zero.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from clusterbench import score
from clusterbench.methods import P2OT

VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    'kl="equal"': {"kl": "equal"},
    "kl=0.3": {"kl": 0.3},
    "rho=1 from the start": {"rho": 1.0, "progressive": False},
    "rho=0.5 throughout": {"rho": 0.5, "progressive": False},
    "no memory": {"memory": 0},
    'scaling="standardize"': {"scaling": "standardize"},
}
GAUSSIANS = {"epochs": 12, "batch_size": 100, "n_neighbors": 10, "learning_rate": 5e-2}
TREE = {"epochs": 12, "batch_size": 256, "n_neighbors": 6, "learning_rate": 1e-2}


def sizes(n: int, n_clusters: int, ratio: float) -> np.ndarray:
    """Targets of n rows, of geometric class sizes."""
    share = ratio ** (-np.arange(n_clusters) / (n_clusters - 1))
    return np.repeat(np.arange(n_clusters), (n * share / share.sum()).round().astype(int))


def gaussians(ratio: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of well separated clusters, and their targets."""
    rng, targets = np.random.default_rng(seed), sizes(800, 10, ratio)
    centers = 4.0 * rng.normal(size=(10, 16))
    return centers[targets] + rng.normal(size=(len(targets), 16)), targets


def leaves(ratio: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of clusters that lie in twelve branches and overlap, and their targets."""
    rng, targets = np.random.default_rng(seed), sizes(3000, 150, ratio)
    scale = np.arange(1, 129) ** -0.5
    scale /= np.sqrt((scale**2).mean())
    branches = rng.normal(size=(12, 128))
    centers = 0.7 * branches[rng.integers(12, size=150)] + 0.6 * rng.normal(size=(150, 128))
    rows = (centers[targets] + rng.normal(size=(len(targets), 128))) * scale
    turned, _ = np.linalg.qr(rng.normal(size=(128, 128)))
    return (rows + 1.5 * rng.normal(size=128)) @ turned, targets


def main() -> None:
    """Print a table for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--only", nargs="*", default=["gaussians", "leaves"])
    asked = parser.parse_args()
    for of in asked.only:
        made, settings, n_clusters, memory = {
            "gaussians": (gaussians, GAUSSIANS, 10, 200),
            "leaves": (leaves, TREE, 150, 512),
        }[of]
        print(f"| {of} | 1:1 | 1:30 | clusters used at 1:30 | CPU s a fit |")
        print("|---|--:|--:|--:|--:|")
        for name, changed in VARIANTS.items():
            begin, found, used = time.process_time(), [], 0
            for ratio in (1.0, 30.0):
                amis = []
                for seed in range(asked.seeds):
                    X, targets = made(ratio, seed)
                    chosen = {
                        "n_heads": 2,
                        "select": "loss",
                        "memory": memory,
                        "device": "cpu",
                        **settings,
                    }
                    labels = P2OT(n_clusters, seed, **{**chosen, **changed}).fit_predict(X)
                    amis.append(100.0 * score(targets, labels).ami)
                    used += len(np.unique(labels)) if ratio > 1 else 0
                found.append(f"{np.mean(amis):.1f} ({np.min(amis):.1f})")
            seconds = (time.process_time() - begin) / (2 * asked.seeds)
            print(f"| {name} | {' | '.join(found)} | {used / asked.seeds:.0f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
