"""k-means side by side with faiss, SuperKMeans, scikit-learn and fastkmeans, full data.

    pip install '.[compare]'
    python scripts/compare_kmeans.py                       # made-up data of three shapes
    python scripts/compare_kmeans.py --features X.npy --clusters 1906
    python scripts/compare_kmeans.py --device cuda --shapes 1280000,768,1000

Prints Markdown. Every engine runs in a process of its own with the same threads, on the same rows
of unit length, all of them, from its own start; faiss's 25 iterations from one random start are
the measure. Objectives are computed afterwards in float64 by one and the same routine. "to
faiss's" is the time until the objective was no higher than that of faiss's 25 iterations. Peak
memory is what the resident set grew by beyond the data (Linux).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ITERATIONS = 25
SHAPES = ("25000,1280,1906", "105000,120,20992", "200000,768,2000")


def made_up(n: int, dim: int, k: int, seed: int = 0) -> np.ndarray:
    """Unit rows around k centres whose spread lies in few directions, as features' does."""
    rng = np.random.default_rng(seed)
    rank = min(dim, 64)
    directions = rng.normal(size=(rank, dim)).astype(np.float32)
    directions *= (np.arange(1, rank + 1) ** -0.5)[:, None].astype(np.float32)
    centres = rng.normal(size=(k, rank)).astype(np.float32)
    rows = np.empty((n, dim), dtype=np.float32)
    for start in range(0, n, 16_384):
        m = min(16_384, n - start)
        inner = centres[rng.integers(k, size=m)]
        inner = inner + 0.6 * rng.normal(size=(m, rank)).astype(np.float32)
        rows[start : start + m] = inner @ directions
        rows[start : start + m] += 0.3 * rng.normal(size=(m, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


Engine = Callable[[np.ndarray, int, str, list[tuple[float, float]]], np.ndarray]


def ours(init: str, most: int) -> Engine:
    """Our KMeans; notes (seconds, objective) of each iteration."""

    def run(x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]) -> np.ndarray:
        from clusterbench.methods import KMeans

        begin, times = time.perf_counter(), []
        found = KMeans(k, init=init, n_init=1, max_iter=most, scaling="none", device=device)
        found.fit(x, progress=lambda done, total: times.append(time.perf_counter() - begin))
        # The last call says that the fit has ended; before it there is one an iteration.
        times = times[:-1]
        objectives = found.objectives_[1:]
        history += zip(times[-len(objectives) :], objectives, strict=False)
        return found.cluster_centers_

    return run


def faiss_kmeans(
    x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]
) -> np.ndarray:
    """faiss.Kmeans."""
    import faiss

    engine = faiss.Kmeans(
        x.shape[1], k, niter=ITERATIONS, seed=1, gpu=device == "cuda",
        min_points_per_centroid=1, max_points_per_centroid=len(x),
    )  # fmt: skip
    engine.train(x)
    return np.asarray(engine.centroids)


def faiss_super(
    x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]
) -> np.ndarray:
    """faiss.SuperKmeans: prunes by a statistical test."""
    import faiss

    engine: Any = getattr(faiss, "SuperKmeans")(  # noqa: B009 - newer than some faiss
        x.shape[1], k, niter=ITERATIONS, seed=1, min_points_per_centroid=1,
        max_points_per_centroid=len(x),
    )  # fmt: skip
    engine.train(x)
    return np.asarray(engine.centroids)


def superkmeans(
    x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]
) -> np.ndarray:
    """The package superkmeans, its silent defaults (hierarchy, sample, early stop) off."""
    from superkmeans import SuperKMeans

    engine = SuperKMeans(
        k, x.shape[1], hierarchical=False, iters=ITERATIONS, sampling_fraction=1.0,
        max_points_per_cluster=len(x), early_termination=False,
        n_threads=int(os.environ["OMP_NUM_THREADS"]), seed=1,
    )  # fmt: skip
    return np.asarray(engine.train(x))


def scikit_learn(
    x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]
) -> np.ndarray:
    """scikit-learn's Lloyd from random rows."""
    from sklearn.cluster import KMeans

    engine = KMeans(k, init="random", n_init=1, max_iter=ITERATIONS, tol=0, random_state=1)
    return np.asarray(engine.fit(x).cluster_centers_, dtype=np.float32)


def fast_kmeans(
    x: np.ndarray, k: int, device: str, history: list[tuple[float, float]]
) -> np.ndarray:
    """The package fastkmeans."""
    from fastkmeans import FastKMeans

    engine = FastKMeans(
        x.shape[1], k, niter=ITERATIONS, tol=0.0, seed=1, gpu=device == "cuda"
    )  # fmt: skip
    engine.train(x)
    return np.asarray(engine.centroids)


