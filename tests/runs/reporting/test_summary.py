"""Given outcomes of runs: means over seeds by hand, and no mean where a run is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.runs.plan import FeatureSource
from clusterbench.runs.reporting.percent import percent
from clusterbench.runs.reporting.report import RunReport
from clusterbench.runs.reporting.summary import Figure, summarise


def outcome(task: str, method: str, seed: int, value: float | None, state: str = "success") -> Any:
    """An outcome with every metric at `value`; None: no scores. A star marks a reference."""
    run = SimpleNamespace(
        task=SimpleNamespace(name=task, n_classes=10, eval_rows=range(50), n_ranks=1),
        method=SimpleNamespace(name=method.rstrip("*"), reference=method.endswith("*")),
        scored_rows=range(50),
        seed=seed,
        k=10,
    )
    record = None
    if state != "missing":
        metrics = dict.fromkeys(("acc", "nmi", "ami", "ari"), value)
        errors = dict.fromkeys(metrics, SimpleNamespace(standard_error=0.0125))
        intervals = SimpleNamespace(metrics=errors)
        scores = None
        if value is not None:
            scores = SimpleNamespace(metrics=metrics, intervals=intervals)
        floor = dict.fromkeys(("acc", "nmi", "ami", "ari"), 0.05)
        record = SimpleNamespace(scores=scores, random_floor=floor)
    return SimpleNamespace(run=run, record=record, status=state)


def report(outcomes: list[Any], seeds: int = 2, protocol: Any = "train->val") -> RunReport:
    return RunReport(
        benchmark="imbalanced",
        dataset="icons-wordnet",
        features=FeatureSource("enc", "", 8),
        preset="laptop",
        seeds=tuple(range(seeds)),
        protocol=protocol,
        strategy="only-missing",
        results=Path("results"),
        dry_run=False,
        outcomes=tuple(outcomes),
    )


def test_mean_and_sample_standard_deviation_by_hand() -> None:
    figure = Figure.of([0.2, 0.4, 0.6])
    assert figure.mean == pytest.approx(0.4)
    assert figure.std == pytest.approx(0.2)  # sqrt((0.04 + 0 + 0.04) / 2)
    assert Figure.of([0.3]) == Figure(0.3, None, (0.3,))
    assert Figure.of([0.2, 0.4], [0.01, 0.03]).sample_error == pytest.approx(0.02)
    assert Figure.of([0.2, 0.4], [0.01, None]).sample_error is None


def test_percent() -> None:
    assert percent(Figure(0.5432, 0.0049, ())) == "54.3 ± 0.5"
    assert percent(Figure(-0.01, None, ())) == "-1.0"


def test_rows_follow_the_plan_and_the_best_is_the_highest_complete_mean() -> None:
    (first, second) = summarise(
        [
            outcome("t2", "b", 0, 0.2),
            outcome("t2", "b", 1, 0.4),
            outcome("t2", "a", 0, 0.9),
            outcome("t2", "a", 1, None, "failed"),
            outcome("t1", "b", 0, 0.1),
        ]
    )
    assert (first.task, second.task) == ("t2", "t1")
    assert [row.method for row in first.rows] == ["b", "a"]
    assert first.best("ami") == pytest.approx(0.3)  # not the 0.9 of a method that failed once


def test_a_reference_is_never_the_best_and_one_run_completes_it() -> None:
    methods = [outcome("t", "a", seed, 0.4) for seed in range(3)]
    (task,) = summarise([*methods, outcome("t", "knn*", 0, 0.9)])
    assert task.best("ami") == pytest.approx(0.4)
    row = task.rows[1]
    assert (row.method, row.reference, row.complete, row.n_seeds) == ("knn", True, True, 1)
    assert row.to_dict()["reference"] is True and row.to_dict()["metrics"]["ami"]["mean"] == 0.9
    (alone,) = summarise([outcome("t", "knn*", 0, 0.9)])
    assert alone.best("ami") is None


def test_size_and_floor_are_those_of_the_methods() -> None:
    over = outcome("t", "a", 0, 0.4)
    over.run.k, over.record.random_floor = 20, {"acc": 0.02}
    (task,) = summarise([over, outcome("t", "knn*", 0, 0.9)])
    assert (task.k, task.floor) == (20, {"acc": 0.02})
    lost = outcome("t", "a", 0, None, "missing")
    lost.run.k = 20
    (task,) = summarise([lost, outcome("t", "knn*", 0, 0.9)])
    assert (task.k, task.floor) == (20, {})  # not the floor of another number of clusters


def test_an_incomplete_row_has_no_mean_in_the_json_form() -> None:
    (task,) = summarise([outcome("t", "a", 0, 0.9), outcome("t", "a", 1, None, "missing")])
    assert task.rows[0].figures == {}
    document = task.to_dict()["methods"][0]
    assert document["complete"] is False and document["metrics"] is None
    assert (document["n_seeds"], document["n_success"], document["n_failed"]) == (2, 1, 0)


class TestTable:
    def lines(self, outcomes: list[Any], seeds: int = 2, width: int = 80) -> list[str]:
        return report(outcomes, seeds).text(width).splitlines()

    def row(self, lines: list[str], method: str) -> list[str]:
        (found,) = [line for line in lines[4:-3] if f" {method} " in line]
        return found.split(method)[1].split()

    def test_figures_and_floor(self) -> None:
        lines = self.lines([outcome("t", "alpha", s, v) for s, v in ((0, 0.25), (1, 0.35))])
        assert self.row(lines, "alpha") == ["30.0", "±", "7.1"] * 4
        assert self.row(lines, "random") == ["5.0"] * 4
        assert "10 classes" in "\n".join(lines)
        assert any("mean ± std over 2 seeds" in line for line in lines)

    def test_failed_and_missing_runs_are_named_and_show_no_figure(self) -> None:
        lines = self.lines(
            [
                outcome("t", "alpha", 0, 0.9),
                outcome("t", "alpha", 1, None, "failed"),
                outcome("t", "beta", 0, 0.8),
                outcome("t", "beta", 1, None, "missing"),
            ]
        )
        assert self.row(lines, "alpha") == ["1/2", "failed", "–", "–", "–"]
        assert self.row(lines, "beta") == ["1/2", "missing", "–", "–", "–"]
        assert lines[-1] == "A row with a failed or missing run has no mean."

    def test_the_uncertainty_over_samples_is_told_apart_from_the_seeds(self) -> None:
        lines = self.lines([outcome("t", "a", seed, 0.5) for seed in range(2)])
        assert "Apart from that, standard error over val images: up to 1.2." in lines

    def test_references_stand_below_the_methods_with_a_mark(self) -> None:
        outcomes = [outcome("t", "alpha", seed, 0.5) for seed in range(2)]
        lines = self.lines([*outcomes, outcome("t", "nearest-mean*", 0, 0.9)])
        text = "\n".join(lines)
        assert text.index("alpha") < text.index("nearest-mean*") < text.index("random")
        assert "* reference: fitted with the training labels, a ceiling and never best." in lines
        assert "reference" not in "\n".join(self.lines(outcomes))

    def test_references_alone_name_no_seeds(self) -> None:
        lines = self.lines([outcome("t", "knn*", 0, 0.9)])
        assert "Percent on the val split, one run each; bold: best of its column." in lines

    def test_the_transductive_protocol_names_its_split(self) -> None:
        text = report([outcome("t", "a", 0, 0.5)], 1, "transductive").text()
        assert "Percent on the train split (transductive), seed 0" in text
        assert "standard error over train images" in text and "val" not in text

    def test_long_names_still_fit_eighty_columns(self) -> None:
        outcomes = [
            outcome("a-very-long-name-of-a-task", "hierarchical-kmeans-v2", seed, 0.123 * seed)
            for seed in range(3)
        ]
        lines = self.lines(outcomes, 3)
        assert max(map(len, lines)) <= 80
        assert any(line.count("±") == 4 for line in lines)  # no figure is cut

    def test_a_single_task_with_a_single_method_keeps_its_size(self) -> None:
        only = outcome("t", "alpha", 0, None, "missing")
        assert "10 classes" in "\n".join(self.lines([only], 1))

    def test_the_best_of_a_column_is_bold(self) -> None:
        from rich.console import Console

        console = Console(width=80, force_terminal=True, color_system="standard", record=True)
        outcomes = [outcome("t", "alpha", 0, 0.9), outcome("t", "beta", 0, 0.8)]
        with console.capture() as captured:
            console.print(report(outcomes, 1).table())
        assert captured.get().count("\x1b[1m90.0") == 4
        with console.capture() as captured:
            console.print(report([*outcomes, outcome("t", "knn*", 0, 0.95)], 1).table())
        assert captured.get().count("\x1b[1m90.0") == 4
        assert captured.get().count("\x1b[2;3m95.0") == 4
        assert "\x1b[1m80.0" not in captured.get()
