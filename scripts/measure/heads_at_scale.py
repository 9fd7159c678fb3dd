"""Heads with very many clusters: memory as predicted, time of a step, and AMI beside k-means.

    python scripts/measure/heads_at_scale.py glyphs --classes 10450 20941

DATASET is one that is declared (`clusterbench list datasets`). Classes are drawn by a seed; heads
and k-means are fitted on their train rows and scored on their val rows. Each fit runs in a process
of its own. Memory is what the resident set grows by during the fit, beyond features, graph and
libraries that are there before it, sampled every 20 ms; "predicted" is what the fit says of itself
before it begins.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clusterbench.datasets import registry
from clusterbench.methods import get
from clusterbench.metrics import score
from clusterbench.neighbours.kept import neighbours_of


class Watch:
    """The largest resident set while it is open."""

    def __enter__(self) -> Watch:
        self.before = self.peak = resident()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.peak = max(self.peak, resident())

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def resident() -> int:
    """Bytes of this process that lie in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def rows_of(dataset: str, n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train rows, val rows and val classes of some classes, drawn by a seed."""
    store = registry.load(dataset).store()
    labels = store.index.labels
    known = np.unique(labels)
    drawn = np.sort(np.random.default_rng(0).permutation(known)[:n_classes])
    train, val = (store.index.rows(split) for split in ("train", "val"))
    train, val = train[np.isin(labels[train], drawn)], val[np.isin(labels[val], drawn)]
    return store.read(train), store.read(val), labels[val]


def fitted(dataset: str, n_classes: int, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One fit, in this process."""
    x, val, classes = rows_of(dataset, n_classes)
    model = get(method)(n_classes, random_state=0, device="cpu", **settings)
    if method != "kmeans":
        neighbours_of(x, settings["n_neighbors"])
        # Libraries and kernels are loaded, and threads started, before memory is looked at.
        small = {**settings, "epochs": 1, "batch_size": 8, "n_neighbors": 5}
        get(method)(3, device="cpu", **small).fit(x[:64])
    with Watch() as watch:
        begin = time.perf_counter()
        model.fit(x)
        seconds = time.perf_counter() - begin
    found = {
        "rows": len(x), "seconds": seconds, "bytes": watch.peak - watch.before,
        "ami": score(classes, model.predict(val)).ami,
    }  # fmt: skip
    if method != "kmeans":
        batch = min(settings["batch_size"], len(x))
        found["steps"] = settings["epochs"] * (len(x) // batch)
        found["predicted"] = model.diagnostics_["training_bytes"]
        found["used"] = model.diagnostics_["head_clusters_used"][model.diagnostics_["head"]]
    return found


def main() -> None:
    """Fit each in a process of its own, and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--classes", type=int, nargs="+", default=[10_450, 20_941])
    parser.add_argument("--methods", nargs="+", default=["kmeans", "temi"])
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--start", default="random", choices=("random", "kmeans"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        torch.set_num_threads(arguments.threads)
        print(json.dumps(fitted(**json.loads(arguments.one))))
        return
    print(
        "| classes | method | rows | AMI, val | clusters used | s | s a step | GB predicted | GB |"
    )
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    heads = {
        "n_heads": arguments.heads, "epochs": arguments.epochs, "batch_size": arguments.batch,
        "learning_rate": arguments.rate, "n_neighbors": 2, "momentum": 0.9,
        "warmup_epochs": min(2, arguments.epochs), "start": arguments.start,
        "select": "loss",  # as docs/training.md has them
    }  # fmt: skip
    for n_classes in arguments.classes:
        for method in arguments.methods:
            one = {
                "dataset": arguments.dataset, "n_classes": n_classes, "method": method,
                "settings": {} if method == "kmeans" else heads,
            }  # fmt: skip
            command = [sys.executable, __file__, arguments.dataset, "--one", json.dumps(one)]
            command += ["--threads", str(arguments.threads)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            found = json.loads(done.stdout)
            line = [f"{n_classes:,}", method, f"{found['rows']:,}", f"{100 * found['ami']:.1f}"]
            if method == "kmeans":
                line += ["", f"{found['seconds']:.0f}", "", "", ""]
            else:
                line += [
                    f"{found['used']:,}", f"{found['seconds']:.0f}",
                    f"{found['seconds'] / found['steps']:.2f}",
                    f"{found['predicted'] / 1e9:.2f}", f"{found['bytes'] / 1e9:.2f}",
                ]  # fmt: skip
            print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
