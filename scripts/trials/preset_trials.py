"""Try settings of a method on made-up data, by which presets for small data are chosen.

    python scripts/trials/preset_trials.py scan n_heads=2 learning_rate=1e-3,4e-3 alpha=1,2,5

Three sets of 128 dimensions in 120 classes, about 20 rows each if not said otherwise: separated,
overlapping and with a long tail. Classes lie in groups of eight and spread unequally. No image
takes part, so what is chosen here is tuned to no data set of the benchmarks. Prints AMI in per
cent by set, their mean and seconds of processor time a fit, for every combination of the values.
"""

from __future__ import annotations

import argparse
import ast
import itertools
import statistics
import time
from typing import Any

import numpy as np

from clusterbench.methods import get
from clusterbench.metrics import score

CLASSES, DIM = 120, 128


def made(
    seed: int, spread: float, per_class: int, tail: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Rows, (n, dim) float32, and their classes."""
    rng = np.random.default_rng(seed)
    groups = rng.normal(size=(CLASSES // 8, DIM))
    means = 0.7 * groups[rng.integers(0, len(groups), CLASSES)] + rng.normal(size=(CLASSES, DIM))
    share = np.arange(1, CLASSES + 1) ** (-0.7 if tail else 0.0)
    classes = rng.choice(CLASSES, per_class * CLASSES, p=share / share.sum())
    width = 1.6 * spread * np.exp(0.3 * rng.normal(size=(CLASSES, 1)))
    rows = means[classes] + width[classes] * rng.normal(size=(len(classes), DIM))
    return rows.astype(np.float32), classes


def value_of(text: str) -> Any:
    """A number or a truth value if it is one, else the text."""
    try:
        return ast.literal_eval(text.capitalize() if text in ("true", "false") else text)
    except (ValueError, SyntaxError):
        return text


def main() -> None:
    """Try all combinations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE[,VALUE...]")
    parser.add_argument(
        "--seeds", default="0", metavar="N[,N...]", help="figures are means of them"
    )
    parser.add_argument("--per-class", type=int, default=20, help="rows of a class, on average")
    arguments = parser.parse_intermixed_args()
    seeds = [int(text) for text in arguments.seeds.split(",")]
    sets = {
        "separated": made(0, 0.8, arguments.per_class),
        "overlapping": made(1, 1.3, arguments.per_class),
        "tail": made(2, 1.0, arguments.per_class, tail=True),
    }
    names = [text.partition("=")[0] for text in arguments.settings]
    values = [text.partition("=")[2].split(",") for text in arguments.settings]
    print(f"{arguments.method}: {', '.join(sets)}; mean; s")
    for chosen in itertools.product(*values):
        settings = {n: value_of(text) for n, text in zip(names, chosen, strict=True)}
        begin, scores = time.process_time(), []
        # The presets were chosen by heads of the lowest loss.
        by_loss = {"select": "loss"} if "select" in get(arguments.method).setting_names() else {}
        for rows, classes in sets.values():
            fitted = (
                get(arguments.method)(
                    n_clusters=CLASSES, random_state=seed, device="cpu", **{**by_loss, **settings}
                ).fit_predict(rows)
                for seed in seeds
            )
            scores.append(100 * statistics.fmean(score(classes, labels).ami for labels in fitted))
        seconds = (time.process_time() - begin) / len(sets) / len(seeds)
        cells = " ".join(f"{value:.1f}" for value in (*scores, statistics.fmean(scores)))
        given = " ".join(f"{name}={value}" for name, value in settings.items())
        print(f"{given}: {cells}; {seconds:.1f}", flush=True)


if __name__ == "__main__":
    main()
