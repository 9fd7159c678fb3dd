"""What self-labelling adds to the clusters it starts from: settings of it, on data with labels.

    python scripts/trials/self_labelling.py [--fashion DOWNLOADS] [--bases kmeans ...] [--seeds 3]

Data: 1,797 digits of scikit-learn (64 pixels); 150 made-up classes of 20 rows in 128 dimensions in
groups, each class longest in three directions of its own ("made"), and the same with sizes by
Zipf's law from 536 rows to 4 ("zipf"), or twice as far around their centres ("hard"), where half
the neighbours are of other classes; with --fashion the first 3,000 training images of
Fashion-MNIST in 128 principal components, from the folder of its train-*-ubyte.gz. Prints Markdown:
AMI in per cent of the base, and for each change of settings that of the head, the share of rows
that changed cluster and processor seconds. Labels score, and nothing else.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import clusterbench as cb
from clusterbench.methods import SelfLabelling
from clusterbench.runs import presets

#: Beside which one setting at a time is changed: those of the preset laptop.
SETTINGS = presets.load("laptop")["self-labelling"]
CHANGES: dict[str, dict[str, Any]] = {
    "laptop": {},
    "warm epochs only": {"epochs": SETTINGS["warm_epochs"]},
    "weighting inverse": {"weighting": "inverse"},
    "weighting mini-clusters": {"weighting": "mini-clusters"},
    "threshold 0.9": {"threshold": 0.9},
    "threshold 0.99": {"threshold": 0.99},
    "momentum 0": {"momentum": 0.0},
    "momentum 0.99": {"momentum": 0.99},
    "rate 1e-3": {"learning_rate": 1e-3},
    "rate 1e-2": {"learning_rate": 1e-2},
    "rate 1e-2, threshold 0.9": {"learning_rate": 1e-2, "threshold": 0.9},
    "depth 1": {"depth": 1},
    "10 neighbours": {"n_neighbors": 10},
    "twice the own epochs": {"epochs": 2 * SETTINGS["epochs"] - SETTINGS["warm_epochs"]},
}

Data = tuple[np.ndarray, np.ndarray]


def digits() -> Data:
    """Pixels of 8 x 8."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data.astype(np.float32), found.target


def made(zipf: bool = False, spread: float = 1.0) -> Data:
    """Classes in groups, in dimensions of falling scale; rows lie by `spread` around them."""
    rng, k, dim = np.random.default_rng(0), 150, 128
    share = 1 / np.arange(1, k + 1) if zipf else np.ones(k)
    sizes = np.maximum(3, np.round(20 * k * share / share.sum())).astype(int)
    groups = rng.normal(size=(k // 6, dim))
    centers = groups[rng.integers(0, k // 6, k)] + 0.9 * rng.normal(size=(k, dim))
    targets = np.repeat(np.arange(k), sizes)
    longest = rng.normal(size=(k, 3, dim))[targets]
    noise = 0.75 * rng.normal(size=(len(targets), dim))
    noise += 0.35 * np.einsum("ni,nid->nd", rng.normal(size=(len(targets), 3)), longest)
    scale = np.arange(1, dim + 1) ** -0.5
    return ((centers[targets] + spread * noise) * scale).astype(np.float32), targets


def fashion(folder: Path) -> Data:
    """The first training images, in principal components."""
    import gzip

    def content(kind: str, header: int) -> np.ndarray:
        with gzip.open(folder / f"train-{kind}-ubyte.gz") as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    pixels = content("images-idx3", 16).reshape(-1, 784)[:3000] / 255.0
    pixels -= pixels.mean(axis=0)
    components = np.linalg.svd(pixels, full_matrices=False)[2][:128]
    return (pixels @ components.T).astype(np.float32), content("labels-idx1", 8)[:3000]


def row(base: str, change: dict[str, Any], data: Data, seeds: int) -> str:
    """A cell: AMI of the base, of the head, changed rows and seconds; means over seeds."""
    X, targets = data
    k, found = len(np.unique(targets)), []
    for seed in range(seeds):
        before = cb.methods.get(base)(k, random_state=seed, device="cpu").fit(X).labels_
        settings = {**SETTINGS, **change}
        begin = time.process_time()
        head = SelfLabelling(k, random_state=seed, device="cpu", base=base, **settings).fit(X)
        seconds = time.process_time() - begin
        amis = [100 * cb.score(targets, labels).ami for labels in (before, head.labels_)]
        found.append([*amis, 100 * head.diagnostics_["changed"], seconds])
    before_, after, changed, seconds = np.mean(found, axis=0)
    return f"{before_:.1f} > {after:.1f} ({changed:.0f} %, {seconds:.1f} s)"


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    options.add_argument("--fashion", type=Path)
    options.add_argument("--bases", nargs="+", default=["kmeans", "smoothed-kmeans"])
    options.add_argument("--changes", nargs="+", choices=tuple(CHANGES), default=list(CHANGES))
    options.add_argument("--data", nargs="+", default=["fashion", "digits", "made", "zipf", "hard"])
    options.add_argument("--seeds", type=int, default=1)
    given = options.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    data = {"digits": digits(), "made": made(), "zipf": made(zipf=True), "hard": made(spread=2.0)}
    if given.fashion:
        data = {"fashion": fashion(given.fashion), **data}
    data = {name: one for name, one in data.items() if name in given.data}
    for base in given.bases:
        print(f"\n| after {base} | {' | '.join(data)} |\n|---|{'---|' * len(data)}")
        for name in given.changes:
            cells = [row(base, CHANGES[name], one, given.seeds) for one in data.values()]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
