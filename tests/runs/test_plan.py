"""Given tasks, methods and seeds: the runs, their keys, their paths, and which are computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterbench.benchmarks import Task
from clusterbench.errors import InputError
from clusterbench.runs.plan import (
    STRATEGIES,
    FeatureSource,
    MethodSpec,
    plan,
    seed_list,
    should_run,
)

FEATURES = FeatureSource("enc", "identity", 4)


def task(name: str = "t", **changes: Any) -> Task:
    values: dict[str, Any] = {
        "benchmark": "b",
        "dataset": "d",
        "index_hash": "x",
        "train_rows": np.arange(6),
        "eval_rows": np.arange(6, 9),
        "train_targets": np.array([0, 1, 2, 0, 1, 2]),
        "eval_targets": np.array([0, 1, 2]),
        "n_classes": 3,
        "class_names": ("a", "b", "c"),
    }
    return Task(name=name, **{**values, **changes})


def test_runs_are_tasks_by_methods_by_seeds_in_that_order() -> None:
    methods = [MethodSpec("m1", 1, {}), MethodSpec("m2", 1, {})]
    runs = plan([task("t1"), task("t2")], methods, (0, 5), FEATURES, Path("results"))
    assert [(r.task.name, r.method.name, r.seed) for r in runs] == [
        (t, m, s) for t in ("t1", "t2") for m in ("m1", "m2") for s in (0, 5)
    ]
    assert len({run.key for run in runs}) == len({run.path for run in runs}) == 8
    assert all(run.k == 3 for run in runs)


def test_a_result_lies_where_the_layout_says() -> None:
    (run,) = plan([task()], [MethodSpec("m", 1, {})], (7,), FEATURES, Path("results"))
    assert run.path.as_posix() == f"results/b/d/enc/t/m/seed-7-{run.key[:12]}.json"
    assert run.predictions_path.name == f"seed-7-{run.key[:12]}.npz"


def test_planning_touches_no_file(tmp_path: Path) -> None:
    plan([task()], [MethodSpec("m", 1, {})], (0,), FEATURES, tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def test_k_replaces_the_number_of_classes_and_may_not_exceed_the_samples() -> None:
    methods = [MethodSpec("m", 1, {})]
    (run,) = plan([task()], methods, (0,), FEATURES, Path("r"), k=6)
    assert run.k == 6
    with pytest.raises(InputError, match="k=7 is larger than the 6 training samples of task 't'"):
        plan([task()], methods, (0,), FEATURES, Path("r"), k=7)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("missing", (True, True, True)),
        ("success", (False, False, True)),
        ("failed", (False, True, True)),
        ("partial", (False, True, True)),
    ],
)
def test_strategies(state: Any, expected: tuple[bool, bool, bool]) -> None:
    assert tuple(should_run(state, strategy) for strategy in STRATEGIES) == expected


def test_seeds_are_a_count_or_a_list() -> None:
    assert seed_list(3) == (0, 1, 2)
    assert seed_list((4, 2)) == (4, 2)


@pytest.mark.parametrize("seeds", [0, -1, True, (), (1, 1), (-1,), (0.5,), (True,), (2**31,)])
def test_unusable_seeds_are_refused(seeds: Any) -> None:
    with pytest.raises(InputError, match="seed"):
        seed_list(seeds)
