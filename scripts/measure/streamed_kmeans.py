"""k-means on a store larger than memory: seconds, and memory beyond what Python takes anyway.

    python scripts/measure/streamed_kmeans.py /big/disk/folder              # 30 GB; it is kept
    python scripts/measure/streamed_kmeans.py /tmp/x --rows 500000 --clusters 20

The rows are those of `measure/store.py`. They are read once for their extent, once for zeros, once
for the start and once for each iteration; where /proc/sys/vm/drop_caches can be written, caches are
emptied before.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import time
from pathlib import Path

import numpy as np
from store import make_store  # the script beside this one

from clusterbench.methods import KMeans


def resident_mib() -> float:
    """Most memory that was resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the store if it is not there, cluster it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=19_500_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--clusters", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=3)
    arguments = parser.parse_args()
    store = make_store(arguments.folder, arguments.rows, arguments.dim, 1000)
    few = store.read(np.arange(2000))
    KMeans(arguments.clusters, device="cpu").fit(few)  # libraries and compiled code
    with contextlib.suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("3")
    before, began = resident_mib(), time.perf_counter()
    times: list[float] = []
    found = KMeans(arguments.clusters, n_init=1, max_iter=arguments.iterations, device="cpu").fit(
        store, progress=lambda done, total: times.append(time.perf_counter() - began)
    )
    seconds = time.perf_counter() - began
    print(
        f"{store.n:,} x {store.dim} float16, {store.nbytes / 1e9:.1f} GB, "
        f"K = {arguments.clusters}: "
        f"{found.n_iter_} iterations in {seconds:.0f} s, objectives "
        f"{', '.join(f'{o:.0f}' for o in found.objectives_)}; "
        f"{resident_mib() - before:.0f} MiB more resident than before ({before:.0f} MiB)"
    )
    print("iterations ended at " + ", ".join(f"{t:.0f} s" for t in times[1:-1]))


if __name__ == "__main__":
    main()
