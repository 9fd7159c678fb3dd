"""Small data sets for the builders: an index, a tree and features, without files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.taxonomy import Tree


def make_index(train_counts, val_counts=3, order=None) -> DatasetIndex:
    """Class i ("c000", ...) has train_counts[i] train and val_counts[i] val samples."""
    val_counts = np.broadcast_to(val_counts, len(train_counts))
    ids, classes, split = [], [], []
    for c, (n_train, n_val) in enumerate(zip(train_counts, val_counts, strict=True)):
        for s in range(n_train + n_val):
            ids.append(f"c{c:03d}/image-{s * 7919 % 1009:04d}")
            classes.append(f"c{c:03d}")
            split.append(int(s >= n_train))
    return DatasetIndex.from_samples(ids, classes, split)[0]


def binary_tree(n_leaves) -> Tree:
    """Leaves c000.. under a heap of inner nodes r, r0, r1, r00, ...: depth log2(n_leaves)."""
    levels = int(np.log2(n_leaves))
    parents = {"r": None}
    for level in range(1, levels):
        for i in range(2**level):
            node = f"r{i:0{level}b}"
            parents[node] = node[:-1]
    for i in range(n_leaves):
        parents[f"c{i:03d}"] = f"r{i:0{levels}b}"[:-1]
    return Tree.from_parents(parents)


def clustered_features(index, noise, dim=16, seed=0) -> np.ndarray:
    """(n, dim) float32: one direction per class plus noise[class]; low noise is easy."""
    rng = np.random.Generator(np.random.PCG64(seed))
    centres = rng.standard_normal((index.n_classes, dim))
    scatter = rng.standard_normal((index.n, dim)) * np.asarray(noise)[index.labels][:, None]
    return (centres[index.labels] + scatter).astype(np.float32)


class MemoryStore:
    """Stands for a FeatureStore; remembers which rows were read."""

    identity = "0" * 64

    def __init__(self, features, encoder="memory"):
        self.features = features
        self.encoder = encoder
        self.seen = np.empty(0, dtype=np.int64)

    def read(self, rows):
        self.seen = np.union1d(self.seen, rows)
        return self.features[rows]


@dataclass
class MemoryDataset:
    """Stands for a registry Dataset."""

    index: DatasetIndex
    tree: Tree | None = None
    memory: MemoryStore | None = None
    name: str = "toy"
    tasks: str = ""
    folder: Path = Path("a-folder-that-is-not-there")

    def store(self, encoder=None):
        return self.memory
