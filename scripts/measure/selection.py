"""Which criterion without labels chooses well among heads, settings and methods.

    python scripts/measure/selection.py WORK --also glyphs          # 48 tasks, on two cores
    python scripts/measure/selection.py WORK --also glyphs --processes 0      # tables alone

WORK keeps a JSON file for each task, so that the same command goes on where it ended. `--also` adds
data sets of one's own which have tasks below. `--second icons-wordnet=STORE` names features of the
same images by another encoder (`clusterbench extract` on the images that `--images` of the script
which builds the data set keeps); they are looked at by criteria only.

For each task partitions of the train rows are made that a user would have to choose among: three
heads each of TEMI, SCANv2, SCAN, I-Con and Sinkhorn, half as wide as their default, with the
settings of the preset laptop, and of TEMI and SCANv2 also with half the epochs at twice the rate;
k-means of several preparations and starts; smoothed k-means. Fits of P2OT and TURTLE take minutes
where K is large; they are left out.
Criteria of `clusterbench.selection` see the train rows; "held-out" sees also the features
of the val rows. Labels of the val rows score (`ami_oracle`), and nothing else.

Prints tables for Markdown: Spearman's correlation with the AMI of the val rows, the regret (AMI of
the best candidate less that of the chosen one, points), and what is gained over the lowest loss;
means over tasks and their 95% intervals. Then the regret of the criterion that has the least on the
other data sets.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from selection_tables import tables
from smoothing import Case, ami, digits

from clusterbench import methods
from clusterbench.benchmarks import build
from clusterbench.datasets import registry
from clusterbench.feature_rows import unit_rows
from clusterbench.features import FeatureStore
from clusterbench.files import write_json
from clusterbench.heads.stack import assign, select_head
from clusterbench.methods.graph.links import Neighbourhood
from clusterbench.methods.graph.smoothing import Smoothing
from clusterbench.methods.scaling import Scaler
from clusterbench.methods.trained import deep
from clusterbench.metrics import information
from clusterbench.metrics.counts import count
from clusterbench.neighbours.kept import nearest_of, neighbours_of
from clusterbench.runs import presets
from clusterbench.selection.centroid_index import calinski_harabasz, silhouette
from clusterbench.selection.consistency import consistency
from clusterbench.selection.generalisation import FoldedSpace, generalisation
from clusterbench.selection.partitions import partition, placed
from clusterbench.selection.spaces import space

TASKS: dict[str, dict[str, list[str]]] = {
    "icons-wordnet": {
        "imbalanced": ["ratio-1", "ratio-10", "ratio-30", "zipf-10", "window-20", "window-50"],
        "granularity": ["fine", "coarse-150", "coarse-50", "depth-6"],
        "granularity-inner": ["leaves", "assigned"],
        "easy": ["easiest", "random", "hardest"],
        "scale": [
            "classes-30", "classes-100", "classes-300", "classes-503", "images-4", "images-8",
        ],
    },
    "emoji": {
        "imbalanced": [
            "subgroups-ratio-1", "subgroups-ratio-10", "subgroups-ratio-30",
            "subgroups-window-20", "subgroups-window-50",
        ],
        "granularity": ["fine", "subgroups", "groups"],
        "easy": ["easiest", "random", "hardest"],
        "scale": ["classes-30", "classes-100", "classes-300", "classes-1082", "images-2"],
    },
    "glyphs": {
        "imbalanced": [
            "radicals-ratio-1", "radicals-ratio-10", "radicals-ratio-30", "radicals-ratio-100",
        ],
        "granularity": ["fine", "radicals"],
        "scale": ["classes-100", "classes-300", "classes-1000"],
    },
}  # fmt: skip
SHIPPED = ("icons-wordnet", "emoji", "digits")
#: Heads are half as wide as the methods make them, which takes a third of the time.
WIDTHS = {"hidden": 256, "bottleneck": 128}
_AS_IT_IS: dict[str, dict[str, float]] = {"as it is": {}}
_HALF = {"epochs / 2, rate x 2": {"epochs": 0.5, "learning_rate": 2.0}}
#: Factors of the preset's settings, of each method with heads.
HEADS: dict[str, dict[str, dict[str, float]]] = {
    "temi": _AS_IT_IS | _HALF, "scanv2": _AS_IT_IS | _HALF, "scan": _AS_IT_IS,
    "icon": _AS_IT_IS, "sinkhorn": _AS_IT_IS,
}  # fmt: skip
N_HEADS = 3
#: Scaling and start; the start of few rows has no chance in it.
KMEANS = [
    ("l2", "auto"),
    ("l2", "k-means++"),
    ("whiten(64, 0.5)", "auto"),
    ("whiten(128, 0.5)", "auto"),
]
#: Neighbours and whether they are mutual, twice.
SMOOTHED = [(7, True), (5, False)]
#: Neighbours that clusters should hold together.
_HELD = 10


def cases(
    also: list[str], second: dict[str, Path]
) -> Iterator[tuple[str, Callable[[], tuple[Case, np.ndarray | None]]]]:
    """Name of each task, and what reads it, with train rows of another encoder if there are."""
    for name, benchmarks in TASKS.items():
        if name not in SHIPPED and name not in also:
            continue
        dataset = registry.load(name)
        for benchmark, tasks in benchmarks.items():
            for task in tasks:
                yield (
                    f"{name} {benchmark} {task}",
                    lambda d=dataset, b=benchmark, t=task: read_task(  # type: ignore[misc]
                        d, b, t, second.get(d.name)
                    ),
                )
    for case in digits():
        yield case.name, lambda c=case: (c, None)  # type: ignore[misc]


def read_task(
    dataset: Any, benchmark: str, name: str, second: Path | None
) -> tuple[Case, np.ndarray | None]:
    """A task, and its train rows by a second encoder if its store is given."""
    (task,) = build(benchmark, dataset, [name])
    store = dataset.store()
    rows = store.read(task.train_rows), store.read(task.eval_rows)
    full = f"{dataset.name} {benchmark} {name}"
    case = Case(full, *rows, task.eval_targets, task.n_classes)
    if second is None:
        return case, None
    other = FeatureStore.open(second)
    wanted = store.index.ids[task.train_rows]
    order = np.argsort(other.index.ids)
    at = np.searchsorted(other.index.ids, wanted, sorter=order)
    found = order[np.minimum(at, len(order) - 1)]
    if (other.index.ids[found] != wanted).any():
        raise SystemExit(f"{second}: has not all images of {full}")
    return case, other.read(found)


def candidates(case: Case) -> Iterator[tuple[dict[str, Any], np.ndarray, np.ndarray]]:
    """What is chosen among: a description, clusters of the train rows, of the val rows."""
    base = presets.load("laptop")
    for method, changes in HEADS.items():
        for setting, factors in changes.items():
            known = methods.get(method)(case.k).get_params()
            widths = {name: width for name, width in WIDTHS.items() if name in known}
            settings = {**base[method], **widths, "n_heads": N_HEADS}
            settings |= {name: settings[name] * factor for name, factor in factors.items()}
            settings["epochs"] = max(1, round(settings["epochs"]))
            model = methods.get(method)(case.k, random_state=0, device="cpu", **settings)
            for head, (loss, train, val) in enumerate(every_head(model, case)):
                yield {"method": method, "setting": setting, "head": head, "loss": loss}, train, val
    for scaling, init in KMEANS:
        model = methods.KMeans(case.k, 0, "cpu", n_init=2, scaling=scaling, init=init)
        model.fit(case.train)
        what = {"method": "kmeans", "setting": f"{scaling}, {init}"}
        yield what, model.labels_, model.predict(case.val)
    for k, mutual in SMOOTHED:
        model = methods.SmoothedKMeans(
            case.k, 0, "cpu", n_neighbors=k, rounds=2, mutual=mutual, n_init=2
        ).fit(case.train)
        what = {"method": "smoothed", "setting": f"{'mutual ' if mutual else ''}{k} x 2"}
        yield what, model.labels_, model.predict(case.val)


def every_head(model: Any, case: Case) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Loss, clusters of the train rows and of the val rows by each head of one fit.

    A fit keeps one head: the others are taken on the way, where it chooses.
    """
    heads: list[Any] = []
    losses: list[float] = []
    hooked: Any = deep
    chosen = hooked.choose_head

    def choose(trained: Any, *rest: Any) -> Any:
        losses.extend(float(loss) for loss in trained.losses[-1])
        heads.extend(select_head(trained.teacher, h) for h in range(len(losses)))
        return chosen(trained, *rest)

    hooked.choose_head = choose
    try:
        model.fit(case.train)
    finally:
        hooked.choose_head = chosen
    seen = [model._input.of(np.asarray(x, dtype=np.float32)) for x in (case.train, case.val)]
    found = []
    for loss, head in zip(losses, heads, strict=True):
        train, val = (assign(head, x).cpu().numpy() for x in seen)
        found.append((loss, train, val))
    return found


