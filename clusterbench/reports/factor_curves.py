"""Curves of a score against what the tasks of a benchmark vary."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from .places import ScoreEstimate
from .sections import Contender, Section, TaskColumn

#: What a factor is called on an axis.
FACTOR_LABELS = {
    "imbalance_ratio": "imbalance ratio of the training classes",
    "n_classes": "number of classes K",
    "images_per_class": "training images per class",
    "knn_accuracy": "accuracy of kNN on these classes",
    "probe_accuracy": "accuracy of a linear probe on these classes",
    "n_train": "training images",
}
#: The factor that the tasks of a builder are declared by; for others, the first that varies.
_OF_BUILDER = {
    "ratio": "imbalance_ratio",
    "window": "imbalance_ratio",
    "granularity": "n_classes",
    "scale": "n_classes",
    "easy": "probe_accuracy",
}
_IN_ORDER = ("imbalance_ratio", "n_classes", "images_per_class", "knn_accuracy", "n_train")

#: Factors that are fractions, shown in percent.
FRACTIONS = ("knn_accuracy", "probe_accuracy")

#: Largest over smallest value from which an axis is logarithmic.
_LOGARITHMIC = 5.0


@dataclass(frozen=True)
class CurvePoint:
    """A task's place on the axis, and the mean score there with its interval, if it has one.

    after_gap: there is a task between this one and the point before that has no score.
    """

    task: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    after_gap: bool = False


@dataclass(frozen=True)
class MethodCurve:
    """The points of a contender, ascending along the axis."""

    contender: Contender
    label: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class FactorCurves:
    """One picture: a score against a factor, over tasks that differ in numbers alone.

    Attributes:
        factor: its name in the results; label: on the axis.
        logarithmic: whether the axis spans enough for it.
        kind: what tells these tasks from other pictures of the section, "" where it has one.
        tasks: labels, ascending along the axis.
        curves: of the methods, best mean first, those that lack a task after them; references
            last, likewise.
        floor: random assignments, a point for each task.
    """

    factor: str
    label: str
    logarithmic: bool
    kind: str
    tasks: tuple[str, ...]
    curves: tuple[MethodCurve, ...]
    floor: tuple[CurvePoint, ...]


def factor_of(tasks: Sequence[TaskColumn]) -> str | None:
    """The factor that a table's tasks are compared by; None where none of them varies."""
    builders = {str(task.task.recipe.get("builder")) for task in tasks if task.task is not None}
    declared = [_OF_BUILDER[builder] for builder in sorted(builders) if builder in _OF_BUILDER]
    for factor in (*declared, *_IN_ORDER):
        if len({task.factors.get(factor) for task in tasks} - {None}) > 1:
            return factor
    return None


def factor_curves(
    section: Section, estimates: dict[tuple[str, Contender], ScoreEstimate], metric: str
) -> list[FactorCurves]:
    """Pictures of a section, one for each kind of task that has several.

    Tasks are of one kind where their recipes differ in numbers alone, as ratios of one shape of
    class sizes; tasks whose recipes are not known are of one kind. If every kind has a single
    task, all are taken as one.

    Args:
        section: the tasks and contenders.
        estimates: by label of the task and contender; those that have none have no point.
        metric: for the floor.
    """
    factor = factor_of(section.tasks)
    if factor is None:
        return []
    usable = [task for task in section.tasks if factor in task.factors]
    kinds: dict[str, list[TaskColumn]] = {}
    for task in usable:
        kinds.setdefault(_kind(task), []).append(task)
    several = {kind: tasks for kind, tasks in kinds.items() if _varies(tasks, factor)}
    if not several:
        several = {"": usable}
    names = _kind_names(several)
    return [
        _picture(section, tasks, factor, names[kind], estimates, metric)
        for kind, tasks in several.items()
    ]


def _varies(tasks: Sequence[TaskColumn], factor: str) -> bool:
    return len({task.factors[factor] for task in tasks}) > 1


def _kind(task: TaskColumn) -> str:
    """The part of a task's recipe that is no number."""
    if task.task is None:
        return ""
    recipe = {k: v for k, v in task.task.recipe.items() if isinstance(v, (str, bool))}
    return json.dumps(recipe, sort_keys=True)


def _kind_names(kinds: dict[str, list[TaskColumn]]) -> dict[str, str]:
    """What tells kinds apart: the values that differ among them."""
    recipes = {kind: json.loads(kind) if kind else {} for kind in kinds}
    keys = sorted({key for recipe in recipes.values() for key in recipe})
    moving = [k for k in keys if len({json.dumps(r.get(k)) for r in recipes.values()}) > 1]
    return {
        kind: ", ".join(f"{key}: {recipe[key]}" for key in moving if key in recipe)
        for kind, recipe in recipes.items()
    }


def _picture(
    section: Section,
    tasks: Sequence[TaskColumn],
    factor: str,
    kind: str,
    estimates: dict[tuple[str, Contender], ScoreEstimate],
    metric: str,
) -> FactorCurves:
    tasks = sorted(tasks, key=lambda task: task.factors[factor])
    curves = []
    for contender in section.contenders:
        points: list[CurvePoint] = []
        gap = False
        for task in tasks:
            found = estimates.get((task.label, contender))
            if found is None:
                gap = bool(points)
                continue
            low, high = found.interval(-1.0, 1.0) or (None, None)
            x = task.factors[factor]
            points.append(CurvePoint(task.label, x, found.mean, low, high, gap))
            gap = False
        if points:
            curves.append(MethodCurve(contender, section.labels[contender], tuple(points)))

    def rank(curve: MethodCurve) -> tuple[bool, bool, float]:
        # A mean over fewer tasks says nothing beside those over all.
        mean = sum(point.y for point in curve.points) / len(curve.points)
        return curve.contender.reference, len(curve.points) < len(tasks), -mean

    curves.sort(key=rank)
    values = [task.factors[factor] for task in tasks]
    return FactorCurves(
        factor=factor,
        label=FACTOR_LABELS.get(factor, factor.replace("_", " ")),
        logarithmic=min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC,
        kind=kind,
        tasks=tuple(task.label for task in tasks),
        curves=tuple(curves),
        floor=tuple(
            CurvePoint(task.label, task.factors[factor], task.floor[metric])
            for task in tasks
            if metric in task.floor
        ),
    )
