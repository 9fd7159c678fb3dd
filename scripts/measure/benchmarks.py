"""Time, peak memory and hashes of all tasks on a simulated ImageNet-21K-P (winter 2021).

    python scripts/measure/benchmarks.py [--output FILE]

The index has the real 10,450 wnids, 11,060,223 train rows with log-normal class sizes and 50 val
rows per class; there are no images or features. `easy` takes a simulated ranking of the classes,
and tasks that need features are left out. Run it twice: the hashes must be the same.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from clusterbench.benchmarks import build, names
from clusterbench.benchmarks.declaration import find
from clusterbench.benchmarks.difficulty.class_ranking import (
    MEASURES,
    ClassRanking,
    RankingColumn,
    RankingSettings,
)
from clusterbench.benchmarks.difficulty.easiness import FILE
from clusterbench.benchmarks.difficulty.ranking_file import write_ranking
from clusterbench.datasets.registry import Dataset
from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.taxonomy import imagenet

N_TRAIN, N_VAL = 11_060_223, 50
LEAST = 451  # more than 500 images, of which 50 are for validation
KIND = "imagenet21k-p"


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds a step took and the peak of the process so far."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(f"{what:<40} {seconds:7.1f} s   peak {peak:5.2f} GiB", flush=True)


def class_sizes(n_classes: int) -> np.ndarray:
    """(n_classes,) int64 train images: log-normal above the least, summing to N_TRAIN."""
    rng = np.random.Generator(np.random.PCG64(0))
    weight = rng.lognormal(0.0, 0.5, n_classes)
    extra = N_TRAIN - LEAST * n_classes
    sizes: np.ndarray = LEAST + np.floor(weight * (extra / weight.sum())).astype(np.int64)
    sizes[: N_TRAIN - int(sizes.sum())] += 1
    return sizes


def simulated_index() -> DatasetIndex:
    """Ids as ImageNet's, `n01440764/n01440764_17`; the first 50 of each class are val."""
    classes = imagenet.classes(KIND)
    total = class_sizes(len(classes)) + N_VAL
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), total)
    number = np.arange(len(labels)) - np.repeat(np.cumsum(total) - total, total)
    wnids = np.array(classes, dtype="S9")
    ids = np.empty(len(labels), dtype="S26")
    for start in range(0, len(labels), 1 << 20):
        part = slice(start, start + (1 << 20))
        wnid = wnids[labels[part]]
        text = np.char.zfill(number[part].astype("S6"), 6)  # zeros keep the order of ids
        ids[part] = np.char.add(np.char.add(np.char.add(wnid, b"/"), np.char.add(wnid, b"_")), text)
    split = (number < N_VAL).astype(np.uint8)
    return DatasetIndex(ids, tuple(classes), labels, split)


class SimulatedDataset(Dataset):
    """A data set of an index and a tree alone."""

    def __init__(self, index: DatasetIndex, folder: Path) -> None:
        super().__init__("simulated", folder, {}, "none", "paper", tasks=KIND)
        self.__dict__["index"] = index
        self.__dict__["tree"] = imagenet.load(KIND)


def simulated_ranking(index: DatasetIndex) -> ClassRanking:
    """Counts of 50 images per class, by two encoders that agree on how easy a class is."""
    rng = np.random.Generator(np.random.PCG64(1))
    easiness = rng.beta(2, 2, index.n_classes)
    settings = RankingSettings(seed=0, images_per_class=50)
    columns = []
    for encoder in ("one", "two"):
        for measure in MEASURES:
            correct = rng.binomial(50, easiness).astype(np.int64)
            same = correct * 10 if measure == "knn" else None
            columns.append(RankingColumn(encoder, "0" * 64, measure, correct, same))
    return ClassRanking(index.hash, settings, index.class_names, tuple(columns))


def main() -> None:
    """Build every family and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="write hashes and factors as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.output)


def measure(folder: Path, output: Path | None) -> None:
    """Build every family; `folder` takes the ranking."""
    with timed("index of the data set (simulated)"):
        dataset = SimulatedDataset(simulated_index(), folder)
        print(f"{dataset.index.n:,} rows, index {dataset.index.hash[:12]}")
    write_ranking(simulated_ranking(dataset.index), dataset.folder / FILE)
    start = time.perf_counter()
    found = {}
    for name in names():
        if KIND not in find(name).datasets:
            continue
        with timed(name):
            for task in build(name, dataset):
                found[f"{name}/{task.name}"] = [task.manifest_hash, dict(task.factors)]
    print(f"{len(found)} tasks in {time.perf_counter() - start:.1f} s")
    if output:
        output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
