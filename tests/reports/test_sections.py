"""Names of contenders, order of tasks, kinds of curves: worked by hand."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.leaderboard.site.factor_series import _FACTORS
from clusterbench.pages.charts.line_chart import draw_lines
from clusterbench.reports.content.phrases import percent, with_reach
from clusterbench.reports.content.score_charts import curve_chart
from clusterbench.reports.factor_curves import factor_curves, factor_of
from clusterbench.reports.later_clusters import later_clusters
from clusterbench.reports.places import ScoreEstimate
from clusterbench.reports.sections import Contender, Section, TaskColumn, contender_labels
from clusterbench.results.record import LabelSetsRecord, TopRecord

METHOD = Contender("m", 1, "{}", False)


def column(name: str, recipe: dict[str, Any] | None, **factors: float) -> TaskColumn:
    task: Any = None if recipe is None else SimpleNamespace(recipe=recipe)
    return TaskColumn(name, name, "0" * 64, 5, 10, 10, factors, {"ami": 0.0}, task, {})


def section(*tasks: TaskColumn) -> Section:
    return Section("b", "d", "e", "0" * 64, "train->val", tasks, (METHOD,), {METHOD: "m"})


def pictures(*tasks: TaskColumn) -> list[tuple[str, str, list[str]]]:
    estimates = {(t.label, METHOD): ScoreEstimate.of_seeds([0.5]) for t in tasks}
    found = factor_curves(section(*tasks), estimates, "ami")
    return [(p.factor, p.kind, [point.task for point in p.curves[0].points]) for p in found]


def test_a_contender_is_called_by_what_tells_it_from_others() -> None:
    plain = Contender("kmeans", 1, '{"n_init": 2}', False)
    more = Contender("kmeans", 1, '{"n_init": 5}', False)
    other_k = Contender("kmeans", 1, '{"n_init": 2}', False, k=7)
    newer = Contender("temi", 2, "{}", False)
    older = Contender("temi", 1, "{}", False)
    alone = Contender("knn", 1, '{"n_neighbors": 3}', True)
    labels = contender_labels([plain, more, other_k, newer, older, alone])
    assert list(labels.values()) == [
        "kmeans (n_init=2)",
        "kmeans (n_init=5)",
        "kmeans (n_init=2, K=7)",
        "temi (version 2)",
        "temi (version 1)",
        "knn",
    ]


def test_tasks_that_differ_in_numbers_share_a_picture() -> None:
    base = {"builder": "ratio", "shape": "exponential"}
    tasks = [
        column("ratio-30", {**base, "ratio": 30}, imbalance_ratio=30),
        column("ratio-1", {**base, "ratio": 1}, imbalance_ratio=1),
        column("zipf-1", {**base, "ratio": 1, "shape": "zipf"}, imbalance_ratio=1),
        column("zipf-9", {**base, "ratio": 9, "shape": "zipf"}, imbalance_ratio=9),
        column("alone", {"builder": "window"}, imbalance_ratio=4),
    ]
    assert pictures(*tasks) == [
        ("imbalance_ratio", "shape: exponential", ["ratio-1", "ratio-30"]),
        ("imbalance_ratio", "shape: zipf", ["zipf-1", "zipf-9"]),
    ]


def test_kinds_of_one_task_each_are_one_picture() -> None:
    easy, hard = (
        column(n, {"builder": "easy", "which": n}, knn_accuracy=a)
        for n, a in (("e", 0.9), ("h", 0.1))
    )
    assert pictures(easy, hard) == [("knn_accuracy", "", ["h", "e"])]


def test_easy_tasks_are_placed_as_on_a_board_by_a_linear_probe_in_percent() -> None:
    tasks = [
        column(n, {"builder": "easy", "which": n}, knn_accuracy=0.5 + a, probe_accuracy=a)
        for n, a in (("e", 0.4), ("h", 0.05))
    ]
    assert pictures(*tasks) == [("probe_accuracy", "", ["h", "e"])]
    estimates = {(task.label, METHOD): ScoreEstimate.of_seeds([0.5]) for task in tasks}
    (found,) = factor_curves(section(*tasks), estimates, "ami")
    part: Any = SimpleNamespace(section=section(*tasks))
    factor, name, kind, in_percent = _FACTORS["which"]
    assert found.factor == factor
    axis = curve_chart(part, found).x
    assert (axis.label, axis.kind, axis.percent) == (name, kind, in_percent)


def test_tasks_that_cannot_be_built_are_placed_by_their_factors() -> None:
    tasks = [column("a", None, n_classes=10, n_train=5), column("b", None, n_classes=90, n_train=5)]
    assert pictures(*tasks) == [("n_classes", "", ["a", "b"])]
    (found,) = factor_curves(section(*tasks), {}, "ami")
    assert found.logarithmic and found.curves == ()


def test_nothing_varies() -> None:
    assert factor_of([column("a", None, n_classes=10), column("b", None, n_classes=10)]) is None
    assert pictures(column("a", None, n_classes=10)) == []


def ranked(*top: float) -> Any:
    none = (0.0,) * len(top)
    chains = LabelSetsRecord(
        n=1,
        n_labels=2,
        labels_per_sample=1.0,
        any_label_acc=0.0,
        hits=top,
        chance=none,
        any_hit=none,
        coverage=none,
    )
    record = TopRecord(n_ranks=len(top), top_n_acc=top, top_n_chance=none, chains=chains)
    return SimpleNamespace(record=SimpleNamespace(ranked=record))


def test_later_clusters_are_means_over_seeds() -> None:
    found = later_clusters([ranked(0.25, 0.5), ranked(0.75, 1.0)])
    assert found is not None
    assert found.top_n_acc == (0.5, 0.75) and found.hits == (0.5, 0.75)
    assert found.labels == "class chain" and found.chain_share == () and found.n_seeds == 2


@pytest.mark.parametrize("runs", [[], [ranked(0.5), ranked(0.5, 0.6)]])
def test_no_ranks_or_different_numbers_of_them(runs: list[Any]) -> None:
    assert later_clusters(runs) is None


def test_a_task_without_a_score_is_a_gap_and_its_method_comes_after_whole_ones() -> None:
    tasks = [column(f"r-{n}", None, imbalance_ratio=n) for n in (1, 2, 4, 8)]
    whole, failed, reference = METHOD, Contender("f", 1, "{}", False), Contender("r", 1, "{}", True)
    names = {whole: "m", failed: "f", reference: "r"}
    table = Section("b", "d", "e", "0" * 64, "train->val", tuple(tasks), tuple(names), names)
    estimates = {(t.label, whole): ScoreEstimate.of_seeds([0.5]) for t in tasks}
    estimates |= {(t.label, failed): ScoreEstimate.of_seeds([0.9]) for t in tasks if t != tasks[2]}
    estimates |= {(t.label, reference): ScoreEstimate.of_seeds([1.0]) for t in tasks[1:3]}
    (found,) = factor_curves(table, estimates, "ami")
    assert [curve.label for curve in found.curves] == ["m", "f", "r"]
    gaps = {curve.label: [p.task for p in curve.points if p.after_gap] for curve in found.curves}
    assert gaps == {"m": [], "f": ["r-8"], "r": []}
    part: Any = SimpleNamespace(section=table)
    chart = curve_chart(part, found)
    assert "no point and no line" in chart.summary
    drawn, _ = draw_lines(chart, 880.0)
    lines = re.findall(r'<path d="([^"]+)" class="line"', drawn)
    moves = [(line.count("M"), line.count("L")) for line in lines]
    assert moves == [(1, 3), (2, 1), (1, 1), (1, 3)]  # the last is chance


@pytest.mark.parametrize(
    ("value", "text"), [(0.1234, "12.3"), (-0.004, "−0.4"), (-0.0001, "0.0"), (0.0, "0.0")]
)
def test_a_percentage_has_a_true_minus_as_the_numbers_of_tables(value: float, text: str) -> None:
    assert percent(value) == text
    assert with_reach(ScoreEstimate.of_seeds([value])) == text