ENGINES: dict[str, Engine] = {
    "faiss.Kmeans": faiss_kmeans,
    "ours": ours("auto", 100),
    f"ours, {ITERATIONS} iterations from random rows": ours("random", ITERATIONS),
    "faiss.SuperKmeans": faiss_super,
    "superkmeans": superkmeans,
    "scikit-learn": scikit_learn,
    "fastkmeans": fast_kmeans,
}


def peak_mib() -> float:
    """Most memory that was resident so far; of this program alone where Linux tells.

    `ru_maxrss` begins with what the process held that started this one.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str, features: str, k: int, device: str) -> None:
    """Run one engine and print what came out, as JSON."""
    from clusterbench.kmeans.cpu import CpuShard
    from clusterbench.kmeans.row_sources import ArrayRows

    x = np.load(features)
    few = np.ascontiguousarray(x[: max(2000, k // 50)])
    ENGINES[name](few, max(2, min(k, len(few) // 10)), device, [])  # libraries, compiled code
    before = peak_mib()
    history: list[tuple[float, float]] = []
    begin = time.perf_counter()
    centroids = ENGINES[name](x, k, device, history)
    seconds = time.perf_counter() - begin
    grown = peak_mib() - before
    shard = CpuShard(ArrayRows(x), threads=int(os.environ["OMP_NUM_THREADS"]))
    units = shard.extent.units()
    shard.begin(units)
    shard.include(np.ascontiguousarray(centroids, dtype=np.float32))
    objective = float(shard.unit.real(shard.objective()))
    found = {"seconds": seconds, "mib": grown, "objective": objective, "history": history}
    print(json.dumps(found))


def compared(x: np.ndarray, k: int, names: list[str], device: str, threads: int) -> list[dict]:
    """One row of the table for each engine."""
    rows: list[dict[str, Any]] = []
    number = str(threads)
    environment = {
        **os.environ,
        **{f"{lib}_NUM_THREADS": number for lib in ("OMP", "OPENBLAS", "MKL", "NUMBA")},
        "PYTHONWARNINGS": "ignore",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.npy")
        np.save(path, x)
        for name in names:
            command = [sys.executable, __file__, "--child", name, path, str(k), device]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                words = done.stderr.strip().splitlines()
                rows.append({"engine": name, "failed": words[-1] if words else "no word"})
            else:
                rows.append({"engine": name, **json.loads(done.stdout.splitlines()[-1])})
            print(f"{name}: {rows[-1].get('seconds', rows[-1])}", file=sys.stderr, flush=True)
    return rows


def table(title: str, rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        f"\n{title}\n",
        "| engine | seconds | of faiss's | objective / faiss's | to faiss's, of its time | MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    measure = next((r for r in rows if r["engine"] == "faiss.Kmeans" and "seconds" in r), None)
    for row in rows:
        if "failed" in row:
            lines.append(f"| {row['engine']} | {row['failed'][:60]} | | | | |")
            continue
        share = ratio = reached = ""
        if measure is not None:
            share = f"{row['seconds'] / measure['seconds']:.2f}"
            ratio = f"{row['objective'] / measure['objective']:.4f}"
            times = [t for t, objective in row["history"] if objective <= measure["objective"]]
            if times:
                reached = f"{times[0] / measure['seconds']:.2f}"
        lines.append(
            f"| {row['engine']} | {row['seconds']:.1f} | {share} | {ratio} | {reached} | "
            f"{row['mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Compare, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", help="an .npy of (n, dim); rows are brought to unit length")
    parser.add_argument("--clusters", type=int, help="of --features")
    parser.add_argument("--shapes", nargs="*", default=SHAPES, help="n,dim,k of made-up data")
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, path, k, device = args.child
        child(name, path, int(k), device)
        return
    cases: list[tuple[str, Callable[[], np.ndarray], int]] = []
    if args.features:
        x = np.load(args.features).astype(np.float32)
        x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-30)
        cases.append((Path(args.features).stem, lambda: x, args.clusters))
    else:
        for shape in args.shapes:
            n, dim, k = map(int, shape.split(","))
            cases.append(("made up", partial(made_up, n, dim, k), k))
    figures = {}
    for name, rows_of, k in cases:
        rows = rows_of()
        title = f"{name}: {rows.shape[0]:,} x {rows.shape[1]:,}, K = {k:,}, {args.threads} threads"
        figures[title] = compared(rows, k, args.engines, args.device, args.threads)
        print(table(title, figures[title]), flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
