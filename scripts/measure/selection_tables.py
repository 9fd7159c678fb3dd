"""Tables of `selection.py`: what its files say of each criterion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from smoothing import line

from clusterbench.selection.centroid_index import pooled


def _one_fit(method: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: one["setting"] if one["method"] == method else ""


#: Candidates that are chosen among, by what is the same of them.
GROUPS: dict[str, Callable[[dict[str, Any]], str]] = {
    "TEMI, one fit": _one_fit("temi"),
    "SCANv2, one fit": _one_fit("scanv2"),
    "SCAN, one fit": _one_fit("scan"),
    "I-Con, one fit": _one_fit("icon"),
    "Sinkhorn, one fit": _one_fit("sinkhorn"),
    "TEMI, all": lambda one: "all" if one["method"] == "temi" else "",
    "SCANv2, all": lambda one: "all" if one["method"] == "scanv2" else "",
    "k-means": lambda one: "all" if one["method"] in ("kmeans", "smoothed") else "",
    "everything": lambda one: "all",
}
CRITERIA = [
    "loss", "consistency", "consistency, whitened", "consistency, held-out", "agreement",
    "silhouette", "silhouette, pooled", "calinski-harabasz", "calinski-harabasz, pooled",
    "linear", "linear, pooled",
]  # fmt: skip
#: Of tasks with features of a second encoder: there alone, or pooled with the first's.
OF_TWO = [
    "consistency, second", "silhouette, second", "silhouette, two", "calinski-harabasz, second",
    "calinski-harabasz, two", "linear, second", "linear, two",
]  # fmt: skip
_SPACES = {
    "": ["l2"], "pooled": ["l2", "whitened", "smoothed"], "second": ["second"],
    "two": ["l2", "second"],
}  # fmt: skip


def scores(found: dict[str, Any], criterion: str, among: np.ndarray) -> np.ndarray | None:
    """What a criterion says of some candidates, more is better; None where it says nothing."""
    if criterion == "loss":
        losses = [found["candidates"][i].get("loss") for i in among]
        same = len({found["candidates"][i]["method"] for i in among}) == 1
        if None in losses or not same:
            return None
        lowest: np.ndarray = -np.array(losses, dtype=float)
        return lowest
    if criterion == "agreement":
        agreed = np.array(found["agreed"])[np.ix_(among, among)]
        mean: np.ndarray = (agreed.sum(axis=1) - 1.0) / (len(among) - 1)
        return mean
    if criterion.startswith("consistency"):
        held: np.ndarray = np.array(found[criterion])[among]
        return held
    name, _, how = criterion.partition(", ")
    chosen = _SPACES[how]
    values = np.array([found["spaces"][s][name] for s in chosen], dtype=float)[:, among]
    if name == "linear":
        used = np.array(found["used"])[among]
        values = np.minimum(values, values * used / used.max())
    said: np.ndarray = pooled(values)
    return said


def choices(found: dict[str, Any], group: str) -> list[np.ndarray]:
    """Sets of candidates that are chosen among in a task."""
    names = [GROUPS[group](one) for one in found["candidates"]]
    return [
        np.array([i for i, other in enumerate(names) if other == name])
        for name in dict.fromkeys(name for name in names if name)
    ]


def judged(found: dict[str, Any], group: str, criterion: str) -> tuple[float, float, float]:
    """Spearman's correlation, regret and AMI of the chosen one, means over the sets of a task."""
    oracle = np.array([one["ami_oracle"] for one in found["candidates"]])
    results = []
    for among in choices(found, group):
        true, apart = oracle[among], np.array(found["used"])[among] > 1
        if criterion == "at random":
            results.append((0.0, true.max() - true.mean(), true.mean()))
            continue
        said = scores(found, criterion, among)
        if said is None:
            return np.nan, np.nan, np.nan
        said = np.where(apart & ~np.isnan(said), said, -np.inf)
        flat = len(set(said)) == 1 or len(set(true)) == 1
        correlation = 0.0 if flat else float(stats.spearmanr(said, true).statistic)
        taken = float(true[int(np.argmax(said))])
        results.append((correlation, float(true.max()) - taken, taken))
    correlation, regret, taken = np.mean(results, axis=0)
    return float(correlation), float(regret), float(taken)


