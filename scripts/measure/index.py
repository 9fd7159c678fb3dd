"""Time and peak memory of an index at the size of ImageNet-21K-P (winter21): 11,060,223 ids."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from clusterbench.sources.dataset_index import DatasetIndex
from clusterbench.sources.index_builder import IndexBuilder


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the seconds a step took and the peak of the process so far."""
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
    print(f"{what:<34} {seconds:7.1f} s   peak {peak:5.2f} GiB")


def samples(n: int, n_classes: int) -> Iterator[tuple[str, list[bytes], np.ndarray]]:
    """Class, ids as ImageNet's, and a column of offsets; class by class in a mixed-up order."""
    sizes = np.full(n_classes, n // n_classes)
    sizes[: n % n_classes] += 1
    rng = np.random.default_rng(0)
    for number in rng.permutation(n_classes).tolist():
        name = f"n{number * 7 + 1440764:08d}"
        ids = [f"{name}/{name}_{i * 13}".encode() for i in range(int(sizes[number]))]
        yield name, ids, np.arange(len(ids)) * 40_000


def main() -> None:
    """Build, hash, save, load, look up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=11_060_223)
    parser.add_argument("--classes", type=int, default=10_450)
    parser.add_argument("--lookups", type=int, default=1_000_000)
    arguments = parser.parse_args()
    builder = IndexBuilder({"container": np.int32, "offset": np.int64, "size": np.int64})
    with timed("builder: add, class by class"):
        for number, (name, ids, offset) in enumerate(samples(arguments.images, arguments.classes)):
            builder.add(ids, name, container=number, offset=offset, size=40_000)
    with timed("builder: put in order, check"):
        index, columns = builder.finish()
    del columns
    with timed("construct an index (all checks)"):
        index = DatasetIndex(index.ids, index.class_names, index.labels, index.split)
    with timed("hash"):
        digest = index.hash
    rows = np.random.default_rng(1).integers(0, index.n, arguments.lookups)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.h5"
        with timed("save"):
            index.save(path)
        print(f"{path.stat().st_size / 2**20:.0f} MiB on disk, ids {index.ids.dtype}")
        del index
        with timed("load (all checks and the hash)"):
            index = DatasetIndex.load(path)
    assert index.hash == digest
    wanted = index.ids[rows]
    with timed(f"find {len(wanted):,} ids"):
        found = index.find(wanted)
    assert np.array_equal(found, rows)


if __name__ == "__main__":
    main()