def spaces(rows: np.ndarray, other: np.ndarray | None) -> dict[str, np.ndarray]:
    """Spaces that the candidates were made in, but for that of the heads; and another encoder's."""
    unit = unit_rows(rows)
    near = Neighbourhood(unit, unit, unit, min(7, len(unit) - 1), True, "cpu")
    smoothed = Smoothing(unit, near, 2, True).smoothed
    assert smoothed is not None
    found = {
        "l2": unit,
        "whitened": Scaler("whiten(64, 0.5)").fit(rows)(rows),
        "smoothed": smoothed,
    }
    if other is not None:
        found["second"] = unit_rows(np.asarray(other, dtype=np.float32))
    return found


def measured(case: Case, of_second: np.ndarray | None) -> dict[str, Any]:
    """Every candidate of a task with its oracle, and what the criteria say of it."""
    begin = time.process_time()
    said, train, val = zip(*candidates(case), strict=True)
    fitted = time.process_time() - begin
    found = [partition(one) for one in train]
    for what, labels in zip(said, val, strict=True):
        what["ami_oracle"] = ami(case.targets, labels)
    rows = np.ascontiguousarray(case.train, dtype=np.float32)
    by_space: dict[str, dict[str, list[float]]] = {}
    seen, k = spaces(rows, of_second), min(_HELD, len(rows) - 1)
    every = np.arange(len(rows))
    seconds = {}
    for name, X in seen.items():
        x = space(X, len(X))
        folded = FoldedSpace.of(x, every, 10, 0)
        by_space[name] = {
            "silhouette": [silhouette(x, one, every) for one in found],
            "calinski-harabasz": [calinski_harabasz(x, one) for one in found],
            "linear": [generalisation(folded, one) for one in found],
        }
    tables = {name: neighbours_of(seen[name], k).ids for name in seen if name != "smoothed"}
    held = nearest_of(case.val, case.train, k).ids
    agreed = np.eye(len(found))
    for i, one in enumerate(found):
        for j, other in enumerate(found[:i]):
            agreed[i, j] = agreed[j, i] = information.ami(count(one.checked, other.checked))
    seconds["fits"], seconds["criteria"] = fitted, time.process_time() - begin - fitted
    return {
        "task": case.name,
        "n": len(rows),
        "k": case.k,
        "seconds": seconds,
        "candidates": list(said),
        "used": [one.n_used for one in found],
        "spaces": by_space,
        "consistency": [consistency(one, tables["l2"]) for one in found],
        "consistency, whitened": [consistency(one, tables["whitened"]) for one in found],
        "consistency, held-out": [
            consistency(one, held, placed(labels, one, "val"))
            for one, labels in zip(found, val, strict=True)
        ],
        "agreed": agreed.tolist(),
    } | (
        {"consistency, second": [consistency(one, tables["second"]) for one in found]}
        if "second" in tables
        else {}
    )


