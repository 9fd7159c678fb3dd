"""Which criterion without labels chooses well among many heads of one method.

    python scripts/measure/selection_seeds.py WORK      # on two cores
    python scripts/measure/selection_seeds.py WORK --processes 0      # tables alone

Candidates are all heads of five fits (seeds 0 to 4) of a method with the settings of the preset
laptop, those of the board: ten heads where the preset has two, five where it has one. WORK keeps a
JSON file for each task and method, so that the same command goes on where it ended. glyphs,
fashion-mnist and digits take part where they were built (scripts/build_*.py).

The criteria are those that a fit can use, on the train rows at unit length; labels of the val rows
score (`ami_oracle`), and nothing else. Prints, for Markdown: the regret, AMI of the best candidate
less that of the chosen one in points, of each criterion and method, and of all methods together
(the mean over the methods of a task), means over tasks and their 95% intervals; what is gained over
the lowest loss; and the criterion that has the least regret on the other data sets.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch
from selection import TASKS, every_head, read_task
from selection_tables import CRITERIA, header, interval, scores
from smoothing import Case, ami, line

from clusterbench import methods
from clusterbench.datasets import registry
from clusterbench.files import write_json
from clusterbench.metrics import information
from clusterbench.metrics.counts import count
from clusterbench.neighbours.kept import neighbours_of
from clusterbench.runs import presets
from clusterbench.selection.centroid_index import calinski_harabasz, silhouette
from clusterbench.selection.consistency import consistency
from clusterbench.selection.generalisation import FoldedSpace, generalisation
from clusterbench.selection.partitions import partition
from clusterbench.selection.spaces import space

METHODS = ("temi", "scanv2", "scan", "p2ot", "icon", "sinkhorn", "turtle")
SEEDS = range(5)
#: Tasks by data set and benchmark; of the last three those of docs/methods.md.
TASKS_OF = {
    **{
        name: {b: of for b, of in TASKS[name].items() if b != "granularity-inner"}
        for name in ("icons-wordnet", "emoji")
    },
    "glyphs": {"imbalanced": ["radicals-ratio-1", "radicals-ratio-30"], "scale": ["classes-1000"]},
    "fashion-mnist": {"whole": ["whole"]},
    "digits": {"whole": ["whole"]},
}
OF_ONE_SPACE = [name for name in CRITERIA if ", " not in name]
_HELD = 10


def cases() -> dict[str, Callable[[], Case]]:
    """What reads each task, by its name."""
    found: dict[str, Callable[[], Case]] = {}
    for name, benchmarks in TASKS_OF.items():
        if name not in registry.names():
            continue
        dataset = registry.load(name)
        for benchmark, tasks in benchmarks.items():
            for task in tasks:
                found[f"{name} {benchmark} {task}"] = lambda d=dataset, b=benchmark, t=task: (  # type: ignore[misc]
                    read_task(d, b, t, None)[0]
                )
    return found


def measured(case: Case, method: str, heads: Callable[..., Any] = every_head) -> dict[str, Any]:
    """Every head of a method with its oracle, and what the criteria say of it."""
    settings = presets.load("laptop")[method]
    said, train = [], []
    for seed in SEEDS:
        model = methods.get(method)(case.k, random_state=seed, device="cpu", **settings)
        for head, (loss, of_train, of_val) in enumerate(heads(model, case)):
            oracle = ami(case.targets, of_val)
            what = {"method": method, "seed": seed, "head": head, "loss": loss}
            said.append({**what, "ami_oracle": oracle})
            train.append(of_train)
    found = [partition(one) for one in train]
    rows = np.ascontiguousarray(case.train, dtype=np.float32)
    x, every = space(rows, len(rows)), np.arange(len(rows))
    folded = FoldedSpace.of(x, every, 10, 0)
    table = neighbours_of(rows, min(_HELD, len(rows) - 1)).ids
    agreed = np.eye(len(found))
    for i, one in enumerate(found):
        for j, other in enumerate(found[:i]):
            agreed[i, j] = agreed[j, i] = information.ami(count(one.checked, other.checked))
    return {
        "task": case.name,
        "n": len(rows),
        "k": case.k,
        "candidates": said,
        "used": [one.n_used for one in found],
        "spaces": {
            "l2": {
                "silhouette": [silhouette(x, one, every) for one in found],
                "calinski-harabasz": [calinski_harabasz(x, one) for one in found],
                "linear": [generalisation(folded, one) for one in found],
            }
        },
        "consistency": [consistency(one, table) for one in found],
        "agreed": agreed.tolist(),
    }


def regrets(found: dict[str, Any], by_fit: bool) -> np.ndarray:
    """Of a head at random and of each criterion's, points: (1 + criteria,); the mean over fits."""
    candidates = found["candidates"]
    oracle = np.array([one["ami_oracle"] for one in candidates])
    used, seeds = np.array(found["used"]), np.array([one["seed"] for one in candidates])
    sets = [np.flatnonzero(seeds == s) for s in SEEDS] if by_fit else [np.arange(len(oracle))]
    result = []
    for among in sets:
        best, taken = oracle[among].max(), []
        for criterion in OF_ONE_SPACE:
            said = scores(found, criterion, among)
            assert said is not None
            said = np.where((used[among] > 1) & ~np.isnan(said), said, -np.inf)
            taken.append(best - oracle[among][int(np.argmax(said))])
        result.append([best - oracle[among].mean(), *taken])
    of_all: np.ndarray = np.mean(result, axis=0)
    return of_all


