"""Reading a store of ImageNet-21K's size: in file order beside np.memmap, class subsets, shuffled.

    python scripts/measure/store.py /big/disk/folder          # 30 GB; the store is kept
    python scripts/measure/store.py /tmp/x --rows 500000      # a smaller trial

Rows are synthetic: one random block, rolled for each shard. np.memmap reads the same bytes of the
same files. Rounds take turns; where /proc/sys/vm/drop_caches can be written, caches are emptied
before each, so that the disk is measured and not the memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

from clusterbench import FeatureStore
from clusterbench.features.store.layout import shard_name
from clusterbench.features.store.shard_file import write_shard
from clusterbench.features.store.writer import (
    SHARD_ROWS,
    finish_store,
    require_space,
    shard_entry,
)
from clusterbench.files import sha256_json
from clusterbench.sources.dataset_index import DatasetIndex

_BLOCK = 8 << 20  # bytes that memmap copies at a time, as the store does
_CACHES = Path("/proc/sys/vm/drop_caches")


def make_store(folder: Path, n: int, dim: int, n_classes: int) -> FeatureStore:
    """A float16 store of n rows in n_classes classes of equal size."""
    if (folder / "store.json").is_file():
        return FeatureStore.open(folder)
    require_space(folder, n * dim * 2)
    labels = (np.arange(n) * n_classes // n).astype(np.int32)
    names = tuple(f"n{number:08d}" for number in range(n_classes))
    ids = np.empty(n, "S19")
    for label in range(n_classes):
        members = slice(*_bounds(label, n, n_classes)) if n >= 1e6 else labels == label
        count = len(labels[members])
        ids[members] = [f"{names[label]}/{i:08d}".encode() for i in range(count)]
    index = DatasetIndex(ids, names, labels, np.zeros(n, np.uint8))
    block = np.random.default_rng(0).standard_normal((SHARD_ROWS, dim)).astype(np.float16)
    identity = sha256_json("synthetic")
    shards = []
    for number, start in enumerate(range(0, n, SHARD_ROWS)):
        rows = min(SHARD_ROWS, n - start)
        path = folder / shard_name(number)
        digest = write_shard(
            path, np.roll(block, number * 97, axis=0)[:rows], start=start, identity=identity
        )
        shards.append(shard_entry(path, start, rows, digest))
    finish_store(
        folder,
        index=index,
        fields={"encoder": "synthetic", "details": {}, "dtype": "float16", "index": index.hash},
        shard_identity=identity,
        shards=shards,
        dim=dim,
        dtype=np.dtype("<f2"),
        shard_rows=SHARD_ROWS,
    )
    return FeatureStore.open(folder)


def _bounds(label: int, n: int, n_classes: int) -> tuple[int, int]:
    return -(-label * n // n_classes), -(-(label + 1) * n // n_classes)


def read_memmap(store: FeatureStore) -> int:
    """Copy every row out of np.memmaps of the shards; bytes."""
    done = 0
    step = max(1, _BLOCK // (store.dim * 2))
    for shard in store.shards:
        offset = store._offset(shard)
        rows = np.memmap(shard.path, store.dtype, "r", offset, (shard.rows, store.dim))
        for first in range(0, shard.rows, step):
            done += np.array(rows[first : first + step]).nbytes
    return done


def read_blocks(store: FeatureStore) -> int:
    """Every row through `FeatureStore.blocks`, checked for NaN; bytes."""
    return sum(block.nbytes for _, block in store.blocks(dtype=store.dtype))


def read_float32(store: FeatureStore) -> int:
    """The same as float32; bytes on disk."""
    return sum(block.nbytes // 2 for _, block in store.blocks())


def timed(work: Callable[[FeatureStore], int], store: FeatureStore) -> float:
    """GB/s, from the disk where the caches can be emptied."""
    empty_caches()
    started = time.perf_counter()
    count = work(store)
    return count / (time.perf_counter() - started) / 1e9


def empty_caches() -> bool:
    """Whether the file cache could be emptied."""
    try:
        _CACHES.write_text("1\n")
    except OSError:
        return False
    return True


def subset(store: FeatureStore, n_chosen: int, memory: int, shuffled: bool) -> dict[str, float]:
    """Rows/s and what was allocated, for random classes within a memory budget."""
    rng = np.random.default_rng(2)
    chosen = rng.choice(store.index.class_names, n_chosen, replace=False).tolist()
    rows = store.rows_of(chosen)
    empty_caches()
    tracemalloc.start()
    started = time.perf_counter()
    blocks = (
        store.shuffled_blocks(seed=0, rows=rows, memory=memory)
        if shuffled
        else store.subset_blocks(rows, memory=memory)
    )
    done = sum(len(part) for part, _ in blocks)
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done == len(rows)
    return {
        "classes": n_chosen,
        "rows": done,
        "seconds": round(seconds, 2),
        "rows_per_second": round(done / seconds),
        "budget_MB": memory / 2**20,
        "allocated_MB": round(peak / 2**20, 1),
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=11_060_223)
    parser.add_argument("--dim", type=int, default=1360)
    parser.add_argument("--classes", type=int, default=10_450)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    started = time.perf_counter()
    store = make_store(options.folder, options.rows, options.dim, options.classes)
    print(
        f"store: {store.nbytes / 1e9:.1f} GB in {time.perf_counter() - started:.0f} s",
        file=sys.stderr,
    )
    started = time.perf_counter()
    FeatureStore.open(options.folder)
    opening = time.perf_counter() - started
    works = {"memmap": read_memmap, "blocks": read_blocks, "float32": read_float32}
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(options.rounds):
        for name, work in works.items():
            speeds[name].append(timed(work, store))
            print(f"round {turn}, {name}: {speeds[name][-1]:.2f} GB/s", file=sys.stderr)
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps(
            {
                "GB": round(store.nbytes / 1e9, 2),
                "rows": store.n,
                "dim": store.dim,
                "caches_emptied": empty_caches(),
                "open_seconds": round(opening, 2),
                "GB_per_second": {k: round(statistics.median(v), 2) for k, v in speeds.items()},
                "blocks/memmap": round(
                    statistics.median(
                        a / b for a, b in zip(speeds["blocks"], speeds["memmap"], strict=True)
                    ),
                    3,
                ),
                "peak_rss_GB_reading_all": round(peak_before, 2),
                "subset": [
                    subset(store, 100, 64 << 20, False),
                    subset(store, 1000, 256 << 20, False),
                ],
                "shuffled": subset(store, 1000, 256 << 20, True),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