def work(name: str, also: list[str], second: dict[str, Path], folder: Path) -> str:
    """Measure a task and keep what was found."""
    torch.set_num_threads(1)
    read = dict(cases(also, second))[name]
    found = measured(*read())
    write_json(folder / f"{name.replace(' ', '--')}.json", found)
    return f"{name}: {found['seconds']}"


def main() -> None:
    """Fit what is missing, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="WORK")
    parser.add_argument("--also", nargs="*", default=[], metavar="DATASET", help="one's own")
    parser.add_argument("--tasks", nargs="*", metavar="NAME", help="fit no others")
    parser.add_argument("--processes", type=int, default=2, help="0 fits nothing")
    parser.add_argument(
        "--second", nargs="*", default=[], metavar="DATASET=STORE", help="another encoder's"
    )
    arguments = parser.parse_args()
    second = {name: Path(store) for name, store in (one.split("=", 1) for one in arguments.second)}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in cases(arguments.also, second)]
    files = {name: arguments.folder / f"{name.replace(' ', '--')}.json" for name in names}
    wanted = [n for n in names if arguments.tasks is None or n in arguments.tasks]
    missing = [name for name in wanted if not files[name].exists()]
    if arguments.processes and missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
            # In no order, so that what is there after a while is of all data sets.
            order = np.random.default_rng(0).permutation(missing).tolist()
            futures = [
                pool.submit(work, n, arguments.also, second, arguments.folder) for n in order
            ]
            for future in as_completed(futures):
                print(future.result(), file=sys.stderr, flush=True)
    tables([json.loads(file.read_text()) for file in files.values() if file.exists()])


if __name__ == "__main__":
    main()
