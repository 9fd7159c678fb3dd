"""Processor time and memory of each criterion of `clusterbench.selection` at many rows.

    python scripts/measure/selection_scale.py --rows 1000000 --dim 128

Rows are made up: normal around 10,450 centres, two candidates with a fifth of their clusters drawn
anew, neighbours drawn from all rows. Each criterion runs in a process of its own; what is printed
is beyond what the inputs took.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from typing import Any

import numpy as np

from clusterbench.selection import CRITERIA, choose


def made(n: int, dim: int, k: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Rows (n, dim) float32, two candidates, and a table of 10 neighbours."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, k, n, dtype=np.int32)
    rows = rng.standard_normal((n, dim), dtype=np.float32)
    rows += rng.standard_normal((k, dim), dtype=np.float32)[labels]
    candidates = []
    for _ in range(2):
        other = labels.copy()
        anew = rng.random(n) < 0.2
        other[anew] = rng.integers(0, k, int(anew.sum()))
        candidates.append(other)
    return rows, candidates, rng.integers(0, n, (n, 10), dtype=np.int32)


def measured(criterion: Any, n: int, dim: int, k: int) -> tuple[str, float, float]:
    """Processor seconds of one candidate, and MB that are taken beside rows and candidates."""
    rows, candidates, near = made(n, dim, k)
    needs: dict[str, dict[str, Any]] = {
        "loss": {"losses": [1, 2]},
        "consistency": {"neighbours": near},
        "agreement": {},
    }
    what = needs.get(criterion, {"spaces": [rows]})
    few = np.arange(2000)  # of which the first call compiles and loads
    taken = {name: given for name, given in what.items() if name == "losses"}
    taken |= {name: near[few] % len(few) for name in what if name == "neighbours"}
    taken |= {name: [rows[few]] for name in what if name == "spaces"}
    choose([one[few] for one in candidates], criterion, **taken)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    choose(candidates, criterion, **what)
    seconds = (time.process_time() - begin) / len(candidates)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return criterion, seconds, more * 1024 / 1e6


def main() -> None:
    """Print a table for Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=10_450)
    arguments = parser.parse_args()
    sizes = arguments.rows, arguments.dim, arguments.clusters
    print("| criterion | CPU seconds a candidate | memory beside the inputs, MB |\n|---|--:|--:|")
    for criterion in CRITERIA:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            name, seconds, taken = pool.apply(measured, (criterion, *sizes))
        print(f"| {name} | {seconds:.1f} | {taken:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
