"""What number of clusters is found without labels, and what the clusters are worth then.

    cd scripts && python -m research.choosing_k WORK [--most 10000]

On the development tasks of the research harness, of the data sets that are there. `choose_k` sees
the train rows and looks for K by stability; then the method is fitted with it, and with the number
of classes, and both are scored by the AMI of the val rows. WORK keeps a JSON file of each task and
method, so that the same command goes on where it ended. Tasks with more train rows than `--most`,
and those with fewer than twenty train rows per class, are left out: halves of so small classes have
no clusters to agree on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from clusterbench.benchmarks import build
from clusterbench.datasets import registry
from clusterbench.files import write_json
from clusterbench.methods import choose_k
from clusterbench.methods.by_name import METHODS
from clusterbench.metrics import score

from .development import FRESH, TASKS

NAMES = ("kmeans", "stable-kmeans")
LEAST_EACH = 20


def looked_for(task: Any, store: Any, method: str) -> dict[str, Any]:
    """The number that is found for a task, and the AMI with it and with that of the classes."""
    x, new = store.read(task.train_rows), store.read(task.eval_rows)
    begin = time.perf_counter()
    found = choose_k(x, method=method, device="cpu")
    seconds = time.perf_counter() - begin
    answer = {
        "classes": task.n_classes,
        "rows": len(x),
        "found": found.n_clusters,
        "seconds": seconds,
    }
    answer["tried"] = [[each.n_clusters, each.stability] for each in found.scores]
    for name, k in (("ami", task.n_classes), ("ami_found", found.n_clusters)):
        fitted = METHODS.get(method)(k, device="cpu").fit(x)
        answer[name] = score(task.eval_targets, fitted.predict(new)).ami
    return answer


def main() -> None:
    """Measure what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--most", type=int, default=10_000)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    head = [f"{name}: K, AMI, AMI with the classes' K, seconds" for name in NAMES]
    print("| task | rows | classes | " + " | ".join(head) + " |")
    print("|---|--:|--:|" + "--:|" * len(NAMES))
    for dataset, benchmark, tasks in (*TASKS, *FRESH):
        if dataset not in registry.names():
            continue
        data = registry.load(dataset)
        store = data.store()
        for task in build(benchmark, data, list(tasks)):
            n = len(task.train_rows)
            if n > options.most or n < LEAST_EACH * task.n_classes:
                continue
            cells = []
            for method in NAMES:
                path = options.work / f"{dataset}-{task.name}-{method}.json"
                if not path.exists():
                    write_json(path, looked_for(task, store, method))
                said = json.loads(path.read_text())
                ami = f"{100 * said['ami_found']:.1f}, {100 * said['ami']:.1f}"
                cells.append(f"{said['found']}, {ami}, {said['seconds']:.0f}")
            print(
                f"| {dataset} / {task.name} | {n:,} | {task.n_classes} | "
                + " | ".join(cells)
                + " |"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
