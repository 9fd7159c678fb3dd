"""What makes the training of heads cheaper, or better, and what it does to the answer.

    python scripts/measure/heads_settings.py                                  # 17 tasks that ship
    python scripts/measure/heads_settings.py --images DOWNLOADS WORK --seeds 3

Of TEMI with the settings of the preset laptop, or, on 10,000 images of Fashion-MNIST
(`heads_outcomes.py`), with those of its published recipe for small sets. Prints Markdown: for each
change of settings the mean AMI in per cent over tasks and seeds, of val rows (of the images: of
those that were fitted), its difference from no change with the 95% interval over tasks (over seeds
where there is one task), and processor time as a share. Labels score, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from smoothing import Case, ami, cases

from clusterbench.methods import TEMI
from clusterbench.neighbours.kept import neighbours_of
from clusterbench.runs import presets

#: Changes by name; "epochs" is a factor.
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "half the epochs": {"epochs": 0.5},
    "start = kmeans": {"start": "kmeans"},
    "start = kmeans, half the epochs": {"start": "kmeans", "epochs": 0.5},
    "start = kmeans, a quarter": {"start": "kmeans", "epochs": 0.25},
    "mutual": {"mutual": True},
    "smooth_neighbors = 7": {"smooth_neighbors": 7},
    "smooth_neighbors = 7, start = kmeans": {"smooth_neighbors": 7, "start": "kmeans"},
    "scaling = whiten(64, 0.5)": {"scaling": "whiten(64, 0.5)"},
    "float16 features": {"float16": True},
}
FOR_IMAGES: dict[str, dict[str, Any]] = {
    "scaling = whiten(128, 0.5)": {"scaling": "whiten(128, 0.5)"},
    "scaling = whiten(256, 1)": {"scaling": "whiten(256, 1)"},
}


def fitted(case: Case, base: dict[str, Any], change: dict[str, Any], seed: int) -> list[float]:
    """AMI in per cent, and seconds of processor time."""
    settings = {"select": "loss", **base, **change}
    factor = change.get("epochs", 1)
    settings["epochs"] = max(1, round(base["epochs"] * factor))
    settings["warmup_epochs"] = round(base["warmup_epochs"] * factor)
    half = settings.pop("float16", False)
    train = case.train.astype(np.float16) if half else case.train
    neighbours_of(case.train, base["n_neighbors"])  # which all share, so none is timed with them
    begin = time.process_time()
    model = TEMI(case.k, random_state=seed, device="cpu", **settings).fit(train)
    seconds = time.process_time() - begin
    return [ami(case.targets, model.predict(case.val)), seconds]


def interval(gaps: np.ndarray) -> str:
    """Mean of paired differences and its 95% interval."""
    mean = gaps.mean()
    if len(gaps) < 2 or not gaps.any():
        return f"{mean:+.1f}"
    low, high = stats.t.interval(0.95, len(gaps) - 1, loc=mean, scale=stats.sem(gaps))
    return f"{mean:+.1f} ({low:.1f} to {high:.1f})"


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", nargs="*", metavar="NAME", help="of those that ship")
    parser.add_argument("--images", nargs=2, type=Path, metavar=("DOWNLOADS", "WORK"))
    parser.add_argument("--changes", nargs="*", metavar="NAME", help="of the table")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    changes = dict(CHANGES)
    if arguments.images:
        from heads_outcomes import sample

        downloads, work = arguments.images
        rows, classes = sample(downloads, work, 10_000, 1)
        tasks = [Case("images", rows, rows, classes, 10)]
        changes |= FOR_IMAGES
        base: dict[str, Any] = {
            "n_heads": 4, "epochs": 40, "batch_size": 256, "n_neighbors": 50,
            "learning_rate": 1e-3, "warmup_epochs": 20, "scaling": "standardize",
        }  # fmt: skip
    else:
        tasks = list(cases(arguments.tasks, [], []))
        base = dict(presets.load("laptop")["temi"])
    if arguments.changes is not None:
        changes = {name: changes[name] for name in ["as it is", *arguments.changes]}
    found = np.zeros((len(changes), len(tasks), arguments.seeds, 2))
    for j, case in enumerate(tasks):
        for i, change in enumerate(changes.values()):
            for seed in range(arguments.seeds):
                found[i, j, seed] = fitted(case, base, change, seed)
            print(case.name, change, found[i, j].mean(axis=0), file=sys.stderr, flush=True)
    print("| change | AMI | difference | processor time |\n|---|--:|--:|--:|")
    for i, name in enumerate(changes):
        gaps = found[i, :, :, 0] - found[0, :, :, 0]
        gaps = gaps.mean(axis=1) if len(tasks) > 1 else gaps[0]
        share = found[i, :, :, 1].sum() / found[0, :, :, 1].sum()
        print(f"| {name} | {found[i, :, :, 0].mean():.1f} | {interval(gaps)} | {share:.2f} |")


if __name__ == "__main__":
    main()
