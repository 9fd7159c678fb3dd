"""Every shipped benchmark on the shipped data: what must move moves, the rest stands still."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from clusterbench import catalog
from clusterbench.benchmarks import declaration
from clusterbench.benchmarks.build import build_declaration
from clusterbench.datasets import registry

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    (path.stem, dataset)
    for path in sorted(catalog.shipped("benchmarks").glob("*.toml"))
    for dataset in declaration.read(path).datasets
]


def folder_of(dataset):
    return catalog.shipped("features") / dataset


@cache
def tasks_of(family, dataset):
    declared = declaration.read(catalog.shipped("benchmarks") / f"{family}.toml")
    return build_declaration(declared, registry.read(folder_of(dataset)))


def by_builder(tasks, builder):
    return [task for task in tasks if task.recipe["builder"] == builder]


def same(tasks, *fields):
    for task in tasks[1:]:
        for field in fields:
            assert np.array_equal(getattr(task, field), getattr(tasks[0], field)), task.full_name


@pytest.mark.parametrize(("family", "dataset"), PAIRS)
def test_tasks_are_sound_and_only_their_factor_moves(family, dataset):
    if not (folder_of(dataset) / registry.DECLARATION).is_file():
        pytest.skip(f"the features of {dataset} are not shipped")
    tasks = tasks_of(family, dataset)
    assert len(tasks) >= (1 if family == "multilabel" else 3)
    assert len({task.manifest_hash for task in tasks}) == len(tasks)
    index = registry.read(folder_of(dataset)).index
    for task in tasks:
        task.verify(index)

    if ratios := by_builder(tasks, "ratio"):
        same(ratios, "class_names", "eval_rows", "eval_targets")
        assert len({len(task.train_rows) for task in ratios}) == 1
        assert ratios[0].factors["eval_smallest_class"] == ratios[0].factors["eval_largest_class"]
        for task in ratios:
            assert task.factors["imbalance_ratio"] == pytest.approx(task.recipe["ratio"], rel=0.25)
    if cuts := by_builder(tasks, "granularity"):
        same(cuts, "train_rows", "eval_rows")
        assert len({task.n_classes for task in cuts}) == len(cuts)
    if easy := by_builder(tasks, "easy"):
        assert len({(t.n_classes, len(t.train_rows), len(t.eval_rows)) for t in easy}) == 1
        assert {task.factors["imbalance_ratio"] for task in easy} == {1.0}
        accuracy = {task.recipe["which"]: task.factors["knn_accuracy"] for task in easy}
        assert accuracy["easiest"] > accuracy["random"] > accuracy["hardest"]
    if windows := by_builder(tasks, "window"):
        windows.sort(key=lambda task: task.recipe["half_width"])
        measured = [task.factors["gini"] for task in windows]
        assert measured == sorted(measured)


def test_the_documents_table_is_the_one_of_the_tasks(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERBENCH_HOME", str(tmp_path))
    path = ROOT / "scripts" / "benchmark_table.py"
    spec = importlib.util.spec_from_file_location("benchmark_table", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.DOCUMENT.read_text(encoding="utf-8")
    assert text == script.with_table(text, script.table()), (
        "docs/benchmarks.md is not up to date: run python scripts/benchmark_table.py --write"
    )


def test_chains_are_scored_on_the_images_of_the_fine_granularity():
    chains = tasks_of("multilabel", "icons-wordnet")[0]
    fine = next(t for t in tasks_of("granularity", "icons-wordnet") if t.name == "fine")
    same([chains, fine], "train_rows", "eval_rows", "train_targets", "eval_targets", "class_names")