def tables(everything: list[dict[str, Any]]) -> None:
    """Print what the files say."""
    names = ["at random", *OF_ONE_SPACE]
    tasks = list(dict.fromkeys(found["task"] for found in everything))
    for by_fit in (False, True):
        values = np.full((len(METHODS), len(tasks), len(names)), np.nan)
        for found in everything:
            method = found["candidates"][0]["method"]
            heads = len(found["candidates"]) // len(SEEDS)
            if heads > 1 or not by_fit:
                at = METHODS.index(method), tasks.index(found["task"])
                values[at] = regrets(found, by_fit)
        shown = [m for m in range(len(METHODS)) if not np.isnan(values[m]).all()]
        values = values[shown]
        together = np.nanmean(values, axis=0)[None]
        columns = [methods.get(METHODS[m]).label for m in shown]
        print(f"\n{'One fit' if by_fit else 'Five fits'}, {len(tasks)} tasks: regret\n")
        header(["", *columns, "all methods"])
        for c, name in enumerate(names):
            of = [v[~np.isnan(v)] for v in np.concatenate([values, together])[:, :, c]]
            print(line([name, *(interval(v, 2) for v in of)]))
        print("\nAMI beyond that of the lowest loss, points\n")
        header(["", *columns, "all methods"])
        for c, name in enumerate(names):
            gaps = np.concatenate([values, together])
            of = [v[~np.isnan(v)] for v in gaps[:, :, 1] - gaps[:, :, c]]
            if name != "loss":
                print(line([name, *(interval(v, 2, "+") for v in of)]))
        left_out(tasks, np.concatenate([together, values]), ["all methods", *columns], names)


def left_out(tasks: list[str], values: np.ndarray, columns: list[str], names: list[str]) -> None:
    """The criterion of the least regret on the other data sets, and its regret on each."""
    of = np.array([task.split()[0] for task in tasks])
    print("\nThe criterion of the least regret on the other data sets\n")
    header(["", "data set", "tasks", "criterion", "regret", "loss", "least there", "at random"])
    for g, column in enumerate(columns):
        means = {s: np.nanmean(values[g, of == s], axis=0) for s in np.unique(of)}
        for name, here in means.items():
            # Each of the other data sets counts once, however many tasks it has.
            others = np.nanmean([m for s, m in means.items() if s != name], axis=0)
            taken, least = 1 + int(np.argmin(others[1:])), 1 + int(np.argmin(here[1:]))
            cells = [
                str(int((of == name).sum())), names[taken], f"{here[taken]:.2f}", f"{here[1]:.2f}",
                f"{here[least]:.2f} ({names[least]})", f"{here[0]:.2f}",
            ]  # fmt: skip
            print(line([column, str(name), *cells]))


def work(name: str, method: str, file: Path) -> str:
    """Measure a method on a task and keep what was found."""
    torch.set_num_threads(1)
    write_json(file, measured(cases()[name](), method))
    return f"{name}, {method}"


def main() -> None:
    """Fit what is missing, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="WORK")
    parser.add_argument("--processes", type=int, default=2, help="0 fits nothing")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    files = {
        (name, method): arguments.folder / f"{name.replace(' ', '--')}--{method}.json"
        for name in cases()
        for method in METHODS
    }
    missing = [(*key, file) for key, file in files.items() if not file.exists()]
    if arguments.processes and missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.processes, mp_context=context) as pool:
            for future in as_completed([pool.submit(work, *one) for one in missing]):
                print(future.result(), file=sys.stderr, flush=True)
    tables([json.loads(file.read_text()) for file in files.values() if file.exists()])


if __name__ == "__main__":
    main()
