"""Given tasks with recipes, those that differ in one thing are an axis."""

from __future__ import annotations

from typing import Any

from clusterbench.leaderboard.board.models import TaskDefinition
from clusterbench.leaderboard.site.factor_series import factor_series
from clusterbench.leaderboard.site.task_views import TaskView


def task(name: str, factors: dict[str, float], **recipe: Any) -> TaskView:
    definition = TaskDefinition(
        name=name,
        manifest_hash="0" * 64,
        n_classes=int(factors["n_classes"]),
        random_floor={"ami": 0.0, "acc": 0.0},
    )
    return TaskView("b", "d", definition, factors, recipe)


def found(*tasks: TaskView) -> list[tuple[str, str, list[tuple[float, str]]]]:
    return [
        (series.name.split(" (")[0], series.fixed, [(x, t.name) for x, t in series.tasks])
        for series in factor_series(tasks)
    ]


def ratio(name: str, asked: float, measured: float, evaluation: str = "balanced") -> TaskView:
    factors = {"n_classes": 10.0, "imbalance_ratio": measured, "images_per_class": 5.0}
    return task(name, factors, builder="ratio", ratio=asked, evaluation=evaluation, series=[asked])


def test_the_measured_ratio_is_the_axis_and_each_evaluation_has_its_own() -> None:
    tasks = [ratio("r10", 10, 10.2), ratio("r1", 1, 1.0), ratio("r30", 30, 35.0)]
    natural = [ratio("n10", 10, 10.2, "natural"), ratio("n30", 30, 35.0, "natural")]
    assert found(*tasks) == [("imbalance ratio", "", [(1.0, "r1"), (10.2, "r10"), (35.0, "r30")])]
    assert found(*tasks, *natural) == [
        ("imbalance ratio", "evaluation balanced", [(1.0, "r1"), (10.2, "r10"), (35.0, "r30")]),
        ("imbalance ratio", "evaluation natural", [(10.2, "n10"), (35.0, "n30")]),
    ]


def test_depth_and_number_of_coarse_classes_are_one_thing() -> None:
    def coarse(name: str, n: int, **recipe: Any) -> TaskView:
        given = {"depth": None, "n_coarse": None, "merge": "tree", "n_classes": 280} | recipe
        return task(name, {"n_classes": float(n)}, builder="granularity", **given)

    assert found(
        coarse("fine", 280), coarse("c50", 51, n_coarse=50), coarse("d6", 154, depth=6)
    ) == [("number of classes, from coarse to fine", "", [(51, "c50"), (154, "d6"), (280, "fine")])]


def test_tasks_that_differ_in_two_things_or_none_are_no_axis() -> None:
    one = task("a", {"n_classes": 10.0, "images_per_class": 5.0}, n_classes=10, images_per_class=5)
    two = task("b", {"n_classes": 20.0, "images_per_class": 9.0}, n_classes=20, images_per_class=9)
    three = task(
        "c", {"n_classes": 20.0, "images_per_class": 5.0}, n_classes=20, images_per_class=5
    )
    assert found(one, two) == [] and found(one, one) == []
    assert {name for name, *_ in found(one, two, three)} == {
        "number of classes",
        "training images per class",
    }
