"""Exact nearest neighbours side by side with faiss, scikit-learn and a plain loop of torch.

    pip install '.[compare]'
    python scripts/compare_neighbours.py                        # made-up data of three shapes
    python scripts/compare_neighbours.py --features X.npy
    python scripts/compare_neighbours.py --device cuda --shapes 1280000,768

Prints Markdown. Every engine finds the k nearest other rows by cosine, each in a process of its
own with the same threads, twice, of which the faster counts. "of the product" is the rate at which
the machine multiplies matrices of these rows (float32, measured in the same run, all n^2 pairs)
divided by that of the engine: above 1 it is faster than multiplying all rows with all others.
"wrong" is the share of neighbours that are farther than the true one of their place by more than
1e-12, of up to 500 rows looked at in float64. Memory is what the resident set grew by beyond the
data. On a GPU, stderr tells what torch held there at most, and of how many rows our search was
certain at which stage. scikit-learn has no GPU and is left out there unless it is named.
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
from pathlib import Path
from typing import Any

import numpy as np

from clusterbench.feature_rows import unit_rows

SHAPES = ("105000,120", "40000,1280", "425000,120")
_LOOKED_AT, _COSINES = 500, 50_000_000  # rows looked at, and cosines for it


def made_up(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Unit rows around n / 20 centres whose spread lies in few directions, as features' does."""
    rng = np.random.default_rng(seed)
    rank = min(dim, 64)
    directions = rng.normal(size=(rank, dim)).astype(np.float32)
    directions *= (np.arange(1, rank + 1) ** -0.5)[:, None].astype(np.float32)
    centres = rng.normal(size=(max(n // 20, 1), rank)).astype(np.float32)
    rows = np.empty((n, dim), dtype=np.float32)
    for start in range(0, n, 16_384):
        m = min(16_384, n - start)
        inner = centres[rng.integers(len(centres), size=m)]
        inner = inner + 0.6 * rng.normal(size=(m, rank)).astype(np.float32)
        rows[start : start + m] = inner @ directions
        rows[start : start + m] += 0.3 * rng.normal(size=(m, dim)).astype(np.float32)
    return unit_rows(rows)


Engine = Callable[[np.ndarray, int, str], np.ndarray]


def ours(x: np.ndarray, k: int, device: str) -> np.ndarray:
    """The suite's own search."""
    import torch

    from clusterbench.kmeans.row_sources import ArrayRows
    from clusterbench.neighbours.search import all_neighbours, engine_on

    engine = engine_on(torch.device(device))
    graph = all_neighbours(ArrayRows(x), k, engine)
    assert graph is not None
    if hasattr(engine, "certified"):
        print(f"{len(x):,} rows: {engine.certified}", file=sys.stderr)
    return graph.ids


def faiss_flat(x: np.ndarray, k: int, device: str) -> np.ndarray:
    """faiss's exact search of inner products; the first that is no copy of the row is left out."""
    import faiss

    index: Any = faiss.IndexFlatIP(x.shape[1])
    if device == "cuda":
        index = faiss.index_cpu_to_all_gpus(index)
    index.add(x)
    return without_self(index.search(x, k + 1)[1])


def scikit_learn(x: np.ndarray, k: int, device: str) -> np.ndarray:
    """scikit-learn's brute force; of unit rows, by Euclidean distance, its fastest."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k, algorithm="brute", metric="sqeuclidean").fit(x)
    return np.asarray(found.kneighbors(return_distance=False))


def torch_topk(x: np.ndarray, k: int, device: str) -> np.ndarray:
    """Blocks of rows times all others, and torch's topk."""
    import torch

    on = torch.tensor(x, device=device)
    block = max(1, (1 << 28) // len(x))  # 1 GiB of products, whatever the number of rows
    found = []
    for rows in on.split(block):
        found.append((rows @ on.T).topk(k + 1, dim=1).indices.cpu().numpy())
    return without_self(np.concatenate(found))


ENGINES: dict[str, Engine] = {
    "ours": ours,
    "faiss": faiss_flat,
    "scikit-learn": scikit_learn,
    "torch, topk": torch_topk,
}


def without_self(ids: np.ndarray) -> np.ndarray:
    """(n, k + 1) neighbours without the row itself: (n, k); the last where it is not there."""
    own = ids == np.arange(len(ids))[:, None]
    own[~own.any(axis=1), -1] = True
    others: np.ndarray = ids[~own].reshape(len(ids), -1)
    return others


def wrong(x: np.ndarray, ids: np.ndarray) -> float:
    """Share of neighbours that are farther than the true ones of their places, in float64."""
    looked_at = min(_LOOKED_AT, len(x), max(_COSINES // len(x), 20))
    some = np.sort(np.random.default_rng(1).choice(len(x), looked_at, replace=False))
    k, far = ids.shape[1], 0
    for i in some:
        cosines = x @ x[i]
        near = np.argpartition(-cosines, min(4 * k, len(x) - 1))[: 4 * k + 1]
        exact = x[near].astype(np.float64) @ x[i].astype(np.float64)
        exact[near == i] = -np.inf
        best = -np.sort(-exact)[:k]
        taken = x[ids[i]].astype(np.float64) @ x[i].astype(np.float64)
        far += int((taken < best - 1e-12).sum()) + int((ids[i] == i).sum())
    return float(far / (len(some) * k))


def product_seconds(x: np.ndarray, device: str) -> float:
    """Seconds in which the machine would multiply all rows with all others, nothing else."""
    import torch

    on = torch.tensor(x[: 16_384 if device == "cpu" else 65_536], device=device)
    best = np.inf
    for _ in range(3):
        _wait(device)
        begin = time.perf_counter()
        for rows in on.split(2048):
            rows @ on.T
        _wait(device)
        best = min(best, time.perf_counter() - begin)
    return float(best * (len(x) / len(on)) ** 2)


def _wait(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def peak_mib() -> float:
    """Most memory that was resident so far; of this program alone where Linux tells.

    `ru_maxrss` begins with what the process held that started this one.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str, path: str, k: int, device: str) -> None:
    """Run one engine twice and print what came out, as JSON."""
    x = np.load(path)
    ENGINES[name](x[:3000], k, device)  # compiled, loaded
    before = peak_mib()
    seconds = np.inf
    for _ in range(2):
        begin = time.perf_counter()
        ids = ENGINES[name](x, k, device)
        _wait(device)
        seconds = min(seconds, time.perf_counter() - begin)
    found = {"seconds": seconds, "wrong": wrong(x, ids), "mib": peak_mib() - before}
    if device == "cuda":
        import torch

        found["device_mib"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(found))


def compared(x: np.ndarray, k: int, names: list[str], device: str, threads: int) -> list[Any]:
    """A row of the table for each engine."""
    rows = []
    environment = os.environ | dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "x.npy")
        np.save(path, x)
        for name in names:
            command = [sys.executable, __file__, "--child", name, path, str(k), device]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            words = done.stderr.strip().splitlines()
            sys.stderr.write(done.stderr)
            if done.returncode:
                rows.append({"engine": name, "failed": words[-1] if words else "no word"})
            else:
                rows.append({"engine": name, **json.loads(done.stdout.splitlines()[-1])})
            print(f"{name}: {rows[-1]}", file=sys.stderr, flush=True)
    return rows


def table(title: str, rows: list[Any], product: float) -> str:
    """Markdown."""
    lines = [
        f"{title}; a plain product of all rows takes {product:.1f} s",
        "",
        "| engine | seconds | of ours | of the product | wrong | MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    measure = next((r["seconds"] for r in rows if r["engine"] == "ours" and "seconds" in r), None)
    for row in rows:
        if "failed" in row:
            lines.append(f"| {row['engine']} | {row['failed'][:60]} | | | | |")
            continue
        share = f"{row['seconds'] / measure:.2f}" if measure else ""
        lines.append(
            f"| {row['engine']} | {row['seconds']:.1f} | {share} | {product / row['seconds']:.2f} "
            f"| {row['wrong']:.2%} | {row['mib']:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", help="an .npy of (n, dim); rows are brought to unit length")
    parser.add_argument("--shapes", nargs="*", default=SHAPES, help="n,dim of made-up data")
    parser.add_argument("--neighbors", type=int, default=50)
    parser.add_argument("--engines", nargs="*", choices=list(ENGINES))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, path, k, device = arguments.child
        child(name, path, int(k), device)
        return
    usual = [name for name in ENGINES if name != "scikit-learn" or arguments.device == "cpu"]
    names = arguments.engines or usual
    if arguments.features:
        x = unit_rows(np.load(arguments.features).astype(np.float32))
        sets = [(Path(arguments.features).name, x)]
    else:
        shapes = [tuple(int(v) for v in shape.split(",")) for shape in arguments.shapes]
        sets = [("made up", made_up(*shape)) for shape in shapes]
    for name, x in sets:
        product = product_seconds(x, arguments.device)
        rows = compared(x, arguments.neighbors, names, arguments.device, arguments.threads)
        title = f"{name}: {len(x):,} x {x.shape[1]}, k = {arguments.neighbors}"
        print(f"\n{table(f'{title}, {arguments.threads} threads', rows, product)}", flush=True)


if __name__ == "__main__":
    main()