def interval(values: np.ndarray, digits: int, sign: str = "") -> str:
    """Mean and its 95% interval."""
    if np.isnan(values).any():
        return ""
    mean, half = values.mean(), 0.0
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean:{sign}.{digits}f} ({mean - half:.{digits}f} to {mean + half:.{digits}f})"


def tables(everything: list[dict[str, Any]]) -> None:
    """Print them, of all tasks and of those with a second encoder."""
    of_one(everything)
    both = [found for found in everything if "second" in found["spaces"]]
    if both:
        print("\n## With a second encoder\n")
        of_one(both, CRITERIA + OF_TWO)


def of_one(everything: list[dict[str, Any]], criteria: list[str] = CRITERIA) -> None:
    """Print the tables of some tasks and criteria."""
    names = ["at random", *criteria]
    values = np.array(
        [[[judged(f, g, c) for f in everything] for c in names] for g in GROUPS]
    )  # (groups, criteria, tasks, 3)
    print(f"{len(everything)} tasks\n\nSpearman's correlation with AMI\n")
    header(["", *GROUPS])
    for i, name in enumerate(criteria, 1):
        print(line([name, *(interval(values[g, i, :, 0], 2) for g in range(len(GROUPS)))]))
    print("\nRegret, points of AMI\n")
    header(["", *GROUPS])
    for i, name in enumerate(names):
        print(line([name, *(interval(values[g, i, :, 1], 2) for g in range(len(GROUPS)))]))
    print("\nAMI beyond that of the lowest loss, points\n")
    of_heads = [
        g
        for g, name in enumerate(GROUPS)
        if name.endswith("fit") or name.startswith(("TEMI", "SCAN"))
    ]
    header(["", *(list(GROUPS)[g] for g in of_heads)])
    for i, name in enumerate(names):
        if name != "loss":
            gaps = [values[g, i, :, 2] - values[g, 1, :, 2] for g in of_heads]
            print(line([name, *(interval(gap, 2, "+") for gap in gaps)]))
    print("\nAlways the same, of everything: AMI and regret\n")
    header(["", "AMI", "regret"])
    for name, taken in fixed(everything).items():
        best = [max(one["ami_oracle"] for one in f["candidates"]) for f in everything]
        print(line([name, interval(taken, 1), interval(np.array(best) - taken, 2)]))
    left_out(everything, values[..., 1], names)


def fixed(everything: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """AMI of each method and setting, by the head of the lowest loss, in each task."""
    found: dict[str, list[float]] = {}
    for task in everything:
        best: dict[str, dict[str, Any]] = {}
        for one in task["candidates"]:
            name = f"{one['method']} {one['setting']}"
            if name not in best or one["loss"] < best[name]["loss"]:
                best[name] = one
        for name, one in best.items():
            found.setdefault(name, []).append(one["ami_oracle"])
    return {name: np.array(values) for name, values in found.items()}


def left_out(everything: list[dict[str, Any]], regrets: np.ndarray, names: list[str]) -> None:
    """The criterion of the least regret on the other data sets, and its regret on each."""
    of = np.array([found["task"].split()[0] for found in everything])
    if len(np.unique(of)) < 2:
        return
    means = {
        name: np.array([regrets[:, :, of == s].mean(axis=2) for s in np.unique(of) if s != name])
        for name in np.unique(of)
    }
    print("\nThe criterion of the least regret on the other data sets\n")
    header(["chosen among", "data set", "criterion", "regret", "least there", "at random"])
    for g, group in enumerate(GROUPS):
        for name in np.unique(of):
            # Each of the other data sets counts once, however many tasks it has.
            others = np.nan_to_num(means[name][:, g, 1:].mean(axis=0), nan=np.inf)
            taken = 1 + int(np.argmin(others))
            here = regrets[g][:, of == name].mean(axis=1)
            least = 1 + int(np.nanargmin(here[1:]))
            cells = [f"{here[taken]:.2f}", f"{here[least]:.2f} ({names[least]})", f"{here[0]:.2f}"]
            print(line([group, str(name), names[taken], *cells]))


def header(cells: list[str]) -> None:
    """Of a table."""
    print(line(list(cells)))
    print("|---" + "|--:" * (len(cells) - 1) + "|")
