"""Tasks of a benchmark that differ in one thing alone, as the axis of a figure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from .task_views import TaskView

_RATIO = "imbalance ratio (largest over smallest class)"

#: What a recipe asks for -> the factor that was measured of it, its name, the form of its axis.
_FACTORS: dict[str, tuple[str, str, Literal["linear", "log"], bool]] = {
    "ratio": ("imbalance_ratio", _RATIO, "log", False),
    "half_width": (
        "imbalance_ratio",
        _RATIO,
        "log",
        False,
    ),
    "n_classes": ("n_classes", "number of classes", "log", False),
    "coarse": ("n_classes", "number of classes, from coarse to fine", "log", False),
    "images_per_class": ("images_per_class", "training images per class", "log", False),
    "which": ("probe_accuracy", "accuracy of a linear probe on these classes (%)", "linear", True),
}
#: Fields of a recipe that say how coarse the classes are, of which one is given at a time.
_COARSE = ("depth", "n_coarse", "coarse_share")
#: Fields that describe the other tasks of a series, or nothing that a task shows.
_IGNORED = ("notes", "series", "zipf_series")


@dataclass(frozen=True)
class FactorSeries:
    """Tasks whose recipes differ in one field, by the measured factor.

    name: of the axis. kind, percent: of the axis. fixed: settings that tell this series from others
    of the same field, such as "merge random"; "" for none. tasks: (x, task), ascending in x.
    """

    name: str
    kind: Literal["linear", "log"]
    percent: bool
    fixed: str
    tasks: tuple[tuple[float, TaskView], ...]


def factor_series(tasks: Iterable[TaskView]) -> list[FactorSeries]:
    """All series of at least two tasks, those with most tasks first."""
    plain = [(task, _plain(task)) for task in tasks if task.recipe]
    found: list[tuple[str, dict[str, Any], list[tuple[float, TaskView]]]] = []
    for field, (factor, *_) in _FACTORS.items():
        groups: dict[str, list[tuple[TaskView, dict[str, Any]]]] = defaultdict(list)
        for task, recipe in plain:
            if field in recipe and factor in task.factors:
                rest = {key: value for key, value in recipe.items() if key != field}
                groups[json.dumps(rest, sort_keys=True)].append((task, recipe))
        for members in groups.values():
            points = {task.factors[factor]: task for task, _ in reversed(members)}
            if len(points) > 1:
                rest = {k: v for k, v in members[0][1].items() if k != field}
                found.append((field, rest, sorted(points.items(), key=lambda pair: pair[0])))
    found.sort(key=lambda item: -len(item[2]))
    return [
        FactorSeries(*_FACTORS[field][1:], _fixed(field, rest, found), tuple(points))
        for field, rest, points in found
    ]


def _plain(task: TaskView) -> dict[str, Any]:
    recipe = {key: value for key, value in task.recipe.items() if key not in _IGNORED}
    coarse = [recipe.pop(key, None) for key in _COARSE]
    if "merge" in recipe:
        recipe["coarse"] = coarse
    if task.recipe.get("builder") == "scale" and recipe.get("n_classes") is None:
        recipe["n_classes"] = task.definition.n_classes
    return recipe


def _fixed(field: str, rest: dict[str, Any], found: list[tuple[str, dict[str, Any], Any]]) -> str:
    others = [other for name, other, _ in found if name == field and other is not rest]
    told = [
        f"{key.replace('_', ' ')} {value}"
        for key, value in rest.items()
        if isinstance(value, str | int | float) and any(other.get(key) != value for other in others)
    ]
    return ", ".join(told)
